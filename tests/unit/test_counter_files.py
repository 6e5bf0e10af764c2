"""Folders of counters: what is read, what is refused, what is left out and said."""

from __future__ import annotations

import numpy as np
import pytest

from counter_folders import tables, write
from tree6g.calibrate.counter_files import read_counters
from tree6g.errors import DataError


@pytest.fixture
def columns():
    return tables(np.random.default_rng(1), stations=2, hours=4)


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_both_forms_hold_the_same_counters(tmp_path, columns, form):
    read = read_counters(write(tmp_path, columns, form=form))
    assert read.info["BS"].tolist() == ["S_0", "S_1"]
    assert np.diff(read.load["time_s"][:4]).tolist() == [3600, 3600, 3600]
    assert read.energy["Energy"] == pytest.approx(columns["bs_energy_hourly"]["Energy"])
    assert read.modes == ("ESMode1",)
    assert read.problems == ()


def test_all_faults_of_a_folder_are_told_at_once(tmp_path, columns):
    del columns["bs_info"]["RUType"], columns["bs_energy_hourly"]["Energy"]
    columns["bs_load_hourly"]["load"][0] = 43.0
    with pytest.raises(DataError) as raised:
        read_counters(write(tmp_path, columns))
    said = str(raised.value).splitlines()
    assert len(said) == 3
    assert "RUType" in said[0]
    assert "Energy" in said[1]
    assert "got 43" in said[2]
    assert "not per cent" in said[2]


def test_absent_folder_and_absent_files_are_told(tmp_path):
    with pytest.raises(DataError, match="expected a folder"):
        read_counters(tmp_path / "nowhere")
    with pytest.raises(DataError) as raised:
        read_counters(tmp_path)
    assert len(str(raised.value).splitlines()) == 3


def test_words_in_a_column_of_numbers_are_refused(tmp_path, columns):
    columns["bs_info"]["Bandwidth"] = ["20 MHz", "10 MHz"]
    with pytest.raises(DataError, match="expected numbers in column Bandwidth"):
        read_counters(write(tmp_path, columns))


def test_file_that_is_no_table_is_refused(tmp_path, columns):
    write(tmp_path, columns)
    (tmp_path / "bs_load_hourly.parquet").write_bytes(b"not a table")
    with pytest.raises(DataError, match="cannot be read"):
        read_counters(tmp_path)


@pytest.mark.parametrize(
    ("stem", "column", "value"),
    [("bs_energy_hourly", "Energy", -3.0), ("bs_load_hourly", "load", None)],
)
def test_table_without_one_row_of_use_is_refused(tmp_path, columns, stem, column, value):
    columns[stem][column] = [value] * len(columns[stem][column])
    with pytest.raises(DataError, match=f"no row of {stem} can be used"):
        read_counters(write(tmp_path, columns))


def test_time_that_is_none_is_quoted_and_not_a_good_one(tmp_path, columns):
    times = [f"2023-01-01 0{i % 4}:00:00.000000000" for i in range(8)]
    columns["bs_energy_hourly"]["Time"] = [*times[:-1], "yesterday"]
    with pytest.raises(DataError, match="'yesterday'"):
        read_counters(write(tmp_path, columns, form="csv"))


def test_rows_that_cannot_be_used_are_left_out_and_said(tmp_path, columns):
    columns["bs_energy_hourly"]["Energy"][:2] = [0.0, None]
    for values in columns["bs_load_hourly"].values():
        values.append(values[0])
    read = read_counters(write(tmp_path, columns))
    assert len(read.energy["Energy"]) == 6
    assert len(read.load["load"]) == 8
    assert read.problems == (
        "left out of bs_load_hourly, rows that repeat a cell and time: 1",
        "left out of bs_energy_hourly, rows without an energy above 0: 2",
    )
