"""The contact plan: when contact is meant to be, and where it is expected to fail. Knows which vehicles and links there
are; does not know what is done with the plan."""

from collections.abc import Iterable, Sequence

from pipeline.mission.model import ExpectedLoss, Mission, Plan, Window
from pipeline.mission.table import Table


def read_plan(table: Table, mission: Mission) -> Plan:
    """`windows`, `expected_losses` and `sleeps` of the table, each with `from` and `until`. `mission`: without its
    plan."""
    windows: list[Window] = []
    for one in table.tables("windows"):
        window = read_window(one)
        check_window(one, window, mission)
        _check_name(one, window.name, [other.name for other in windows])
        for other in overlapping(window, windows):
            one.fault("from", overlap(window, other))
        windows.append(window)
        one.close()
    losses: list[ExpectedLoss] = []
    for one in table.tables("expected_losses"):
        loss = read_expected_loss(one)
        check_vehicle(one, loss.vehicle, mission)
        _check_name(one, loss.name, [other.name for other in losses])
        losses.append(loss)
        one.close()
    sleeps: list[tuple[str, int, int]] = []
    for one in table.tables("sleeps"):
        vehicle = one.text("vehicle")
        check_vehicle(one, vehicle, mission)
        starts_at, ends_at = _interval(one)
        if any(other == vehicle and starts_at < until and since < ends_at for other, since, until in sleeps):
            one.fault("from", f"overlaps another sleep of {vehicle!r}")
        sleeps.append((vehicle, starts_at, ends_at))
        one.close()
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
        table.fault("vehicle", f"{vehicle!r} is no vehicle of this mission; it has {known or 'none'}")


def overlapping(window: Window, others: Iterable[Window]) -> list[Window]:
    """Those of the same vehicle and link that share time with it."""
    return [
        other
        for other in others
        if (other.vehicle, other.link) == (window.vehicle, window.link)
        and window.starts_at < other.ends_at
        and other.starts_at < window.ends_at
    ]


def overlap(window: Window, other: Window) -> str:
    """What is wrong with it, in words."""
    return f"window {window.name!r} overlaps window {other.name!r} of the same vehicle and link"


def _interval(table: Table) -> tuple[int, int]:
    starts_at, ends_at = table.moment("from"), table.moment("until")
    if table.has("from") and table.has("until") and ends_at <= starts_at:
        table.fault("until", "is not after `from`")
    return starts_at, ends_at


def _check_name(table: Table, name: str, others: Sequence[str]) -> None:
    if name in others:
        table.fault("name", f"{name!r} is used twice; an alert could not say which entry it means")
