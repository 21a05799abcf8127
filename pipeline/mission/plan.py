"""The contact plan: when contact is meant to be, and where it is expected to fail. Knows which vehicles and links there
are; does not know what is done with the plan."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

from pipeline.mission.model import ExpectedLoss, Mission, Plan, Window
from pipeline.mission.table import Table

MAX_ENTRIES: Final = 2_000
"""Of each kind, in the mission and with people's changes: a pass of an orbiter every five hours, for a year."""


def read_plan(table: Table, mission: Mission) -> Plan:
    """`windows`, `expected_losses` and `sleeps` of the table, each with `from` and `until`. `mission`: without its
    plan."""
    windows: list[Window] = []
    window_tables = table.tables("windows", most=MAX_ENTRIES)
    for one in window_tables:
        window = read_window(one)
        check_window(one, window, mission)
        windows.append(window)
        one.close()
    _check_names(window_tables, [window.name for window in windows])
    of_links: dict[tuple[str, str], list[int]] = {}
    for place, window in enumerate(windows):
        of_links.setdefault((window.vehicle, window.link), []).append(place)
    for places in of_links.values():
        for later, before in overlaps([(windows[place].starts_at, windows[place].ends_at) for place in places]):
            window_tables[places[later]].fault("from", overlap(windows[places[later]], windows[places[before]]))
    losses: list[ExpectedLoss] = []
    loss_tables = table.tables("expected_losses", most=MAX_ENTRIES)
    for one in loss_tables:
        loss = read_expected_loss(one)
        check_vehicle(one, loss.vehicle, mission)
        losses.append(loss)
        one.close()
    _check_names(loss_tables, [loss.name for loss in losses])
    sleeps: list[tuple[str, int, int]] = []
    sleep_tables = table.tables("sleeps", most=MAX_ENTRIES)
    of_vehicles: dict[str, list[int]] = {}
    for place, one in enumerate(sleep_tables):
        vehicle = one.text("vehicle")
        check_vehicle(one, vehicle, mission)
        sleeps.append((vehicle, *_interval(one)))
        of_vehicles.setdefault(vehicle, []).append(place)
        one.close()
    for vehicle, places in of_vehicles.items():
        for later, _ in overlaps([sleeps[place][1:] for place in places]):
            sleep_tables[places[later]].fault("from", f"overlaps another sleep of {vehicle!r}")
    table.close()
    return Plan(windows=tuple(windows), expected_losses=tuple(losses), sleeps=tuple(sleeps))


def read_window(table: Table) -> Window:
    """One window. The table may say more; whoever reads it closes it."""
    starts_at, ends_at = _interval(table)
    return Window(
        name=table.text("name"), vehicle=table.text("vehicle"), link=table.text("link"), starts_at=starts_at,
        ends_at=ends_at,
    )  # fmt: skip


def check_window(table: Table, window: Window, mission: Mission) -> None:
    """Whether there is such a vehicle, and a link that hears it."""
    check_vehicle(table, window.vehicle, mission)
    if mission.link(window.link) is None:
        known = ", ".join(link.name for link in mission.links)
        table.fault("link", f"{window.link!r} is no link of this mission; it has {known or 'none'}")
    elif all(link.name != window.link for link in mission.links_of(window.vehicle)):
        table.fault("link", f"link {window.link!r} does not hear vehicle {window.vehicle!r}")


def read_expected_loss(table: Table) -> ExpectedLoss:
    """One expected loss, as `read_window` reads a window."""
    starts_at, ends_at = _interval(table)
    return ExpectedLoss(
        name=table.text("name"), vehicle=table.text("vehicle"), starts_at=starts_at, ends_at=ends_at,
        reason=table.text("reason"), below_m=table.number("below_m", None),
    )  # fmt: skip


def check_vehicle(table: Table, vehicle: str, mission: Mission) -> None:
    """A MAVLink system of which nothing has been heard yet is a vehicle too, where the mission takes any system."""
    if mission.entry_of(vehicle) is None:
        known = ", ".join(one.name for one in mission.vehicles)
        table.fault("vehicle", f"{vehicle!r:.80} is no vehicle of this mission; it has {known or 'none'}")


def overlaps(intervals: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """(place of an interval, place of an earlier one that shares time with it): each that overlaps another is in one
    pair at least, and there are no more pairs than intervals."""
    last = -1
    for place in sorted(range(len(intervals)), key=lambda one: (intervals[one], one)):
        if last >= 0 and intervals[place][0] < intervals[last][1]:
            yield max(place, last), min(place, last)
        if last < 0 or intervals[place][1] > intervals[last][1]:
            last = place


class Calendar:
    """Windows of one vehicle and link that share no time, by their start."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.windows: list[Window] = []

    def overlapped(self, window: Window) -> Window | None:
        """The first that shares time with it, itself aside."""
        place = max(bisect_left(self.starts, window.starts_at) - 1, 0)
        for other in self.windows[place:]:
            if other.starts_at >= window.ends_at:
                return None
            if other.ends_at > window.starts_at and other.name != window.name:
                return other
        return None

    def add(self, window: Window) -> None:
        place = bisect_left(self.starts, window.starts_at)
        self.starts.insert(place, window.starts_at)
        self.windows.insert(place, window)

    def remove(self, window: Window) -> None:
        place = bisect_left(self.starts, window.starts_at)
        del self.starts[place], self.windows[place]


def overlap(window: Window, other: Window) -> str:
    """What is wrong with it, in words."""
    return f"window {window.name!r} overlaps window {other.name!r} of the same vehicle and link"


def _interval(table: Table) -> tuple[int, int]:
    starts_at, ends_at = table.moment("from"), table.moment("until")
    if table.has("from") and table.has("until") and ends_at <= starts_at:
        table.fault("until", "is not after `from`")
    return starts_at, ends_at


def _check_names(tables: Sequence[Table], names: Sequence[str]) -> None:
    used: set[str] = set()
    for table, name in zip(tables, names, strict=True):
        if name in used:
            table.fault("name", f"{name!r:.60} is used twice; an alert could not say which entry it means")
        used.add(name)
