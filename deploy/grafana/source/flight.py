"""Flight: one vehicle and flight, from what it reported to the moment it was no longer heard."""

from typing import Final

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.choices import (
    FLIGHT,
    LINK,
    MISSION,
    ORIGIN,
    VEHICLE,
    by_vehicle,
    of_link,
    where_something_came,
    while_newest,
)
from deploy.grafana.source.furniture import mark
from deploy.grafana.source.panels import FRAMES, TIME, lines, stat_panel, timeline
from deploy.grafana.source.shared import CLOSED_AT, HISTORY, OVER_TIME, RAISED_AT, SIGNAL, STATEMENT, WINDOWS
from deploy.grafana.source.states import (
    BLUISH_GREEN,
    DISPOSITION,
    FLIGHT_PHASE,
    ORANGE,
    VERMILLION,
    mapping,
)

_NAMED: Final = "{{vehicle}} · flight {{flight}} · {{origin}}"

_NOW: Final = Row(
    title="Now",
    height=4,
    panels=[
        (4, stat_panel(
            "Phase now",
            (while_newest("relay_flight_phase"), _NAMED),
            "Phase that the vehicle reports, in MAVLink's words.",
            most=3, words=FLIGHT_PHASE, absent="not known",
        )),
        (4, stat_panel(
            "Altitude now",
            (while_newest("relay_altitude_meters"), _NAMED),
            "Last reported altitude above the place of take-off, while it is known.",
            unit="lengthm", decimals=1, least=None, absent="not known",
        )),
        (4, stat_panel(
            "Highest in the time range",
            (f"max_over_time(({while_newest('relay_altitude_meters')})[$__range:])", _NAMED),
            "Highest altitude that was scraped. Between two scrapes it may have been higher: `relaywatch analyze` has"
            " every frame.",
            unit="lengthm", decimals=1, least=None, absent="not known",
        )),
        (4, stat_panel(
            "Last good frame (UTC)",
            (f"{by_vehicle('relay_last_frame_timestamp_seconds')} * 1000 > 0",
             "{{vehicle}} · {{origin}}"),
            "Relay receive time of the vehicle's last good frame of a real-time channel.",
            unit=TIME, absent="none yet",
        )),
        (4, stat_panel(
            "Silence on the relay's clock",
            (
                f"max by (mission, origin) ({of_link('relay_watermark_timestamp_seconds')})"
                f" - on (mission, origin) group_right () ({by_vehicle('relay_last_frame_timestamp_seconds')} > 0)",
                "{{vehicle}} · {{origin}}",
            ),
            "From the last good frame to the time up to which the chosen links have listened. Not the age of the data"
            " in a replay.",
            unit="s", decimals=1, steps=[(3, ORANGE)], base=BLUISH_GREEN, absent="not known",
        )),
        (4, stat_panel(
            "Frames missing",
            (where_something_came(by_vehicle("relay_frames_missing")), "{{vehicle}} · {{origin}}"),
            "Real-time frames of the vehicle, of all its flights, that were sent and not received. Late data make it"
            " less.",
            steps=[(1, ORANGE)], base=BLUISH_GREEN, absent="no worker",
        )),
    ],
)  # fmt: skip

_PROFILE: Final = Row(
    title="The flight",
    height=10,
    panels=[
        (24, lines(
            "Altitude",
            [(while_newest("relay_altitude_meters"), _NAMED)],
            "Above the place of take-off, as reported. A gap: no frame came for a while, so it is not known; no line is"
            " drawn across it. The marks are the event times of incidents. The time axis is Prometheus's clock: a"
            " replay shows when it was replayed and its marks lie at the flight's own date.",
            unit="lengthm", decimals=1, least=None,
        )),
    ],
)  # fmt: skip

_STATES: Final = Row(
    title="Beside it",
    height=5,
    panels=[
        (24, timeline(
            "Flight phase",
            [(while_newest("relay_flight_phase"), _NAMED)],
            "No bar: the phase is not known, or no flight is open.",
            mappings=[mapping(FLIGHT_PHASE)], most=3,
        )),
        (24, WINDOWS),
        (24, OVER_TIME),
    ],
)  # fmt: skip

_FRAMES: Final = Row(
    title="Frames and signal",
    height=8,
    panels=[
        (8, lines(
            "Frames by disposition",
            [(f"sum by (disposition) (rate({of_link('relay_frames_total')}[$__rate_interval]))", "{{disposition}}")],
            "Every frame of the chosen links has one disposition. A link may carry other vehicles too.",
            unit=FRAMES, decimals=1, colours=DISPOSITION, stacked=True,
        )),
        (8, lines(
            "Received and missing",
            [
                (f"sum({by_vehicle('relay_frames_expected')}) - sum({by_vehicle('relay_frames_missing')})", "received"),
                (f"sum({by_vehicle('relay_frames_missing')})", "missing"),
                (f"sum({by_vehicle('relay_frame_gaps')})", "gaps"),
            ],
            "Real-time frames of the vehicle: received, missing, and places at which some are missing. What was sent"
            " after the last received frame is unknown and in none of them.",
            unit="none", decimals=0, colours={"received": BLUISH_GREEN, "missing": VERMILLION, "gaps": ORANGE},
        )),
        (8, SIGNAL),
    ],
)  # fmt: skip

_SAID: Final = Row(title="What was said", height=8, panels=[(15, HISTORY), (9, STATEMENT)])

BOARD: Final = Board(
    uid="relaywatch-flight",
    title="Flight",
    description="One vehicle and flight. All times are UTC.",
    variables=[MISSION, VEHICLE, FLIGHT, LINK, ORIGIN],
    rows=[_NOW, _PROFILE, _STATES, _FRAMES, _SAID],
    marks=[
        mark("Raised", RAISED_AT, VERMILLION, title="{{type}} raised", text="{{vehicle}}, {{origin}}"),
        mark("Closed", CLOSED_AT, BLUISH_GREEN, title="{{type}} closed", text="{{vehicle}}, {{origin}}"),
    ],
)
