"""Why nothing can be said of a vehicle's flights: what was looked for and not found. Knows the evidence; knows no
rule."""

from collections.abc import Iterator

from pipeline.frames.mavlink import may_be_vehicle
from pipeline.mission.model import ANY_SYSTEM
from pipeline.packets.mavlink import flies
from pipeline.verdicts.picture import Picture


def why_no_flight(picture: Picture) -> str:
    """In a sentence or two, of a vehicle of which no flight was found."""
    return " ".join(_reasons(picture))


def _reasons(picture: Picture) -> Iterator[str]:
    vehicle, views = picture.vehicle, picture.views
    is_mavlink = picture.mission.is_mavlink(vehicle)
    if is_mavlink and vehicle.scid == ANY_SYSTEM:
        yield "No HEARTBEAT named an autopilot of a vehicle, three times as is asked for."
        return
    if not views.heard.of(False):
        yield f"No good frame of {vehicle.name} came ({'system' if is_mavlink else 'SCID'} {vehicle.scid})."
        yield from _others(picture)
    elif not views.samples.entries:
        apids = ", ".join(str(packet.apid) for packet in vehicle.packets)
        yield (
            "No message says whether it is armed, how high it is or whether it has landed." if is_mavlink else
            f"Its frames carried none of the packets that the mission reads (APID {apids or 'none'})."
        )  # fmt: skip
    elif not views.flying.entries:
        yield (
            _never_in_flight(picture)
            if is_mavlink
            else ("No packet of it meets the mission's condition in_flight (vehicles.meanings).")
        )
    else:
        timers = picture.timers
        yield (
            "It said in flight, and not as is asked for: in two frames after one on the ground, or in "
            f"{timers.resume_frames} frames over {timers.resume_seconds:g} s."
        )


def _never_in_flight(picture: Picture) -> str:
    said = {key for key, _ in picture.evidence.readings.items()}
    kinds = {kind for kind, _ in picture.evidence.heartbeats.segments}
    if kinds and not any(flies(kind) for kind in kinds):
        return "It is of a type that does not fly."
    if ("HEARTBEAT", "True") not in said:
        return "It was never armed."
    if not any(one.altitude is not None for entry in picture.views.samples.entries for one in entry.kept(set())):
        return "It was armed, and no message says its altitude or that it is in the air."
    return "It was armed, and never in the air: it did not rise, and no message says that it was in the air."


def _others(picture: Picture) -> Iterator[str]:
    sources = {
        (link, scid)
        for link, scid, _ in picture.evidence.out_of_scope.segments
        if not (managed := picture.mission.link(link)) or managed.format != "mavlink" or may_be_vehicle(scid)
    }
    for link, scid in sorted(sources)[:5]:
        yield f"Good frames of SCID {scid} came on {link}, which the mission does not expect there."
