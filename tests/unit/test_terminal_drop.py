"""Drops of terminals: evenly spread, at the right heights, in the right buildings."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import InfeasibleError
from tree6g.radio.drop import around, drop_terminals, outdoor, place
from tree6g.radio.layout import at, hexagonal, indoor_office, nearest_copy_m

MANY = 40_000


def test_terminals_fill_the_hexagons_of_a_grid_evenly():
    layout = hexagonal(2, 500.0, h_bs_m=25.0)
    terminals = drop_terminals(
        np.random.default_rng(1), layout, MANY, environment="uma", least_distance_m=0.0
    )
    to_m = nearest_copy_m(layout, terminals.position_m)
    away_m = np.hypot(to_m[..., 0], to_m[..., 1])
    own = np.argmin(away_m, axis=1)
    assert np.bincount(own, minlength=19) == pytest.approx(MANY / 19, rel=0.1)
    nearest_m = away_m.min(axis=1)
    assert nearest_m.max() <= 500.0 / np.sqrt(3.0) + 1e-9
    # inside the inscribed circle the share grows with the square of the radius
    area_m2 = 500.0**2 * np.sqrt(0.75)
    assert np.mean(nearest_m < 250.0) == pytest.approx(np.pi * 250.0**2 / area_m2, abs=0.01)


def test_least_distance_holds_outside_the_building():
    layout = hexagonal(1, 200.0, h_bs_m=10.0)
    terminals = drop_terminals(np.random.default_rng(2), layout, MANY, environment="umi")
    to_m = nearest_copy_m(layout, terminals.position_m)
    outside_m = np.hypot(to_m[..., 0], to_m[..., 1]).min(axis=1) - terminals.indoor_distance_m
    assert outside_m.min() >= 10.0 - 1e-9


def test_urban_terminals_are_indoors_at_the_floors_of_the_standard():
    terminals = place(np.random.default_rng(3), np.zeros((MANY, 2)), environment="uma")
    height_m = terminals.position_m[:, 2]
    assert terminals.indoor.mean() == pytest.approx(0.8, abs=0.01)
    assert (height_m[~terminals.indoor] == 1.5).all()
    assert set(np.unique(height_m)) <= {1.5 + 3.0 * n for n in range(8)}
    # mean floor of a building of n floors is (n - 1) / 2, n from 4 to 8
    assert height_m[terminals.indoor].mean() == pytest.approx(1.5 + 3.0 * 2.5, abs=0.1)
    assert terminals.high_loss[terminals.indoor].mean() == pytest.approx(0.5, abs=0.01)
    assert terminals.indoor_distance_m[terminals.indoor].mean() == pytest.approx(25 / 3, abs=0.1)
    assert not terminals.in_car.any()


def test_suburban_terminals_are_in_low_houses_or_in_cars():
    terminals = place(np.random.default_rng(4), np.zeros((MANY, 2)), environment="sma")
    assert (terminals.in_car == ~terminals.indoor).all()
    assert not terminals.high_loss.any()
    assert set(np.unique(terminals.position_m[:, 2])) <= {1.5, 4.5, 7.5, 10.5, 13.5}
    assert terminals.indoor_distance_m.max() < 25.0


def test_office_terminals_are_never_behind_a_wall():
    terminals = drop_terminals(
        np.random.default_rng(5), indoor_office(), 1000, environment="inh-open"
    )
    assert not terminals.indoor.any()
    assert (terminals.position_m[:, 2] == 1.0).all()
    assert terminals.position_m[:, :2].min() >= 0.0
    assert (terminals.position_m[:, :2].max(axis=0) <= (120.0, 50.0)).all()


def test_disc_is_filled_evenly_around_its_hole():
    terminals = around(
        np.random.default_rng(6), (100.0, -50.0), 300.0, MANY, environment="umi", indoor_frac=0.0
    )
    away_m = np.hypot(*(terminals.position_m[:, :2] - (100.0, -50.0)).T)
    assert away_m.min() >= 10.0
    assert away_m.max() <= 300.0
    assert np.mean(away_m**2 < (300.0**2 + 10.0**2) / 2) == pytest.approx(0.5, abs=0.01)


def test_the_same_seed_drops_the_same_terminals():
    layout = hexagonal(1, 200.0, h_bs_m=10.0)
    one, two = (
        drop_terminals(np.random.default_rng(7), layout, 100, environment="umi") for _ in range(2)
    )
    assert (one.position_m == two.position_m).all()
    assert (one.penetration_normal == two.penetration_normal).all()


def test_where_there_is_no_room_the_drop_says_so():
    layout = at([(0.0, 0.0, 10.0)], area_m=(-5.0, -5.0, 5.0, 5.0))
    with pytest.raises(InfeasibleError, match="larger area"):
        drop_terminals(np.random.default_rng(8), layout, 3, environment="uma")


def test_selection_and_motion_keep_the_rest():
    terminals = place(np.random.default_rng(9), np.zeros((10, 2)), environment="uma")
    some = terminals.select([2, 5])
    assert some.count == 2
    assert (some.indoor == terminals.indoor[[2, 5]]).all()
    moved = some.moved(some.position_m + 1.0)
    assert (moved.position_m - some.position_m == 1.0).all()
    assert (moved.penetration_normal == some.penetration_normal).all()


def test_terminals_placed_outdoors_stand_on_the_ground():
    terminals = outdoor(np.array([[1.0, 2.0]]))
    assert terminals.position_m.tolist() == [[1.0, 2.0, 1.5]]
    assert not (terminals.indoor | terminals.in_car | terminals.high_loss).any()
