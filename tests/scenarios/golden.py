"""What is said of every shipped scenario, revision by revision, as it stands in `golden.json.xz`. After a change that
is meant: `python -m tests.scenarios.golden`, and the commit says what changed and why."""

import lzma
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.flow import run_through
from pipeline.records import Run
from pipeline.shells.files.intake import Intake
from pipeline.shells.files.resources import scenario_names
from pipeline.simulate.scenario import Order
from pipeline.simulate.simulation import simulate
from tests.build import scenario

GOLDEN: Final = Path(__file__).with_name("golden.json.xz")
GROUPINGS: Final = (1, 8, 300)
"""Frames a record, at most: in the base order."""
OTHER_ORDER: Final = "shuffled"
"""The one that takes back the most, with what its scenario says of grouping. What the others come to in the end
`test_scenarios` compares."""


def cases() -> Iterator[tuple[str, Order | None, int | None]]:
    """(scenario, order, frames a record)."""
    for name in scenario_names():
        yield from ((name, None, frames) for frames in GROUPINGS)
        if OTHER_ORDER in scenario(name).twins:
            yield name, OTHER_ORDER, None


def said(case: tuple[str, Order | None, int | None]) -> list[Any]:
    """The bodies of all revisions and of all ledger entries, in the order in which they were made."""
    name, order, frames = case
    told = scenario(name)
    if frames is not None:
        told = replace(told, receiver=replace(told.receiver, batch_frames=frames))
    records = Intake(told.mission).of(simulate(told, order=order))
    outputs = run_through(records, told.mission, Run(id="golden", origin="replay"))
    return [orjson.loads(orjson.dumps(one.body())) for one in outputs]


def title(case: tuple[str, Order | None, int | None]) -> str:
    name, order, frames = case
    return f"{name}, {order or 'base order'}, {frames or 'its own'} frames a record"


@cache
def golden() -> dict[str, list[Any]]:
    return orjson.loads(lzma.decompress(GOLDEN.read_bytes()))  # type: ignore[no-any-return]


def made_anew(work: Callable[..., Any] = said) -> dict[str, list[Any]]:
    all_cases = list(cases())
    with ProcessPoolExecutor() as pool:
        return dict(zip(map(title, all_cases), pool.map(work, all_cases), strict=True))


if __name__ == "__main__":
    whole = orjson.dumps(made_anew(), option=orjson.OPT_SORT_KEYS)
    GOLDEN.write_bytes(lzma.compress(whole, preset=9 | lzma.PRESET_EXTREME))
