"""Bad frames on a link, by the tenth of a second."""

from tests.link import Frame
from tests.verdicts.flown import NOISE, episodes, flown, judged, kinds, only


def noise(*times: float) -> list[Frame]:
    return [(at, NOISE) for at in times]


def every(since: float, until: float, period: float) -> list[Frame]:
    return noise(*(since + number * period for number in range(round((until - since) / period))))


def test_five_bad_frames_in_1_s_and_half_of_all_are_a_burst_and_over_after_5_s() -> None:
    incident = only(judged(flown(20.0) + every(6.0, 7.0, 0.1)), "bad_frame_burst")
    assert (incident.severity, incident.state, incident.close_reason) == ("warning", "closed", "burst_over")
    assert (incident.subject, incident.vehicle, incident.flight) == ("rover-a", "", "")
    assert episodes(incident) == [(7.0, 12.0)]


def test_four_bad_frames_are_no_burst() -> None:
    assert kinds(judged(noise(6.0, 6.1, 6.2, 6.3), until=20.0)) == []
    assert kinds(judged(noise(6.0, 6.1, 6.2, 6.3, 6.4), until=20.0)) == ["bad_frame_burst"]


def test_five_bad_frames_among_more_good_ones_are_no_burst() -> None:
    assert kinds(judged(flown(20.0) + every(6.05, 6.55, 0.1))) == []


def test_bad_frames_that_come_less_often_are_no_burst() -> None:
    assert kinds(judged(every(6.0, 30.0, 0.25), until=40.0)) == []


def test_bursts_less_than_5_s_apart_are_one_and_further_apart_two_episodes() -> None:
    near = judged(every(6.0, 7.0, 0.1) + every(11.0, 12.0, 0.1), until=30.0)
    assert episodes(only(near, "bad_frame_burst")) == [(6.5, 17.0)]
    far = judged(every(6.0, 7.0, 0.1) + every(13.0, 14.0, 0.1), until=30.0)
    assert episodes(only(far, "bad_frame_burst")) == [(6.5, 12.0), (13.5, 19.0)]


def test_a_burst_that_goes_on_is_open() -> None:
    assert episodes(only(judged(every(6.0, 10.0, 0.1), until=12.0), "bad_frame_burst")) == [(6.5, None)]


def test_a_burst_without_anything_good_is_a_signal_that_cannot_be_decoded() -> None:
    frames = flown(20.0, lambda at: None if 6.0 < at < 12.0 else {}) + every(6.1, 12.0, 0.1)
    analysis = judged(frames)
    loss = only(analysis, "ended_before_landing")
    assert (loss.severity, loss.close_reason) == ("warning", "resumed_in_flight")
    assert "A signal was present in that time, and could not be decoded." in loss.known
