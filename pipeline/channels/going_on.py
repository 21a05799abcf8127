"""Which frames of a record simply go on, each with the one before it: nearly all of a large record. Knows counts and
times of one channel; does not know what was seen before."""

import numpy as np

from pipeline.channels.history import CHUNK
from pipeline.frames.frame import Frames
from pipeline.packets.stretch import Stretch


def columns_of(places: list[int], frames: Frames, times: list[int]) -> Stretch:
    """Those frames of a record, all of the one length that frames of their link have."""
    joined, at = frames.joined, np.array(times)
    counts, replayed, pointers, starts, ends = frames.columns
    if len(places) < len(frames) or not joined:
        joined = b"".join([frames.octets[place] for place in places])
    octets = np.frombuffer(joined, np.uint8).reshape(len(places), -1)
    if len(places) < len(frames):
        at, counts, replayed, pointers = at[places], counts[places], replayed[places], pointers[places]
        starts, ends = starts[places], ends[places]
    return Stretch(octets, counts, at, ~replayed, pointers, starts, ends)


def ends_of_stretches(frames: Stretch, modulus: int, pause: int) -> list[int]:
    """Up to where frames simply go on, each with the one before it: later, soon enough, with the next count."""
    before, at, chunks = frames.at[:-1], frames.at[1:], frames.at // CHUNK
    is_next = (frames.counts[1:] - frames.counts[:-1]) % modulus == 1
    goes_on = is_next & (at > before) & (at - before <= pause) & (chunks[1:] == chunks[:-1])
    return [*((~goes_on).nonzero()[0] + 1).tolist(), len(frames.at)]
