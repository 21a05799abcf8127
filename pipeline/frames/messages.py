"""MAVLink messages as the frames of a link: the system is the SCID, the component the VCID, the sequence number the
virtual channel frame count. Knows columns; the message itself is `mavlink`'s."""

from pipeline.frames.frame import Frames, Managed
from pipeline.frames.mavlink import SEQUENCE_MODULUS, read_message


def read(octets: list[bytes], managed: Managed) -> Frames:
    """The columns of MAVLink messages. A message says its own length: nothing is managed."""
    frames = Frames.of(octets)
    frames.moduli = [SEQUENCE_MODULUS] * len(octets)
    frames.messages = [None] * len(octets)
    for at, frame in enumerate(octets):
        message = read_message(frame)
        if isinstance(message, str):
            frames.reasons[at] = message
            continue
        frames.reasons[at] = None
        frames.scids[at], frames.vcids[at] = message.system, message.component
        frames.virtual_channel_frame_counts[at] = message.sequence
        frames.messages[at] = message
    return frames
