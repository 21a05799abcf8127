"""ESRI ASCII grids: what is read, and what is said where one cannot be."""

import numpy as np
import pytest

from pipeline.errors import SightError
from pipeline.sight import ascii_grid
from pipeline.sight.ascii_grid import read_ascii_grid

GRID = """\
ncols 3
nrows 2
xllcorner 100
yllcorner 200
cellsize 10
NODATA_value -1
1 2 3
4 5 -1
"""


def read(text):
    return read_ascii_grid(text.splitlines(keepends=True), name="hill.asc")


def test_the_first_row_of_the_text_is_the_northmost():
    terrain = read(GRID)
    assert terrain.height(105, 215, "a point") == 1
    assert terrain.height(105, 205, "a point") == 4


def test_a_corner_lies_half_a_cell_outside_the_centre():
    by_centre = GRID.replace("xllcorner 100", "XLLCENTER 105").replace("yllcorner 200", "YllCenter 205")
    assert read(GRID).bounds == (100, 200, 130, 220)
    assert read(by_centre).bounds == (100, 200, 130, 220)


def test_keys_are_read_in_any_case_and_order_and_rows_may_be_broken_anywhere():
    text = "CELLSIZE 10\nNODATA_VALUE -1\nYLLCORNER 200\nXLLCORNER 100\nNROWS 2\nNCOLS 3\n\n1\n2 3 4\n\n5 -1"
    assert np.array_equal(read(text).heights, read(GRID).heights, equal_nan=True)


def test_without_nodata_value_minus_9999_is_no_data():
    text = GRID.replace("NODATA_value -1\n", "").replace("-1", "-9999")
    assert np.isnan(read(text).heights).sum() == 1


@pytest.mark.parametrize("sign", ["nan", "NaN", "-3.4028235e+38", "1e31"])
def test_any_number_can_stand_for_no_data(sign):
    assert np.isnan(read(GRID.replace("-1", sign)).heights).sum() == 1


def test_a_height_that_is_nan_is_no_data():
    assert np.isnan(read(GRID.replace("-1\n1 2", "-1\n1 nan")).heights).sum() == 2


FAULTS = {
    "ncols 3": {
        "ncols three": "hill.asc:1: ncols is 'three'; expected a number",
        "ncols 2.5": "hill.asc:1: ncols is 2.5; expected a whole number of at least 1",
        "ncols 0": "hill.asc:1: ncols is 0; expected a whole number of at least 1",
        "ncols": "hill.asc:1: expected one value after ncols, found 0",
        "columns 3": "hill.asc:1: 'columns' is no key of an ESRI ASCII grid",
        "ncols 99999999": "99999999 columns and 2 rows are 199,999,998 cells",
        "nrows 2": "hill.asc:2: nrows stands in line 1 already",
        "": "hill.asc: the header has no ncols",
        "xllcenter 1\nncols 3": "hill.asc:1: xllcenter stands beside xllcorner",
    },
    "cellsize 10": {
        "cellsize -1": "hill.asc:5: cellsize is -1; expected 0.001 to 100000 m",
        "cellsize 1e300": "hill.asc:5: cellsize is 1e+300; expected 0.001",
        "cellsize inf": "hill.asc:5: cellsize is 'inf'; expected a number",
        "dx 10\ndy 12": "hill.asc:5: 'dx' is no key of an ESRI ASCII grid with square cells",
    },
    "xllcorner 100": {"xllcorner 1e300": "hill.asc:3: xllcorner is 1e+300; expected metres up to 1e+08"},
    "4 5 -1": {
        "4 5": "hill.asc: 5 heights; ncols and nrows announce 6: the file is cut off",
        "4 5 6 7": "hill.asc:8: more than the 6 heights",
        "4 five 6": "hill.asc:8: 'five' is no height",
        "4 inf 6": "hill.asc:8: a height of inf m; if that stands for no data",
        "4 -3.4e38 6": "hill.asc:8: a height of -3.4e+38 m; if that stands for no data",
    },
}


@pytest.mark.parametrize(
    "there, instead, message",
    [(there, instead, message) for there, rows in FAULTS.items() for instead, message in rows.items()],
)
def test_a_fault_is_named_with_its_line(there, instead, message):
    with pytest.raises(SightError) as fault:
        read(GRID.replace(there, instead, 1))
    assert message in str(fault.value)
    assert "\n" not in str(fault.value)


def test_an_empty_text_and_one_that_is_no_grid_are_refused():
    for text in ("", "\0" * 100, "MCAP nonsense\n", "1 2 3\n"):
        with pytest.raises(SightError):
            read(text)


def test_a_line_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(ascii_grid, "LONGEST_LINE", 50)
    with pytest.raises(SightError, match=r"hill\.asc:7: a line of more than 50 characters"):
        read(GRID.replace("1 2 3\n", "1 " * 40 + "\n"))
