"""Links and alerts, the home dashboard: is something open, does every link deliver, what has happened?"""

from typing import Final

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.choices import (
    LINK,
    MISSION,
    ORIGIN,
    VEHICLE,
    by_link,
    by_vehicle,
    frames_a_second,
    known,
    of_links_heard,
    of_vehicle,
)
from deploy.grafana.source.furniture import alert_list
from deploy.grafana.source.panels import lines, stat_panel, timeline
from deploy.grafana.source.shared import HISTORY, OPEN, OVER_TIME, SIGNAL, STATEMENT, WINDOWS
from deploy.grafana.source.states import (
    BLUISH_GREEN,
    FLIGHT_PHASE,
    LINK_STATE,
    ORANGE,
    VERMILLION,
    mapping,
)


def _open(severity: str) -> str:
    return f"sum(max by (mission, vehicle, type, origin) ({of_vehicle('relay_incidents_active', severity=severity)}))"


_STATS: Final = Row(
    title="Now",
    height=4,
    panels=[
        (4, stat_panel(
            "Open, critical",
            (_open("critical"), "critical"),
            "Incidents of severity critical that are open and not shelved.",
            steps=[(1, VERMILLION)], base=BLUISH_GREEN, absent="no worker",
        )),
        (4, stat_panel(
            "Open, warning",
            (_open("warning"), "warning"),
            "Incidents of severity warning that are open and not shelved.",
            steps=[(1, ORANGE)], base=BLUISH_GREEN, absent="no worker",
        )),
        (4, stat_panel(
            "Waiting for a person",
            (f"sum({by_vehicle('relay_incidents_by_state', state='unacknowledged')})", "unacknowledged"),
            "Open incidents that nobody has acknowledged (`relaywatch ack`).",
            steps=[(1, ORANGE)], base=BLUISH_GREEN, absent="no worker",
        )),
        (4, stat_panel(
            "Links in contact",
            (f"sum({by_link('relay_link_in_contact')})", "in contact"),
            "Links whose newest record says that something was heard. None is normal outside a contact.",
            base=BLUISH_GREEN, absent="no worker",
        )),
        (4, stat_panel(
            "Relays in outage",
            (f"count({by_link('relay_link_state')} == 3) or vector(0)", "outage"),
            "Links whose relay itself is quiet: nothing is known of their vehicles meanwhile.",
            steps=[(1, VERMILLION)], base=BLUISH_GREEN,
        )),
        (4, stat_panel(
            "Frames missing",
            (f"sum({by_vehicle('relay_frames_missing')})", "missing"),
            "Real-time frames that were sent and not received. Late data make it less.",
            steps=[(1, ORANGE)], base=BLUISH_GREEN, absent="no worker",
        )),
    ],
)  # fmt: skip

_STATES: Final = Row(
    title="What every link and vehicle was doing",
    height=5,
    panels=[
        (24, timeline(
            "Links",
            [(of_links_heard(by_link("relay_link_state")), "{{link}} · {{origin}}")],
            "State of each link that had a record. No bar: no worker was scraped.",
            mappings=[mapping(LINK_STATE)], most=3,
        )),
        (24, WINDOWS),
        (24, timeline(
            "Flight phase",
            [(known(by_vehicle("relay_flight_phase")), "{{vehicle}} · {{origin}}")],
            "Phase that the vehicle reports, in MAVLink's words. No bar: unknown, or no flight is open.",
            mappings=[mapping(FLIGHT_PHASE)], most=3,
        )),
        (24, OVER_TIME),
    ],
)  # fmt: skip

_QUALITY: Final = Row(
    title="Loss and signal",
    height=8,
    panels=[
        (8, lines(
            "Frames missing, share",
            [(
                f"{by_vehicle('relay_frames_missing')} / ({by_vehicle('relay_frames_expected')} > 0)",
                "{{vehicle}} · {{origin}}",
            )],
            "Missing of those expected (received and missing), over the vehicle's flights. A line ends where nothing"
            " is expected. Dashed: 5 %, below which nothing is said; 50 %, link_degraded when it lasts.",
            unit="percentunit", decimals=1, most=1, steps=[(0.05, ORANGE), (0.5, VERMILLION)],
        )),
        (8, lines(
            "Bad frames, share",
            [(f"{frames_a_second(disposition='bad')} / ({frames_a_second()} > 0)", "{{link}} · {{origin}}")],
            "Frames that failed a check, of all that came. A gap: none came. Dashed: 50 %, where a burst of at least"
            " five in a second is bad_frame_burst.",
            unit="percentunit", decimals=1, most=1, steps=[(0.5, VERMILLION)],
        )),
        (8, SIGNAL),
    ],
)  # fmt: skip

_OPEN: Final = Row(
    title="What is open",
    height=7,
    panels=[
        (15, OPEN),
        (9, alert_list(
            "Alerts in Prometheus",
            "What the rules say now, whatever the time range and the choices above: also of workers, lag and the"
            " watermark. A rule goes on for an hour after its incident; the tables show at once that it is over.",
        )),
    ],
)  # fmt: skip

_HISTORY: Final = Row(title="What has happened", height=8, panels=[(15, HISTORY), (9, STATEMENT)])

BOARD: Final = Board(
    uid="relaywatch-links",
    title="Links and alerts",
    description="Is something open, does every link deliver, what has happened? All times are UTC.",
    variables=[MISSION, VEHICLE, LINK, ORIGIN],
    rows=[_STATS, _OPEN, _STATES, _QUALITY, _HISTORY],
)
