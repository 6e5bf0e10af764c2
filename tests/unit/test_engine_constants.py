"""Constants that a person fitted: read from the table of `fit accelerator`, faults all at once."""

from __future__ import annotations

import csv

import pytest

from tree6g.compute.accelerator import CONSTANTS, accelerator
from tree6g.errors import DataError
from tree6g.scenario.engine_constants import fitted_accelerator


def _table(path, *rows):
    columns = ("accelerator", "engine", *CONSTANTS, "u95_frac")
    with path.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        for changes in rows:
            plain = dict.fromkeys(CONSTANTS, 0.5)
            writer.writerow(
                {"accelerator": "l4", "engine": "mine 1.0", **plain, "u95_frac": 0.2} | changes
            )
    return path


def test_constants_of_a_table_replace_the_packaged_ones(tmp_path):
    file = _table(tmp_path / "k.csv", {"static_w": 31.0})
    device = fitted_accelerator(file, "l4")
    assert (device.engine, device.static_w, device.u95_frac) == ("mine 1.0", 31.0, 0.2)
    assert device.tdp_w == accelerator("l4").tdp_w


def test_the_row_of_an_engine_is_found_by_its_name(tmp_path):
    file = _table(tmp_path / "k.csv", {}, {"engine": "other", "static_w": 40.0})
    assert fitted_accelerator(file, "l4", "other").static_w == 40.0
    with pytest.raises(DataError, match=r"constants of l4 with none.*l4 with mine 1\.0"):
        fitted_accelerator(file, "l4", "none")


def test_an_accelerator_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"constants of b200; .* has those of l4"):
        fitted_accelerator(_table(tmp_path / "k.csv", {}), "b200")


def test_all_faults_of_a_table_are_told_at_once(tmp_path):
    file = _table(
        tmp_path / "k.csv",
        {"static_w": "-3", "weight_efficiency_frac": "1.5"},
        {"engine": "other", "layer_s": "soon"},
    )
    with pytest.raises(DataError) as told:
        fitted_accelerator(file, "l4")
    for words in (
        "line 2: expected a number above 0 in static_w; got '-3'",
        "line 2: expected a number above 0 and at most 1 in weight_efficiency_frac; got '1.5'",
        "line 3: expected a number above 0 in layer_s; got 'soon'",
    ):
        assert words in str(told.value)


@pytest.mark.parametrize("text", ["", "accelerator,engine\nl4,mine\n"])
def test_a_file_of_another_form_is_refused(tmp_path, text):
    file = tmp_path / "k.csv"
    file.write_text(text)
    with pytest.raises(DataError, match="lacks the columns"):
        fitted_accelerator(file, "l4")


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        fitted_accelerator(tmp_path / "none.csv", "l4")
