"""Penetration into buildings and cars (TR 38.901 clause 7.4.3)."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.radio.building import penetration_db, wall_loss_db


def test_wall_losses_equal_the_hand_calculation_at_six_gigahertz():
    glass, concrete = 10 ** -(3.2 / 10), 10 ** -(29.0 / 10)
    low = 5.0 - 10.0 * np.log10(0.3 * glass + 0.7 * concrete)
    assert wall_loss_db("low", 6e9) == pytest.approx(low)
    infrared = 10 ** -(24.8 / 10)
    high = 5.0 - 10.0 * np.log10(0.7 * infrared + 0.3 * concrete)
    assert wall_loss_db("high", 6e9, glass="release-14") == pytest.approx(high)


def test_release_nineteen_raised_the_glass_at_low_and_lowered_it_at_high_frequencies():
    older = [wall_loss_db("high", f, glass="release-14") for f in (3.5e9, 70e9)]
    newer = [wall_loss_db("high", f, glass="release-19") for f in (3.5e9, 70e9)]
    assert newer[0] > older[0]
    assert newer[1] < older[1]


def test_plywood_is_the_easiest_wall():
    assert wall_loss_db("low-a", 7e9) < wall_loss_db("low", 7e9) < wall_loss_db("high", 7e9)


def test_terminals_in_the_open_lose_nothing_and_cars_nine_decibels():
    loss_db = penetration_db(
        3.5e9,
        indoor=[False, False, True],
        indoor_distance_m=[0.0, 0.0, 10.0],
        high_loss=[False, False, False],
        in_car=[False, True, False],
        normal=[1.0, 1.0, 0.0],
    )
    assert loss_db == pytest.approx([0.0, 14.0, wall_loss_db("low", 3.5e9) + 5.0])
