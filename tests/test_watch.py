"""watch: cut anywhere, saved and restored, or given a record again, it says the same, revision for revision."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.outputs import Output, Revision
from pipeline.records import Run
from pipeline.telemetry import Telemetry
from pipeline.watch import VehicleState, watch
from tests.build import scenario
from tests.evidence.test_whole import STREAMS

RUN = Run(id="test", origin="test")
NAMES = ("flight-72", "fade-recovers", "relay-outage")


def said(name: str, stream: list[Telemetry], state: VehicleState | None = None) -> list[Output]:
    state = state or VehicleState()
    return [output for one in stream for output in watch(state, one, scenario(name).mission, RUN)]


SAID = {name: said(name, STREAMS[name]) for name in NAMES}


def restored(chunks: dict[str, object]) -> VehicleState:
    """As it comes back from storage: JSON, and nothing else."""
    return VehicleState.restore(orjson.loads(orjson.dumps(chunks)))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=4)
@given(cuts=st.lists(st.floats(0, 1), min_size=1, max_size=3))
def test_a_state_saved_and_restored_anywhere_goes_on_octet_for_octet(name: str, cuts: list[float]) -> None:
    stream, found, chunks, state, start = STREAMS[name], [], {}, VehicleState(), 0
    for cut in [*sorted(cuts), 1.0]:
        end = round(cut * len(stream))
        found += said(name, stream[start:end], state)
        chunks |= state.take_changes()
        state, start = restored(chunks), end
    assert [one.encode() for one in found] == [one.encode() for one in SAID[name]]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_that_comes_again_with_its_origin_changes_nothing(name: str) -> None:
    twice = [one for telemetry in STREAMS[name] for one in (telemetry, telemetry)]
    assert said(name, twice) == SAID[name]
    state = VehicleState()
    said(name, STREAMS[name], state)
    state.take_changes()
    assert said(name, STREAMS[name], state) == []
    assert state.take_changes() == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_revision_of_an_incident_has_the_next_number_and_its_own_id(name: str) -> None:
    seen: dict[str, int] = {}
    for output in SAID[name]:
        if isinstance(output, Revision):
            assert output.revision == seen.get(output.incident_id, 0) + 1
            seen[output.incident_id] = output.revision
            assert output.kind == ("initial" if output.revision == 1 else output.kind)
    assert seen


def test_a_chunk_that_did_not_change_is_not_stored_again() -> None:
    state, stored = VehicleState(), []
    for one in STREAMS["flight-72"]:
        watch(state, one, scenario("flight-72").mission, RUN)
        stored.append(set(state.take_changes()))
    assert max(len(chunks) for chunks in stored) <= 12
    assert all("" in chunks for chunks in stored)


def test_no_chunk_of_state_reaches_64_kib() -> None:
    state = VehicleState()
    for one in STREAMS["flight-72"]:
        watch(state, one, scenario("flight-72").mission, RUN)
        assert all(len(orjson.dumps(value)) < 64 << 10 for value in state.take_changes().values())
