"""What a number or a label means on a dashboard: its word and its colour, for every state that there is. Knows neither
panels nor queries.

The colours are those of Okabe and Ito, which people with any colour vision can tell apart; where something is wrong,
vermillion says so, and the word says it too.
"""

from typing import Final

from grafana_foundation_sdk.models.dashboard import (
    DashboardRangeMapOptions as Range,
)
from grafana_foundation_sdk.models.dashboard import (
    RangeMap,
    ValueMap,
    ValueMapping,
    ValueMappingResult,
)

BLACK: Final = "#000000"
ORANGE: Final = "#E69F00"
SKY_BLUE: Final = "#56B4E9"
BLUISH_GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILLION: Final = "#D55E00"
REDDISH_PURPLE: Final = "#CC79A7"
GREY: Final = "#999999"
OKABE_ITO: Final = (BLACK, ORANGE, SKY_BLUE, BLUISH_GREEN, YELLOW, BLUE, VERMILLION, REDDISH_PURPLE, GREY)

Words = dict[str, tuple[str, str]]
"""Value → its word and its colour."""

LINK_STATE: Final[Words] = {
    "0": ("no session", GREY),
    "1": ("listening, nothing heard", SKY_BLUE),
    "2": ("in contact", BLUISH_GREEN),
    "3": ("relay outage", VERMILLION),
}
CONTACT_WINDOW: Final[Words] = {"0": ("closed", GREY), "1": ("open", SKY_BLUE)}
FLIGHT_PHASE: Final[Words] = {
    "0": ("on_ground", GREY),
    "1": ("takeoff", YELLOW),
    "2": ("in_air", BLUE),
    "3": ("landing", REDDISH_PURPLE),
}
WORKER: Final[Words] = {
    "0": ("not reached", VERMILLION),
    "1": ("not ready", ORANGE),
    "2": ("ready", BLUISH_GREEN),
}
SEVERITY: Final[Words] = {
    "critical": ("critical", VERMILLION),
    "warning": ("warning", ORANGE),
    "notice": ("notice", SKY_BLUE),
    "info": ("info", GREY),
}
INCIDENT_STATE: Final[Words] = {
    "unacknowledged": ("not acknowledged", VERMILLION),
    "acknowledged": ("acknowledged", ORANGE),
    "shelved": ("shelved", SKY_BLUE),
    "suppressed_by_design": ("expected by the plan", GREY),
}
INCIDENT_TYPE: Final = {
    "ended_before_landing": "Communication ended before landing",
    "contact_not_acquired": "Contact not acquired in its window",
    "relay_outage": "The relay itself fell quiet",
    "link_degraded": "Half the frames due missing or bad",
    "bad_frame_burst": "Burst of bad frames",
    "data_silent": "Frames without telemetry",
    "source_stuck": "On-board time stands still",
    "vehicle_restart": "The vehicle restarted",
    "clock_step": "Step of the on-board clock",
    "early_landing": "Landed before its time",
    "unexpected_source": "A source that the mission does not expect",
    "recording_truncated": "The recording stops in flight",
}
"""What each type says and no more: never a cause."""

DISPOSITION: Final = {
    "good": BLUISH_GREEN,
    "idle": GREY,
    "duplicate": SKY_BLUE,
    "conflict": REDDISH_PURPLE,
    "bad": VERMILLION,
    "out_of_scope": ORANGE,
}
STAGE: Final = {"decode": SKY_BLUE, "command": ORANGE, "watch": BLUISH_GREEN}
TOPIC: Final = {"frames": SKY_BLUE, "commands": ORANGE, "telemetry": BLUISH_GREEN}
ORIGIN: Final = {"live": SKY_BLUE, "replay": ORANGE, "test": REDDISH_PURPLE}


def mapping(words: Words) -> ValueMapping:
    """Every value in its word and colour."""
    return ValueMap({value: _result(index, *word) for index, (value, word) in enumerate(words.items())})


def plain(words: dict[str, str]) -> ValueMapping:
    """Every value in its word."""
    return ValueMap({value: ValueMappingResult(text=word, index=at) for at, (value, word) in enumerate(words.items())})


def open_or_not() -> list[ValueMapping]:
    """A number of open incidents, as a state."""
    return [
        ValueMap({"0": _result(0, "none open", GREY)}),
        RangeMap(options=Range(from_val=1, to=1e9, result=_result(1, "open", VERMILLION))),
    ]


def _result(index: int, word: str, colour: str) -> ValueMappingResult:
    return ValueMappingResult(text=word, color=colour, index=index)
