"""Base stations against their meters: the bars of later hours and of stations left out."""

from __future__ import annotations

import pytest

from tree6g.calibrate import base_station, kinds


@pytest.fixture(scope="module")
def validation(reference_data):
    return kinds.validate("base-station", [reference_data / "radio"])


@pytest.fixture(scope="module")
def groups(validation):
    return {group.name: group for group in validation.groups}


def test_later_hours_of_fitted_stations_are_predicted_within_two_per_cent(groups):
    assert groups["same"].rows > 10_000
    assert groups["same"].figures["mape_frac"] <= 0.02


def test_stations_left_out_are_predicted_within_seven_and_a_half_per_cent(groups):
    draws = [g for name, g in groups.items() if name.startswith("unseen, draw")]
    assert len(draws) == 5
    assert groups["unseen"].figures["mape_frac"] <= 0.075
    figures = groups["unseen"].figures
    assert figures["mape_frac_low"] < figures["mape_frac"] < figures["mape_frac_high"] < 0.09


def test_kinds_of_radio_unit_that_were_not_fitted_are_judged_by_themselves(groups):
    assert groups[base_station.UNSEEN_UNIT].rows > 40_000
    assert 0.1 < groups[base_station.UNSEEN_UNIT].figures["mape_frac"] < 0.3


def test_clock_offset_and_the_station_where_it_changes_are_found(validation):
    found = [(c.name.split(" (")[0], c.value) for c in validation.constants]
    assert found == [
        ("clock_offset_s, B_0 to B_820", 3600.0),
        ("clock_offset_s, B_821 to B_1018", 0.0),
        ("clock_offset_s, B_529 alone", 0.0),
    ]


def test_simpler_models_are_worse_on_the_same_rows(validation, groups):
    for baseline in validation.baselines:
        group = groups[baseline.name.partition(":")[0]]
        assert baseline.rows == group.rows
        assert baseline.figures["mape_frac"] > group.figures["mape_frac"]


def test_shared_constants_are_few_and_the_top_tells_those_of_its_figures(validation, groups):
    assert groups["unseen"].figures["fitted_constants"] < 5 * 60
    assert validation.fitted_constants == groups["same"].figures["fitted_constants"]
    assert groups["unseen"].rows <= validation.rows < groups["same"].rows + groups["unseen"].rows
    assert not any("expected at most" in problem for problem in validation.problems)
