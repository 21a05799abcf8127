"""The evidence of whole streams: cut into pieces, in any order, repeated, saved and restored, it is the same."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evidence.stored import dump, load, pack, unpack
from pipeline.evidence.summary import Evidence
from pipeline.flow import LinkState, decode
from pipeline.records import Origin
from pipeline.telemetry import Telemetry
from pipeline.verdicts import verdict
from pipeline.verdicts.picture import Picture
from tests.build import scenario, scenario_records

NAMES = ("flight-72", "fade-recovers", "relay-outage", "landed-two-frames", "two-paths")


def telemetry_of(name: str) -> list[Telemetry]:
    state = LinkState()
    return [
        one
        for offset, record in enumerate(scenario_records(name))
        for one in decode(state, record, Origin("relay.frames", 0, offset), scenario(name).mission)
    ]


STREAMS = {name: telemetry_of(name) for name in NAMES}


def empty(name: str) -> Evidence:
    mission = scenario(name).mission
    return Evidence(mission.vehicles[0], mission)


def evidence_of(name: str, pieces: Iterable[Telemetry]) -> Evidence:
    made = empty(name)
    for one in pieces:
        made.absorb(one)
    return made


def judged(name: str, evidence: Evidence) -> object:
    mission = scenario(name).mission
    return verdict(Picture(evidence, mission.vehicles[0], mission))


WHOLE = {name: evidence_of(name, STREAMS[name]) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8)
@given(seed=st.integers(0, 1_000_000))
def test_fragments_shuffled_regrouped_and_repeated_give_the_same_evidence_and_verdict(name: str, seed: int) -> None:
    chance = random.Random(seed)
    pieces = list(STREAMS[name])
    pieces += chance.sample(pieces, len(pieces) // 4)
    chance.shuffle(pieces)
    cuts = sorted(chance.sample(range(len(pieces)), 7))
    groups = [evidence_of(name, pieces[a:b]) for a, b in zip([0, *cuts], [*cuts, len(pieces)], strict=True)]
    chance.shuffle(groups)
    made = empty(name)
    for group in groups:
        made.merge(group)
    assert made.content() == WHOLE[name].content()
    assert judged(name, made) == judged(name, WHOLE[name])


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6)
@given(cut=st.floats(0, 1))
def test_any_two_halves_join_commutatively_and_idempotently(name: str, cut: float) -> None:
    place = round(cut * len(STREAMS[name]))
    parts = [evidence_of(name, STREAMS[name][:place]), evidence_of(name, STREAMS[name][place:])]
    results = []
    for order in ((0, 1), (1, 0), (0, 1, 0)):
        made = empty(name)
        for which in order:
            made.merge(parts[which])
        results.append(made.content())
    assert results[0] == results[1] == results[2] == WHOLE[name].content()


@pytest.mark.parametrize("name", NAMES)
def test_evidence_stored_in_chunks_and_loaded_is_the_same(name: str) -> None:
    made = empty(name)
    for chunk in sorted(WHOLE[name].changed, reverse=True):
        load(made, chunk, dump(WHOLE[name], chunk))
    assert made.content() == WHOLE[name].content()


@pytest.mark.parametrize("name", NAMES)
def test_evidence_that_is_read_changes_nothing_in_storage(name: str) -> None:
    made = empty(name)
    for chunk in WHOLE[name].changed:
        load(made, chunk, dump(WHOLE[name], chunk))
    assert made.changed == WHOLE[name].changed
    assert all(dump(made, chunk) == dump(WHOLE[name], chunk) for chunk in made.changed)


@given(value=st.recursive(st.none() | st.integers(-(2**53), 2**53) | st.text(max_size=400), st.lists, max_leaves=60))
def test_a_long_chunk_is_packed_and_comes_back_as_it_was(value: object) -> None:
    assert unpack(pack(value)) == value
