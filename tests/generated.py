"""Flights made by chance from a seed: nominal ones, and ones whose transmission ends early. Each with what must be said
of it, reckoned from what its receiver heard and not from what the program found."""

import random
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, get_args

from pipeline.mission.load import build_mission
from pipeline.mission.model import FrameFormat, Mission, PlannedFlight
from pipeline.outputs import Revision
from pipeline.records import SECOND, Record
from pipeline.shells.files.analyze import analyze
from pipeline.shells.files.resources import mission_path, read_text
from pipeline.simulate.delivery import arrange
from pipeline.simulate.load import in_format
from pipeline.simulate.scenario import Counts, Flight, Loss, Order, Radio, Scenario, Segment, Session, Silence
from pipeline.simulate.simulation import heard_by, simulate

LISTENING_INTERVAL: Final = SECOND
"""Of the receiver."""
STARTS_AT: Final = 1_705_579_200 * SECOND
"""2024-01-18T12:00:00Z, when the mission expects flight 72."""
PERIODS: Final = (0.05, 0.1, 0.2, 0.5)
"""Seconds between frames."""
BEFORE_S: Final = 5.0
"""Frames are sent so long before take-off, and the receiver listens twice as long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    seed: int
    scenario: Scenario
    order: Order
    last_good_at: int | None
    """Of an early end: receive time of its last frame. None: the flight is nominal."""


@cache
def mission_of(frame_format: FrameFormat, period: float) -> Mission:
    data = in_format(tomllib.loads(read_text(mission_path("ingenuity"))), frame_format)
    for vehicle in data["vehicles"]:
        vehicle["frame_period_s"] = period
    return build_mission(data, where="generated", lines={})


def nominal(seed: int) -> Generated:
    """A whole flight with up to 5 % of its frames lost."""
    chance = random.Random(f"nominal/{seed}")
    return Generated(seed=seed, scenario=_flight(chance, "nominal", 0.05), order=_order(chance), last_good_at=None)


def early_end(seed: int) -> Generated:
    """A flight of which nothing is heard from some moment before touchdown on, with up to 20 % lost before it. The
    moment lies behind the second frame in flight that was heard: from one frame no take-off can be told."""
    chance = random.Random(f"early/{seed}")
    flight = _flight(chance, "early", 0.2)
    frames = [one.at for one in heard_by(flight, flight.mission.links[0])]
    touchdown = flight.at(_touchdown(flight.flights[0].profile))
    flying = [at for at in frames if STARTS_AT <= at < touchdown]
    last_good_at = chance.choice(flying[1:])
    cut_s = (last_good_at - STARTS_AT) / SECOND + 0.001
    scenario = replace(flight, silences=(Silence(after_s=cut_s, until_s=1e6),))
    return Generated(seed=seed, scenario=scenario, order=_order(chance), last_good_at=last_good_at)


def _touchdown(profile: Sequence[Segment]) -> float:
    return next(one.until_s for one in profile if one.phase == "terminal_descent")


def _order(chance: random.Random) -> Order:
    return chance.choice([one for one in get_args(Order) if one != "received"])


def _flight(chance: random.Random, name: str, most_lost: float) -> Scenario:
    period = chance.choice(PERIODS)
    mission = mission_of(chance.choice(("tm", "aos")), period)
    profile = _profile(chance)
    planned = PlannedFlight(
        number=72, starts_at=STARTS_AT, assigned_altitude_m=max(one.altitude_m for one in profile),
        planned_duration_s=_touchdown(profile),
    )  # fmt: skip
    mission = replace(mission, vehicles=(replace(mission.vehicles[0], flights=(planned,)),))
    return Scenario(
        name=name, title=name, row="", seed=chance.randrange(2**32), starts_at=STARTS_AT, mission=mission,
        mission_data={}, boot_count=chance.randrange(1, 60_000),
        flights=(Flight(from_s=-BEFORE_S, period_s=period, profile=profile),),
        # Strong enough everywhere: what is lost is what `losses` says.
        radio=Radio(transmit_dbm=60.0),
        losses=(Loss(from_s=-1e6, until_s=1e6, probability=chance.uniform(0.0, most_lost)),),
        sessions=(Session(from_s=-2 * BEFORE_S, until_s=profile[-1].until_s + 30.0),),
        counts=Counts(realtime=chance.randrange(256), idle=chance.randrange(256), master=chance.randrange(256)),
    )  # fmt: skip


def _profile(chance: random.Random) -> tuple[Segment, ...]:
    top = chance.uniform(3.0, 24.0)
    climb_s = top / chance.uniform(0.5, 3.0)
    hover_s, low = chance.uniform(0.0, 15.0) + 0.5, chance.uniform(0.3, 1.5)
    descent_s = (top - low) / chance.uniform(0.5, 2.0)
    touch_s = low / chance.uniform(0.3, 1.0)
    ends = [climb_s * 0.1, climb_s]
    for lasts in (hover_s, descent_s, touch_s, chance.uniform(5.0, 15.0)):
        ends.append(ends[-1] + lasts)
    heights = (top * 0.1, top, top, low, 0.0, 0.0)
    phases = ("takeoff", "climb", "hover", "descent", "terminal_descent", "landed")
    return tuple(
        Segment(phase=phase, until_s=round(until, 3), altitude_m=round(height, 3))
        for phase, until, height in zip(phases, ends, heights)
    )


def faults(flight: Generated) -> list[str]:
    """What was said wrongly of the flight, in the order in which it was received and in another; a line each."""
    orders: tuple[Order, Order] = ("received", flight.order)
    records = simulate(flight.scenario)
    name = f"{flight.scenario.name} {flight.seed} ({flight.scenario.mission.links[0].format}"
    return [f"{name}, {order}): {fault}" for order in orders for fault in _faults(flight, records, order)]


def _faults(flight: Generated, records: Sequence[Record], order: Order) -> Iterator[str]:
    analysis = analyze(arrange(records, order, str(flight.seed)), flight.scenario.mission)
    said = [one for one in analysis.revisions if one.type == "ended_before_landing"]
    others = {one.type for one in analysis.incidents if one.state != "retracted"} - {"ended_before_landing"}
    yield from (f"{one} raised" for one in sorted(others - {"link_degraded"}))
    if flight.last_good_at is None:
        # Before all frames are here another order may say what is not so, if it takes it back.
        wrong = said if order == "received" else [one for one in said[-1:] if one.state != "retracted"]
        yield from (f"false alert: {one.statement}" for one in wrong)
        return
    yield from _of_early_end(flight, order, said, flight.last_good_at)


def _of_early_end(flight: Generated, order: Order, said: list[Revision], last_good_at: int) -> Iterator[str]:
    timers, period = flight.scenario.mission.timers, flight.scenario.flights[0].period_s
    loss = round(max(timers.loss_periods * period, timers.loss_seconds) * SECOND)
    if not said:
        yield "missed"
        return
    if len({one.incident_id for one in said}) > 1 or said[-1].state != "open":
        yield f"{len({one.incident_id for one in said})} incidents, the last is {said[-1].state}; expected one, open"
    if said[-1].raised_at != last_good_at + loss:
        yield f"raised {(said[-1].raised_at - last_good_at) / SECOND} s after the last frame; expected {loss / SECOND}"
    if order == "received" and said[0].known_at - last_good_at > loss + LISTENING_INTERVAL:
        yield f"known {(said[0].known_at - last_good_at) / SECOND} s after the last frame; the limit is {loss / SECOND}"
