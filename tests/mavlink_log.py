"""MAVLink logs made of pymavlink's messages: what vehicles, companions and ground stations say, at chosen times."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import all as mavlink

from pipeline.mission.model import Mission
from pipeline.outputs import Revision
from pipeline.records import SECOND
from pipeline.shells.files.analyze import Analysis, analyze
from pipeline.shells.files.resources import read_mission
from pipeline.shells.files.tlog import read_tlog

START = 1_700_000_000 * SECOND
"""2023-11-14T22:13:20Z."""

Height = Callable[[float], float]
"""Seconds after the start → metres above where it armed."""


def profile(*points: tuple[float, float]) -> Height:
    """Straight lines between (seconds, metres); before and after them as at their ends."""

    def height(at: float) -> float:
        for (since, low), (until, high) in zip(points, points[1:], strict=False):
            if at <= since:
                return low
            if at < until:
                return low + (high - low) * (at - since) / (until - since)
        return points[-1][1]

    return height


FLOWN = profile((2, 0), (7, 10), (15, 10), (25, 0))
"""Up to 10 m, on to 15 s, down at 1 m/s, on the ground at 25 s."""


@dataclass
class Log:
    messages: list[tuple[float, int, int, Any]] = field(default_factory=list)
    """(seconds after the start, system, component, message)"""

    def say(self, at: float, message: Any, system: int = 1, component: int = 1) -> "Log":
        self.messages.append((at, system, component, message))
        return self

    def heartbeats(
        self, times: Iterable[float], system: int = 1, component: int = 1, *, armed: Callable[[float], bool] = bool,
        kind: int = mavlink.MAV_TYPE_QUADROTOR, autopilot: int = 3, mode: int = 0,
    ) -> "Log":  # fmt: skip
        for at in times:
            flags = mavlink.MAV_MODE_FLAG_SAFETY_ARMED if armed(at) else 0
            self.say(at, mavlink.MAVLink_heartbeat_message(kind, autopilot, flags, mode, 4, 3), system, component)
        return self

    def ground_station(self, times: Iterable[float]) -> "Log":
        return self.heartbeats(times, 255, 190, kind=mavlink.MAV_TYPE_GCS, autopilot=8, armed=lambda at: False)

    def positions(
        self, times: Iterable[float], height: Height, system: int = 1, component: int = 1, *, boot: float = 100.0
    ) -> "Log":
        """GLOBAL_POSITION_INT; `boot`: seconds since boot at the start."""
        for at in times:
            rate = (height(at + 0.1) - height(at - 0.1)) / 0.2
            message = mavlink.MAVLink_global_position_int_message(
                round((at + boot) * 1000), 471234567, 85432100, round(430_000 + height(at) * 1000),
                round(height(at) * 1000), 300, 0, round(-rate * 100), 0,
            )  # fmt: skip
            self.say(at, message, system, component)
        return self

    def landed_states(self, times: Iterable[float], state: Callable[[float], int], system: int = 1) -> "Log":
        for at in times:
            self.say(at, mavlink.MAVLink_extended_sys_state_message(0, state(at)), system)
        return self

    def write(self, folder: Path, name: str = "flight.tlog") -> Path:
        """In order of time."""
        senders: dict[tuple[int, int], Any] = {}
        octets = []
        for at, system, component, message in sorted(self.messages, key=lambda row: row[0]):
            sender = senders.setdefault(
                (system, component), mavlink.MAVLink(None, srcSystem=system, srcComponent=component)
            )
            time = START + round(at * SECOND)
            octets.append((time // 1_000).to_bytes(8, "big") + message.pack(sender))
            sender.seq = (sender.seq + 1) % 256
        path = folder / name
        path.write_bytes(b"".join(octets))
        return path


def every(period: float, until: float, since: float = 0.0) -> list[float]:
    """Instants from `since` on, before `until`."""
    return [round(since + number * period, 6) for number in range(ceil((until - since) / period - 1e-9))]


def flight(
    last_at: float = 18.0, system: int = 1, component: int = 1, *, height: Height = FLOWN, rate: float = 5.0,
    armed: Callable[[float], bool] = lambda at: 1.5 <= at < 26, log: Log | None = None, **beat: Any,
) -> Log:  # fmt: skip
    """What one autopilot says from the start to `last_at`."""
    log = Log() if log is None else log
    log.heartbeats(every(1.0, last_at, 0.3), system, component, armed=armed, **beat)
    return log.positions(every(1 / rate, last_at), height, system, component)


def judged(log: Log, folder: Path, mission: Mission | None = None) -> Analysis:
    mission = read_mission("mavlink") if mission is None else mission
    return analyze(read_tlog(log.write(folder), mission), mission)


def incidents(analysis: Analysis) -> list[tuple[str, str, str, str | None]]:
    """(type, subject, severity, close reason or None while it is open) of those that are not retracted."""
    return [(one.type, one.subject, one.severity, one.close_reason) for one in standing(analysis)]


def standing(analysis: Analysis) -> list[Revision]:
    return [one for one in analysis.incidents if one.state != "retracted"]


def flights(analysis: Analysis) -> list[tuple[str, str]]:
    """(vehicle, state) of every flight."""
    return sorted(
        (one.vehicle, one.facts["state"])
        for one in analysis.flights.values()
        if one.name and one.facts["state"] != "superseded"
    )
