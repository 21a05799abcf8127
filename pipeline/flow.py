"""THE FLOW ON ONE SCREEN. A few pure functions; everything else is what they call, or a shell that calls them.

    record of a link ── decode(state of the link) ──▶ telemetry, one for each vehicle of the link
    telemetry        ── watch(state of the vehicle) ─▶ revisions of alerts, facts of flights

    command of a person ── pass_on ─▶ itself, once for each vehicle that it concerns, in the telemetry's one order
    ... passed on       ── obey(state of the vehicle) ─▶ revisions of alerts, facts of flights, refusals

WHEN `watch` JUDGES: after a record that moves a relay's watermark (a listening record; in a session without them, a
frame of a later second), lets a second of the earth's clock pass, ends a session, says that nothing is delivered, or
brings what lies before the watermark; and after a command of a person. Nothing else can change a verdict. Every other
record only joins the evidence.

All are functions of (state, record, mission): they know no Kafka, no file and no clock, skip a record they have
seen by its origin, and give the same outputs however records were grouped. On Kafka they run as Faust agents
(shells.worker); in one process, with no broker, as the loop below (shells.files.analyze).
"""

from collections.abc import Iterable, Iterator

from pipeline.channels.link_state import LinkState
from pipeline.commands import pass_on
from pipeline.decode import decode, decode_together, has_room
from pipeline.mission.model import Mission
from pipeline.outputs import Output
from pipeline.records import Origin, Record, Run
from pipeline.watch import Refusal, VehicleState, obey, watch

__all__ = [
    "LinkState", "Refusal", "VehicleState", "decode", "decode_together", "has_room", "obey", "pass_on", "run_through",
    "watch",
]  # fmt: skip


def run_through(records: Iterable[tuple[Origin, Record]], mission: Mission, run: Run) -> Iterator[Output]:
    """The whole flow in one process."""
    links: dict[str, LinkState] = {}
    vehicles: dict[str, VehicleState] = {}
    for origin, record in records:
        for telemetry in decode(links.setdefault(record.link, LinkState()), record, origin, mission):
            yield from watch(vehicles.setdefault(telemetry.vehicle, VehicleState()), telemetry, mission, run)
