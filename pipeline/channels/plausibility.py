"""Whether a frame that passed its check can be what it says: its count against the count expected by time. Knows
counts and times of one channel; does not know octets.

A random frame passes a 16-bit check once in 65,536, and its count is then as random as the rest. A restart and a
long silence look the same at first; so a frame that is not plausible waits for the frames that follow it.
"""

from typing import Final

from pipeline.channels.history import Reference
from pipeline.records import SECOND

REFERENCE_WITHIN: Final = 30 * SECOND
"""A frame with no other of its channel so near in time is believed."""

WINDOW_SMALL: Final = 4
"""Part of the modulus, 8-bit counts: W = M/4."""
WINDOW_LARGE: Final = 65_536
"""Counts of 24 and 28 bits: M/4 would let every second random count pass."""

_PAUSED: Final = 8
"""A sender that was silent by itself goes on with the next counts, whatever the time."""
_CONFIRMING: Final = 16
"""Counts by which frames that confirm each other may disagree with time, more for a longer time."""


def is_plausible(reference: Reference, count: int, at: int, modulus: int, period: int | None) -> bool:
    """Whether a frame with this count at this time agrees with the frame nearest in time. `period`: the nominal one
    of the channel in nanoseconds, None where nobody knows it; then an 8-bit count proves nothing."""
    return _agree(reference, count, at, modulus, period, _window(modulus))


def confirms(first: Reference, count: int, at: int, modulus: int, period: int | None) -> bool:
    """The same between two frames of which one waits to be believed; closer, since they follow one another."""
    elapsed = abs(at - first.at)
    window = _CONFIRMING + (elapsed // period // 4 if period else 0)
    # After a longer pause a count that goes round has come past any other.
    may_pause = not period or elapsed <= _window(modulus) * period
    window = min(window if period else WINDOW_LARGE, _window(modulus))
    return _agree(first, count, at, modulus, period, window, may_pause=may_pause)


def _window(modulus: int) -> int:
    return modulus // WINDOW_SMALL if modulus <= 4 * 256 else WINDOW_LARGE


def _agree(
    reference: Reference, count: int, at: int, modulus: int, period: int | None, window: int, *, may_pause: bool = True
) -> bool:
    elapsed = at - reference.at
    ahead = signed(count - reference.frame_count, modulus)
    if may_pause and 0 <= (ahead if elapsed >= 0 else -ahead) <= _PAUSED:
        return True
    if period is None and (modulus <= 4 * 256 or abs(ahead) <= window):
        return True
    periods = [one for one in (period, reference.period) if one]
    for one in periods:
        tolerance = max(window, 3 * SECOND / one) if window >= _window(modulus) else window
        if abs(signed(ahead - round(elapsed / one), modulus)) <= tolerance:
            return True
    return False


def signed(difference: int, modulus: int) -> int:
    """A difference of counts as the nearest of forward and backward: in [-modulus/2, modulus/2)."""
    return (difference + modulus // 2) % modulus - modulus // 2
