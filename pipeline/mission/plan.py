"""The contact plan: when contact is meant to be, and where it is expected to fail. Knows which vehicles and links there
are; does not know what is done with the plan."""

from collections.abc import Mapping, Sequence

from pipeline.mission.model import ExpectedLoss, Link, Plan, Window
from pipeline.mission.table import Table


def read_plan(table: Table, vehicles: Sequence[str], links: Mapping[str, Link]) -> Plan:
    """`windows`, `expected_losses` and `sleeps` of the table, each with `from` and `until`."""
    windows: list[Window] = []
    names: set[str] = set()
    for one in table.tables("windows"):
        vehicle, link = one.text("vehicle"), one.text("link")
        starts_at, ends_at = _interval(one)
        window = Window(name=_unique(one, names), vehicle=vehicle, link=link, starts_at=starts_at, ends_at=ends_at)
        _check_vehicle(one, vehicle, vehicles)
        if link not in links:
            one.fault("link", f"{link!r} is no link of this mission; it has {', '.join(links) or 'none'}")
        elif vehicle not in links[link].vehicles:
            one.fault("link", f"link {link!r} does not hear vehicle {vehicle!r}")
        for other in windows:
            if (
                (other.vehicle, other.link) == (vehicle, link)
                and starts_at < other.ends_at
                and other.starts_at < ends_at
            ):
                one.fault("from", f"window {window.name!r} overlaps window {other.name!r} of the same vehicle and link")
        windows.append(window)
        one.close()
    losses: list[ExpectedLoss] = []
    names = set()
    for one in table.tables("expected_losses"):
        vehicle = one.text("vehicle")
        _check_vehicle(one, vehicle, vehicles)
        starts_at, ends_at = _interval(one)
        losses.append(
            ExpectedLoss(
                name=_unique(one, names), vehicle=vehicle, starts_at=starts_at, ends_at=ends_at,
                reason=one.text("reason"), below_m=one.number("below_m", None),
            )
        )  # fmt: skip
        one.close()
    sleeps: list[tuple[str, int, int]] = []
    for one in table.tables("sleeps"):
        vehicle = one.text("vehicle")
        _check_vehicle(one, vehicle, vehicles)
        starts_at, ends_at = _interval(one)
        if any(other == vehicle and starts_at < until and since < ends_at for other, since, until in sleeps):
            one.fault("from", f"overlaps another sleep of {vehicle!r}")
        sleeps.append((vehicle, starts_at, ends_at))
        one.close()
    table.close()
    return Plan(windows=tuple(windows), expected_losses=tuple(losses), sleeps=tuple(sleeps))


def _interval(table: Table) -> tuple[int, int]:
    starts_at, ends_at = table.moment("from"), table.moment("until")
    if table.has("from") and table.has("until") and ends_at <= starts_at:
        table.fault("until", "is not after `from`")
    return starts_at, ends_at


def _unique(table: Table, names: set[str]) -> str:
    name = table.text("name")
    if name in names:
        table.fault("name", f"{name!r} is used twice; an alert could not say which entry it means")
    names.add(name)
    return name


def _check_vehicle(table: Table, vehicle: str, vehicles: Sequence[str]) -> None:
    if vehicle not in vehicles:
        table.fault("vehicle", f"{vehicle!r} is no vehicle of this mission; it has {', '.join(vehicles) or 'none'}")
