"""The variables that the dashboards share, and the selectors that they fill in.

Queries join within a mission: links and vehicles of two may have the same name. They leave out the instance: while a
partition changes hands, two workers may name the same link or vehicle.
"""

from typing import Final

from deploy.grafana.source.board import choice, one_of

MISSION: Final = choice(
    "mission", "Mission", "label_values(relay_build_info, mission)",
    "The mission that the workers serve; Prometheus adds it to what it scrapes (deploy/prometheus/prometheus.yml).",
)  # fmt: skip
VEHICLE: Final = choice(
    "vehicle", "Vehicle", 'label_values(relay_frames_missing{mission=~"$mission"}, vehicle)',
    "Vehicles of the mission.",
)  # fmt: skip
LINK: Final = choice(
    "link", "Link", 'label_values(relay_link_state{mission=~"$mission"}, link)',
    "Links of the mission: one receiver's physical channel each.",
)  # fmt: skip
FLIGHT: Final = choice(
    "flight", "Flight", 'label_values(relay_flight_info{vehicle=~"$vehicle", origin=~"$origin"}, flight)',
    "Flights that were the newest of their vehicle at some time in the time range.",
)  # fmt: skip
ORIGIN: Final = one_of(
    "origin", "Origin", ("live", "replay", "test"), "Where the frames come from. Only live ones page anybody."
)


def of_link(metric: str, **labels: str) -> str:
    """A metric of the chosen links: `relay_link_state{mission=~"$mission", link=~"$link", origin=~"$origin"}`."""
    return _select(metric, ("mission", "link", "origin"), labels)


def of_vehicle(metric: str, **labels: str) -> str:
    """A metric of the chosen vehicles."""
    return _select(metric, ("mission", "vehicle", "origin"), labels)


def by_link(metric: str, **labels: str) -> str:
    """A gauge of each chosen link and origin, whichever worker has it."""
    return f"max by (mission, link, origin) ({of_link(metric, **labels)})"


def by_vehicle(metric: str, **labels: str) -> str:
    """A gauge of each chosen vehicle and origin, whichever worker has it."""
    return f"max by (mission, vehicle, origin) ({of_vehicle(metric, **labels)})"


def frames_a_second(**labels: str) -> str:
    """Of each chosen link and origin."""
    return f"sum by (mission, link, origin) (rate({of_link('relay_frames_total', **labels)}[$__rate_interval]))"


def known(query: str) -> str:
    """The values of a gauge that may be unknown. A worker then has no series; what is backfilled says NaN, which is no
    number for a panel to show."""
    return f"({query} > -Inf)"


def while_newest(metric: str) -> str:
    """A metric of the chosen vehicles while the chosen flight is their newest, with the flight's name as a label.

    The metrics of a vehicle have no label for its flight, so that they are few; `relay_flight_info` says which it is.
    """
    info = _select("relay_flight_info", ("mission", "vehicle", "flight", "origin"), {})
    newest = f"max by (mission, vehicle, flight, origin) ({info})"
    return f"{known(by_vehicle(metric))} * on (mission, vehicle, origin) group_right () {newest}"


def where_something_came(query: str) -> str:
    """Of a query by vehicle and origin the series of those origins from which any record has come: every vehicle has a
    series for every origin from the start."""
    watermark = f"max by (mission, origin) ({of_origin('relay_watermark_timestamp_seconds')})"
    return f"{query} and on (mission, origin) {watermark} > 0"


def of_links_heard(query: str) -> str:
    """Of a query by link and origin the series of those that ever had a record."""
    return f"{query} and on (mission, link, origin) {of_link('relay_watermark_timestamp_seconds')} > 0"


def of_origin(metric: str) -> str:
    """A metric that has an origin and neither link nor vehicle."""
    return _select(metric, ("mission", "origin"), {})


def of_mission(metric: str) -> str:
    """A metric of the chosen missions' workers."""
    return _select(metric, ("mission",), {})


def of_workers(metric: str) -> str:
    """A metric that every scraped process has: those of the worker's."""
    return _select(metric, ("mission",), {"job": "relaywatch"})


def _select(metric: str, variables: tuple[str, ...], labels: dict[str, str]) -> str:
    matchers = [f'{name}=~"${name}"' for name in variables] + [f'{name}="{value}"' for name, value in labels.items()]
    return f"{metric}{{{', '.join(matchers)}}}"
