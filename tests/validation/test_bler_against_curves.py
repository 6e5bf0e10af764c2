"""Block errors, MCS and CQI tables against link-level curves and tables of TS 38.214."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from tree6g.calibrate.link import validate
from tree6g.errors import DataError
from tree6g.radio.mcs import cqi_table, mcs_table

# Root mean square and largest error of the SNR at equal BLER, as the docstring of `bler` states.
BARS_DB = {"24 bit": (0.95, 8.1), "100 bit": (0.38, 1.4), "500 bit": (0.11, 0.32),
           "1000 bit": (0.11, 0.32), "2000 bit": (0.11, 0.32)}  # fmt: skip
TABLES = {"5.1.3.1-1": "qam64", "5.1.3.1-2": "qam256", "5.1.3.1-3": "low-se"}
REPORTS = {"5.2.2.1-2": "qam64", "5.2.2.1-3": "qam256", "5.2.2.1-4": "low-se"}


@pytest.fixture(scope="module")
def curves(reference_data):
    return validate([reference_data / "radio" / "bler.csv"])


def test_two_constants_place_every_long_block_within_a_third_of_a_decibel(curves):
    assert curves.rows == 12_350
    assert curves.fitted_constants == 2
    assert curves.misses == ()
    assert {group.name for group in curves.groups} == set(BARS_DB)
    for group in curves.groups:
        rms_db, largest_db = BARS_DB[group.name]
        print(group.name, group.rows, dict(group.figures))  # noqa: T201 - the deviation, said
        assert group.figures["rms_error_db"] <= rms_db
        assert group.figures["max_abs_error_db"] <= largest_db
        assert group.figures["mean_abs_error"] <= 0.011


def test_the_width_of_the_transition_is_worth_a_factor_of_five(curves):
    step = curves.baselines[0].figures["mean_abs_error"]
    assert curves.figures["mean_abs_error"] <= step / 5.0


def test_one_channel_is_no_better_met_than_the_other(reference_data, tmp_path):
    lines = (reference_data / "radio" / "bler.csv").read_text().splitlines()
    errors = {}
    for channel in ("PDSCH", "PUSCH"):
        file = tmp_path / f"{channel}.csv"
        kept = [line for line in lines if line.startswith(f"{channel},") and ",24," not in line]
        file.write_text("\n".join([lines[0], *kept]))
        errors[channel] = validate([file]).figures["rms_error_db"]
    assert errors["PDSCH"] == pytest.approx(errors["PUSCH"], abs=0.1)


@pytest.mark.parametrize(
    ("name", "tables", "ours", "index", "efficiency"),
    [("mcs_38214", TABLES, mcs_table, "mcs", "spectral_efficiency"),
     ("cqi_38214", REPORTS, cqi_table, "cqi", "efficiency")],
)  # fmt: skip
def test_tables_agree_with_the_standard(reference_data, name, tables, ours, index, efficiency):
    with (reference_data / "radio" / f"{name}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["table"] for row in rows} == set(tables)
    for row in rows:
        table = ours(tables[row["table"]])
        at = int(row[index]) - table.first_index
        assert table.bits_per_symbol[at] == int(row["Qm"])
        assert table.code_rate[at] == float(row["code_rate_x1024"]) / 1024.0
        assert table.efficiency[at] == pytest.approx(float(row[efficiency]), abs=6e-5)
    assert len(rows) == sum(len(ours(name).code_rate) for name in tables.values())


def test_faults_of_a_file_are_told_together(tmp_path):
    file = tmp_path / "curves.csv"
    header = "channel,mcs_table,mcs,cbs_bits,snr_db_or_axis,bler,axis_name\n"
    file.write_text(header + "PDSCH,1,29,500,0,0.5,SNR_db\nPBCH,1,3,500,0,0.5,SNR_db\n")
    with pytest.raises(DataError, match=r"2 faults") as fault:
        validate([file])
    assert "line 3: expected an MCS of TS 38.214" in str(fault.value)
    file.write_text(header + "PDSCH,1,3,500,0,0.5,EbN0_db\n")
    with pytest.raises(DataError, match="expected rows with axis_name SNR_db"):
        validate([file])
    with pytest.raises(DataError, match="got none"):
        validate([])


def test_rates_that_are_no_probabilities_and_broken_schemes_are_told_at_once(tmp_path):
    file = tmp_path / "bler.csv"
    header = "channel,mcs_table,mcs,cbs_bits,snr_db_or_axis,bler,axis_name\n"
    file.write_text(header + "PDSCH,1,3,500,0,1.7,SNR_db\nPDSCH,1,3.5,500,0,0.5,SNR_db\n")
    with pytest.raises(DataError, match=r"(?s)2 faults.*line 2: .*1\.7.*line 3: .*MCS 3\.5"):
        validate([file])


def test_what_is_drawn_is_what_was_compared(curves):
    (plot,) = curves.plots
    assert len(plot.curves) == 5
    for curve in plot.curves:
        assert np.isfinite(curve.y).all()
        assert curve.x.size == curve.y.size > 50
