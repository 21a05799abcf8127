"""The shipped example."""

from tests.build import root
from tests.sight import example


def test_the_shipped_terrain_is_what_its_formula_makes() -> None:
    assert (root() / "schemas" / "terrain" / "hill.asc").read_text() == example.text()
