"""Text that somebody else wrote: what may travel, and how the rest is shown. Knows Unicode's categories."""

import unicodedata
from typing import Final

_CONTROLS: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are not shown as themselves: controls, format characters (those that turn the direction of
writing among them), surrogates, private and unassigned characters, and separators of lines and paragraphs."""


def first_control(text: str) -> str | None:
    """The first character that is no letter, mark, number, symbol or space, as U+001B; None where there is none."""
    if text.isprintable():
        return None
    found = next((letter for letter in text if unicodedata.category(letter) in _CONTROLS), None)
    return None if found is None else f"U+{ord(found):04X}"


def escaped(text: str, *, but: str = "") -> str:
    """The text with every such character as its escape (`\\x1b`), but for those in `but`."""
    if text.isprintable():
        return text
    return "".join(
        repr(letter)[1:-1] if letter not in but and unicodedata.category(letter) in _CONTROLS else letter
        for letter in text
    )
