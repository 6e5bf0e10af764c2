"""The packaged base stations against the tables of TR 38.864 and EARTH, value by value."""

from __future__ import annotations

import json

import pytest

from tree6g import data
from tree6g.radio.power import FURTHER_CARRIER, LOW_EFFICIENCY, STATIC_FRAC, station_power

SETS = [(category, number) for category in (1, 2) for number in (1, 2, 3)]
EARTH = ("macro", "rrh", "micro", "pico", "femto")


@pytest.fixture(scope="module")
def tables(reference_data):
    return json.loads((reference_data / "radio" / "base_station_power.json").read_text("utf-8"))


@pytest.mark.parametrize(("category", "number"), SETS)
def test_every_power_and_transition_of_tr_38_864(tables, category, number):
    powers = tables["tr38864"]["relative_power"][f"cat{category}"][f"set{number}"]
    transitions = tables["tr38864"]["transition"][f"cat{category}"]
    frame = tables["tr38864"]["reference_sets"][str(number)]
    station = station_power(
        f"tr38864-cat{category}-set{number}",
        bandwidth_hz=frame["bw_MHz"] * 1e6,
        anchor_w=powers["DL"],
        sleep="deep",
    )
    assert station.awake_w == pytest.approx(powers["micro"])
    assert station.downlink_w == pytest.approx(powers["DL"])
    assert station.uplink_w == pytest.approx(powers["UL"])
    assert station.fdd == ("FDD" in frame["band"])
    assert station.transmit_power_w == pytest.approx(10 ** (frame["P_dBm"] / 10 - 3), rel=0.01)
    for state in station.sleep:
        assert state.power_w == pytest.approx(powers[state.name])
        assert state.transition_s == pytest.approx(transitions[state.name]["time_ms"] / 1e3)
        assert state.transition_j == pytest.approx(transitions[state.name]["energy"] / 1e3)
    assert station.off == station.sleep[-1]


@pytest.mark.parametrize(("category", "number"), SETS)
def test_subcarriers_and_transceivers_of_the_reference_sets(tables, category, number):
    frame = tables["tr38864"]["reference_sets"][str(number)]
    row = data.row("base_stations", f"tr38864-cat{category}-set{number}")
    assert data.number(row, "subcarrier_hz") == frame["scs_kHz"] * 1e3
    assert data.number(row, "trx_count") == frame["TxRU"]


def test_constants_of_the_formula(tables):
    formula = tables["tr38864"]["formula"]
    assert formula["A"] == STATIC_FRAC
    assert str(LOW_EFFICIENCY) in formula["eta"]
    assert FURTHER_CARRIER == 0.7


@pytest.mark.parametrize("name", EARTH)
def test_every_value_of_earth_with_the_number_of_transceivers(tables, name):
    row = tables["earth_2011"][name]
    station = station_power(f"earth-{name}", bandwidth_hz=10e6, sleep="micro")
    count = row["N_TRX"]
    assert station.awake_w == pytest.approx(count * row["P0"])
    assert station.downlink_w == pytest.approx(count * (row["P0"] + row["delta_p"] * row["Pmax"]))
    assert station.off.power_w == pytest.approx(count * row["P_sleep"])
