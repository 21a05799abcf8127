"""What is said of every shipped scenario stays what it was, revision by revision."""

import pytest

from pipeline.simulate.scenario import Order
from tests.scenarios.golden import cases, golden, said, title


@pytest.mark.parametrize("case", list(cases()), ids=title)
def test_what_is_said_of_a_scenario_stays_as_it_was_revision_by_revision(
    case: tuple[str, Order | None, int | None],
) -> None:
    assert said(case) == golden()[title(case)]
