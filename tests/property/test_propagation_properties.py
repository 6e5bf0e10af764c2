"""Propagation: what holds at every distance, height and frequency."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.radio.pathloss import (
    Environment,
    breakpoint_m,
    effective_height_m,
    los_probability,
    pathloss_db,
    shadowing_std_db,
)

HEIGHT_M = {"uma": 25.0, "umi": 10.0, "rma": 35.0, "sma": 35.0, "inh-mixed": 3.0, "inh-open": 3.0}
environments = st.sampled_from(get_args(Environment))
frequencies_hz = st.floats(0.5e9, 30e9)
heights_m = st.floats(1.5, 9.0)


@given(environments, frequencies_hz, heights_m, st.booleans())
def test_loss_never_falls_with_distance(environment, frequency_hz, h_ut_m, los):
    far_m = 100.0 if environment.startswith("inh") else 5000.0
    d_m = np.geomspace(1.0, far_m, 400)
    loss_db = pathloss_db(
        environment,
        d_m,
        los,
        frequency_hz=frequency_hz,
        h_bs_m=HEIGHT_M[environment],
        h_ut_m=min(h_ut_m, 2.5) if environment.startswith("inh") else h_ut_m,
    )
    assert np.isfinite(loss_db).all()
    assert np.diff(loss_db).min() > -1e-9


@given(environments, st.floats(1.0, 5000.0), heights_m)
def test_loss_rises_with_frequency(environment, d_m, h_ut_m):
    loss_db = [
        float(
            pathloss_db(
                environment, d_m, False, frequency_hz=f, h_bs_m=HEIGHT_M[environment], h_ut_m=h_ut_m
            )
        )
        for f in (0.5e9, 3.5e9, 7e9, 15e9, 28e9)
    ]
    assert (np.diff(loss_db) > 0.0).all()


@given(st.sampled_from(["uma", "umi", "rma", "sma"]), frequencies_hz, heights_m)
def test_line_of_sight_slopes_meet_at_the_breakpoint(environment, frequency_hz, h_ut_m):
    heights = {"h_bs_m": HEIGHT_M[environment], "h_ut_m": h_ut_m}
    break_m = float(breakpoint_m(environment, frequency_hz=frequency_hz, **heights))
    if break_m < 11.0:  # nearer than the least distance of the model
        return
    either_side = pathloss_db(
        environment,
        np.array([break_m * (1 - 1e-9), break_m * (1 + 1e-9)]),
        True,
        frequency_hz=frequency_hz,
        **heights,
    )
    # the slopes differ by twice the factor of the logarithm: they meet exactly
    assert abs(np.diff(either_side)[0]) < 1e-6


@given(environments, st.floats(0.0, 10_000.0), st.floats(1.0, 22.5))
def test_probability_of_line_of_sight_is_one_near_and_a_probability_everywhere(
    environment, d_m, h_ut_m
):
    h_ut_m = min(h_ut_m, 14.0) if environment == "sma" else h_ut_m
    probability = float(los_probability(environment, d_m, h_ut_m))
    assert 0.0 <= probability <= 1.0
    assert float(los_probability(environment, 1.0, h_ut_m)) == 1.0


def test_office_probabilities_equal_the_table():
    assert los_probability("inh-mixed", [1.2, 6.49, 39.1]) == pytest.approx(
        [1.0, np.exp(-5.29 / 4.7), 0.32 * np.exp(-1.0)]
    )
    assert los_probability("inh-open", [5.0, 49.0, 260.7]) == pytest.approx(
        [1.0, np.exp(-44.0 / 70.8), 0.54 * np.exp(-1.0)]
    )


def test_rural_and_suburban_probabilities_equal_the_hand_calculation():
    assert float(los_probability("rma", 1010.0)) == pytest.approx(np.exp(-1.0))
    per_m = -(np.log(0.98) * (20 - 1.5) + np.log(0.82) * (8 - 1.5)) / (30.0 * (35 - 1.5))
    assert float(los_probability("sma", 300.0)) == pytest.approx(np.exp(-300.0 * per_m))
    trees = float(los_probability("sma", 300.0, vegetation_frac=0.2))
    assert trees < float(los_probability("sma", 300.0))


def test_height_opens_lines_of_sight_in_urban_macro_alone():
    assert float(los_probability("uma", 300.0, 22.5)) > float(los_probability("uma", 300.0, 1.5))
    assert float(los_probability("umi", 300.0, 22.5)) == float(los_probability("umi", 300.0, 1.5))


@given(st.floats(20.0, 2000.0), st.floats(1.5, 22.5), st.floats(0.0, 1.0, exclude_max=True))
def test_effective_height_is_one_or_a_step_of_three_below_the_terminal(d_m, h_ut_m, uniform):
    height_m = float(effective_height_m(d_m, h_ut_m, uniform))
    assert height_m == 1.0 or (height_m - 12.0) % 3.0 == 0.0
    assert height_m <= max(h_ut_m - 1.5, 1.0)


def test_effective_heights_have_the_probabilities_of_the_note():
    uniform = (np.arange(100_000) + 0.5) / 100_000
    height_m = effective_height_m(np.full(100_000, 300.0), 22.5, uniform)
    c = 0.95**1.5 * 1.25 * 27.0 * np.exp(-2.0)
    assert np.mean(height_m == 1.0) == pytest.approx(1.0 / (1.0 + c), abs=1e-4)
    others = [np.mean(height_m == h) for h in (12.0, 15.0, 18.0, 21.0)]
    assert others == pytest.approx([c / (1.0 + c) / 4.0] * 4, abs=1e-4)


def test_shadowing_is_that_of_the_tables():
    assert shadowing_std_db("uma", [True, False]).tolist() == [4.0, 6.0]
    assert shadowing_std_db("umi", [True, False], indoor=[True, True]).tolist() == [7.0, 7.0]
    assert shadowing_std_db("rma", True, beyond_breakpoint=[False, True]).tolist() == [4.0, 6.0]
    assert shadowing_std_db("inh-open", [True, False]).tolist() == [3.0, 8.03]
    assert shadowing_std_db("sma", False, indoor=True) == 8.0
