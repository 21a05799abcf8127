"""What is arranged of the evidence as it is asked for is what its maps hold."""

from pipeline.verdicts.picture import Picture, Session
from pipeline.verdicts.relay_outage import outages_of
from tests.build import scenario, scenario_records
from tests.evidence.test_stretches import empty
from tests.link import START, Receiver, Sender, decoded, mission


def test_a_session_without_listening_records_says_by_its_frames_how_far_was_listened() -> None:
    evidence, receiver = empty(), Receiver()
    heard, listened = decoded([receiver.frames(Sender().frames(range(5))), receiver.listened(0.0, 1.0)], mission())[1]
    evidence.absorb(heard)
    assert evidence.views.unreported == {(receiver.link, START)}
    evidence.absorb(listened)
    assert not evidence.views.unreported


def test_sessions_go_on_until_their_end_is_known_and_only_broken_ones_have_outages() -> None:
    told, evidence = scenario("relay-outage"), empty()
    vehicle, found = told.mission.vehicles[0], 0
    for one in decoded(scenario_records("relay-outage", "nearby"), told.mission)[1]:
        evidence.absorb(one)
        views, sessions = evidence.views, set(evidence.views.sessions)
        assert views.going_on == sessions - evidence.ended.values.keys() - evidence.stopped.values.keys()
        outages = {key for key in sessions if outages_of(Picture(evidence, vehicle, told.mission), Session(*key))}
        assert outages <= views.broken
        found += len(outages)
    assert found
    assert not evidence.views.going_on
