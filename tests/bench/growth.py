"""What a record costs the more its run already holds: flights that are over, logs that were played back, months of
listening on a link with now and then a bad frame. Each curve should be flat."""

import resource
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from pipeline.flow import LinkState, VehicleState, decode, watch
from pipeline.mission.model import Mission
from pipeline.records import Origin, Record, Run
from pipeline.shells.terminal import note, say
from tests.link import Frame, Receiver, mission
from tests.verdicts.flown import LANDED, NOISE, sent

FLIGHTS: Final = 20
FLIGHT_S: Final = 200
LOG_S: Final = 60
DAYS: Final = 90
LISTENS_EVERY_S: Final = 60
"""Of a receiver that waits for months."""
BAD_EVERY_S: Final = 600


def growth() -> None:
    note(f"{FLIGHTS} flights, one frame a record")
    say(_curve("flights, live", "flight", _costs(_flights())))
    say(_curve("flights, played back", "log", _costs(_flights(), _logs())))
    note(f"{DAYS} days of listening")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    say(_curve(f"{DAYS} days of listening, a bad frame each ten minutes", "day", _costs(_days(), of=_waiting())))
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    say(f"{DAYS} days of listening:  {grown:,.0f} MiB more in memory")


Part = Sequence[Record]


def _costs(*streams: Iterator[Part], of: Mission | None = None) -> list[float]:
    """Seconds of CPU time a record of each part of the last stream."""
    of = mission() if of is None else of
    link, vehicle, offset = LinkState(), VehicleState(), 0
    costs: list[float] = []
    for stream in streams:
        costs = []
        for part in stream:
            started = time.process_time()
            for record in part:
                for one in decode(link, record, Origin("bench", 0, offset), of):
                    watch(vehicle, one, of, Run(id="bench", origin="test"))
                offset += 1
            costs.append((time.process_time() - started) / len(part))
    return costs


def _curve(what: str, part: str, costs: Sequence[float]) -> str:
    """The cost of the last parts against that of the first ones, without the very first: it warms up."""
    few = max(1, len(costs) // 10)
    first, last = (sorted(some)[few // 2] for some in (costs[1 : 1 + few], costs[-few:]))
    return (
        f"{what}:  {first * 1e6:,.0f} µs a record of {part} 2, {last * 1e6:,.0f} µs of {part} {len(costs)}; "
        f"ratio {last / first:.2f}"
    )


def _flights() -> Iterator[Part]:
    receiver = Receiver()
    for number in range(FLIGHTS):
        part: list[Record] = []
        for second in range(number * FLIGHT_S, (number + 1) * FLIGHT_S):
            since = second - number * FLIGHT_S
            said: dict[str, Any] = {"phase": "hover", "landed": False, "altitude": 5.0}
            if since < 5:
                said = {"phase": "preflight", "landed": True, "altitude": 0.0}
            elif since >= FLIGHT_S - 20:
                said = dict(LANDED)
            part += _second(receiver, [(second + tenth / 10, said) for tenth in range(10)], 0, 0.0)
        yield part


def _logs() -> Iterator[Part]:
    """Each flight's own, one after the other, when all flights are over."""
    receiver, begins = Receiver(sequence=1_000_000), FLIGHTS * FLIGHT_S
    for number in range(FLIGHTS):
        part: list[Record] = []
        behind = begins + number * LOG_S - number * FLIGHT_S - 5
        for second in range(begins + number * LOG_S, begins + (number + 1) * LOG_S):
            said = {"phase": "hover", "landed": False, "altitude": 5.0}
            part += _second(receiver, [(second + tenth / 10, said) for tenth in range(10)], 1, behind)
        yield part


def _second(
    receiver: Receiver, said: Sequence[tuple[float, dict[str, Any]]], vcid: int, behind: float
) -> Iterator[Record]:
    """`behind`: so many seconds the on-board times of what was stored are behind."""
    frames: list[Frame] = [
        (at, sent(at, round(at * 10), values | {"clock": 1000 + at - behind}, vcid=vcid)) for at, values in said
    ]
    for one in frames:
        yield receiver.frames([one])
    yield receiver.listened(int(said[0][0]), int(said[0][0]) + 1)


def _waiting() -> Mission:
    """A receiver that says each minute that it listened is none that fell quiet."""
    return replace(mission(), timers=replace(mission().timers, relay_silent_seconds=2.0 * LISTENS_EVERY_S))


def _days() -> Iterator[Part]:
    receiver = Receiver()
    for day in range(DAYS):
        yield list(_day(receiver, day * 86_400))


def _day(receiver: Receiver, since: int) -> Iterable[Record]:
    for at in range(since, since + 86_400, LISTENS_EVERY_S):
        if at % BAD_EVERY_S == 0:
            yield receiver.frames([(at + 1.0, NOISE)])
        yield receiver.listened(at, at + LISTENS_EVERY_S)
