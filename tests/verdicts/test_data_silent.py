"""Frames come and carry no telemetry."""

from typing import Any

from tests.verdicts.flown import LANDED, episodes, flown, judged, kinds, only, planned


def idle(after: float, until: float) -> Any:
    return lambda at: {"idle": True} if after < at <= until else {}


def test_only_idle_data_for_3_s_in_flight_is_data_silence() -> None:
    incident = only(judged(flown(12.0, idle(5.0, 12.0))), "data_silent")
    assert (incident.severity, incident.state, incident.flight, incident.subject) == (
        "warning", "open", "72", "ingenuity",
    )  # fmt: skip
    assert episodes(incident) == [(8.0, None)]
    assert "Last telemetry at 2024-01-18 12:00:05.0 UTC" in incident.known[0]


def test_only_idle_data_for_less_than_3_s_is_nothing() -> None:
    assert kinds(judged(flown(12.0, idle(5.0, 7.9)))) == []


def test_idle_frames_on_the_ground_are_nothing() -> None:
    def change(at: float) -> dict[str, Any]:
        said = LANDED if at >= 10.0 else {}
        return said | {"idle": 10.2 < at <= 20.0}

    assert kinds(judged(flown(20.0, change), of=planned(7.0))) == []


def test_a_silence_in_between_is_no_time_in_which_frames_came() -> None:
    def change(at: float) -> dict[str, Any] | None:
        return None if 6.5 < at < 8.5 else {"idle": at > 5.0}

    assert episodes(only(judged(flown(14.0, change)), "data_silent")) == [(10.0, None)]


def test_telemetry_that_comes_again_ends_it_by_the_resume_rule() -> None:
    incident = only(judged(flown(14.0, idle(5.0, 9.9))), "data_silent")
    assert episodes(incident) == [(8.0, 11.0)]
    assert incident.close_reason == "resumed_in_flight"


def test_telemetry_that_comes_again_on_the_ground_ends_it_as_contact_restored() -> None:
    def change(at: float) -> dict[str, Any]:
        return {"idle": True} if 5.0 < at < 10.0 else LANDED if at >= 10.0 else {}

    analysis = judged(flown(14.0, change))
    incident = only(analysis, "data_silent")
    assert episodes(incident) == [(8.0, 11.0)]
    assert incident.close_reason == "contact_restored"


def test_a_second_data_silence_in_a_flight_is_an_episode_of_the_same_incident() -> None:
    def change(at: float) -> dict[str, Any]:
        return {"idle": 5.0 < at < 10.0 or 15.0 < at < 20.0}

    assert episodes(only(judged(flown(24.0, change)), "data_silent")) == [(8.0, 11.0), (18.0, 21.0)]


def test_a_loss_after_it_names_the_last_telemetry_and_leaves_it_open() -> None:
    analysis = judged(flown(12.0, idle(5.0, 12.0)), until=20.0)
    assert kinds(analysis) == ["data_silent", "ended_before_landing"]
    assert only(analysis, "data_silent").state == "open"
    loss = only(analysis, "ended_before_landing")
    assert episodes(loss) == [(15.0, None)]
    assert "Last telemetry at 2024-01-18 12:00:05.0 UTC; the frames after it carried only idle data." in loss.known


def test_idle_frames_after_a_loss_say_nothing_new_of_it() -> None:
    def change(at: float) -> dict[str, Any] | None:
        return None if 5.0 < at < 15.0 else {"idle": at > 10.0}

    analysis = judged(flown(25.0, change))
    assert kinds(analysis) == ["ended_before_landing"]
    assert only(analysis, "ended_before_landing").state == "open"
