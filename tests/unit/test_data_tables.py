"""Packaged tables: every row says where it comes from and what it is worth as evidence."""

from __future__ import annotations

import csv
import dataclasses
from importlib import resources

import pytest
from typer.testing import CliRunner

from tree6g import data, units
from tree6g.cli import app
from tree6g.errors import DataError
from tree6g.ledger import schema
from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.metric.profile import MEDIAN_INPUT_PRICE


def _rows(name):
    text = resources.files("tree6g.data").joinpath("tables", f"{name}.csv").read_text("utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))


def test_every_table_file_is_a_declared_table():
    files = resources.files("tree6g.data").joinpath("tables").iterdir()
    assert sorted(f.name for f in files) == sorted(f"{name}.csv" for name in data.TABLES)


@pytest.mark.parametrize("name", data.TABLES)
def test_every_row_has_source_licence_and_status(name):
    rows = _rows(name)
    assert rows
    for row in rows:
        assert None not in row, f"more cells than columns: {row}"
        assert None not in row.values(), f"fewer cells than columns: {row}"
        assert row["source"].strip(), row
        assert row["licence"].strip(), row
        assert row["status"] in data.STATUSES, row


@pytest.mark.parametrize("name", data.TABLES)
def test_no_key_occurs_twice(name):
    rows = _rows(name)
    keys = [next(iter(row.values())) for row in rows]
    assert len(set(keys)) == len(keys) == len(data.table(name))
    assert all(key.strip() == key and key for key in keys)


def test_the_glossary_holds_every_word_of_the_ledger_and_every_figure():
    known = data.table("quantities")
    words = [*schema.WORK_KINDS, *schema.COMPONENTS, *schema.STATES]
    fields = [f.name for f in (*dataclasses.fields(Figure), *dataclasses.fields(ServiceFigure))]
    figures = [name for name in fields if units.suffix_of(name) and name not in {"t0_s", "t1_s"}]
    assert [w for w in (*words, *figures) if w not in known] == []


def test_glossary_suffixes_are_units_and_match_the_names():
    for name, row in data.table("quantities").items():
        suffix = row["suffix"]
        assert suffix is None or units.symbol_of(suffix) is not None
        if row["kind"] == "figure" and units.suffix_of(name):
            assert units.suffix_of(name) == suffix, name


def test_unknown_tables_and_rows_name_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'accelerators'"):
        data.table("acelerators")
    with pytest.raises(DataError, match="Did you mean 'h100-sxm'"):
        data.row("accelerators", "h100-smx")


def test_cells_are_numbers_texts_or_nothing():
    row = data.row("accelerators", "h100-sxm")
    assert data.number(row, "tdp_w") == 700.0
    assert data.text(row, "source")
    assert data.text({"a": None}, "a") == ""
    with pytest.raises(DataError, match="expected a number in column 'source'"):
        data.number(row, "source")


def test_worth_of_a_token_class_lies_within_its_interval():
    for row in data.table("token_classes").values():
        low, high = (row[f"alpha_{end}_bit_per_tok"] for end in ("low", "high"))
        assert low < row["alpha_bit_per_tok"] < high
        assert (row["k_in_low"] is None) == (row["k_in"] != MEDIAN_INPUT_PRICE)
        assert row["k_in_low"] is None or row["k_in_low"] < row["k_in"] < row["k_in_high"]


def test_list_of_profiles_says_worth_with_intervals_and_times():
    said = CliRunner().invoke(app, ["list", "profiles"]).output
    assert "10,000 (275 to 960,000)" in said
    assert "0.2 (0.125 to 0.5)" in said
    assert "log, T0 10 token/s, per session in 1 s" in said
    assert "2 + 0.2 per token" in said
