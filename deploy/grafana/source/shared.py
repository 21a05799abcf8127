"""Panels that more than one dashboard has: incidents, contact windows, signal, and where the words are."""

from typing import Final

from deploy.grafana.source.choices import by_link, by_vehicle, known, of_vehicle, where_something_came
from deploy.grafana.source.furniture import words
from deploy.grafana.source.panels import TIME, lines, rows, timeline
from deploy.grafana.source.states import CONTACT_WINDOW, INCIDENT_TYPE, SEVERITY, mapping, open_or_not, plain

_RAISED: Final = f"max by (mission, vehicle, type, origin) ({of_vehicle('relay_incident_raised_timestamp_seconds')})"
_CLOSED: Final = f"max by (mission, vehicle, type, origin) ({of_vehicle('relay_incident_closed_timestamp_seconds')})"
_ACTIVE: Final = f"max by (mission, vehicle, type, severity, origin) ({of_vehicle('relay_incidents_active')})"

RAISED_AT: Final = f"{_RAISED} * 1000 > 0"
CLOSED_AT: Final = f"{_CLOSED} * 1000 > 0"
"""Event time, in milliseconds; nothing before the first."""

_MEANING: Final = {"Incident": plain(INCIDENT_TYPE)}

OPEN: Final = rows(
    "Open incidents",
    {
        "Raised (UTC)": (
            f"{_RAISED} * 1000 * on (mission, vehicle, type, origin) group_right () clamp_max({_ACTIVE} > 0, 1)"
        ),
    },
    {"severity": "Severity", "type": "Incident", "vehicle": "Vehicle", "mission": "Mission", "origin": "Origin"},
    "Open and not shelved, with the event time at which the newest of its type was raised.",
    units={"Raised (UTC)": TIME},
    mappings={**_MEANING, "Severity": mapping(SEVERITY)},
    coloured=["Severity"],
    sort="Raised (UTC)",
    absent="none open",
)

HISTORY: Final = rows(
    "History",
    {
        "Last raised (UTC)": RAISED_AT,
        "Last closed (UTC)": CLOSED_AT,
        "Opened in the time range": (
            f"round(sum by (mission, vehicle, type, origin)"
            f" (increase({of_vehicle('relay_incidents_opened_total')}[$__range])))"
            f" and on (mission, vehicle, type, origin) ({_RAISED} > 0)"
        ),
    },
    {"type": "Incident", "vehicle": "Vehicle", "mission": "Mission", "origin": "Origin"},
    "Every type that was ever raised: event time of the newest one, and how many opened while Prometheus looked in the"
    " time range. An incident that is open again has a time of closing before that of raising.",
    units={"Last raised (UTC)": TIME, "Last closed (UTC)": TIME},
    mappings=_MEANING,
    sort="Last raised (UTC)",
    absent="none",
)

OVER_TIME: Final = timeline(
    "Incidents over time",
    [(
        f"sum by (mission, vehicle, type, origin) ({_ACTIVE})"
        f" and on (mission, vehicle, type, origin) ({_RAISED} > 0)",
        "{{type}} · {{vehicle}} · {{origin}}",
    )],
    "From when to when relaywatch held an incident of each type open, on Prometheus's clock: when it was known. The"
    " event times stand in the tables.",
    mappings=open_or_not(),
    most=1,
)  # fmt: skip

_STATEMENT: Final = """\
Prometheus keeps numbers. The **statement** of an incident (what is known, what is inferred, what is not known) is
text, so it is not on this page, and no label carries a piece of it. It is whole in the alert:

- `relaywatch alerts --follow` while it happens (`--origin replay` for a replay);
- `relaywatch analyze FILE` for a recording;
- the topic `relay.alerts`, for programs.

What each type of incident means, what it does not mean and what to do next: `docs/runbook`.

No panel here says why communications ended: frames do not say.
"""


STATEMENT: Final = words("Statement", _STATEMENT, "Where to read what relaywatch says in words.")

WINDOWS: Final = timeline(
    "Contact windows",
    [(
        where_something_came(by_vehicle("relay_contact_window_open")),
        "{{vehicle}} · {{origin}}",
    )],
    "Whether the plan has a window open for the vehicle, by the relay's clock.",
    mappings=[mapping(CONTACT_WINDOW)],
    most=1,
)  # fmt: skip

SIGNAL: Final = lines(
    "Signal level",
    [(known(by_link("relay_signal_level_dbm")), "{{link}} · {{origin}}")],
    "As the receiver reports it. A gap: it reports none, or nothing is heard. What is enough depends on the radio.",
    unit="dBm",
    decimals=1,
    least=None,
)
