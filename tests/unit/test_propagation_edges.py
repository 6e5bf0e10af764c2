"""What the propagation models do at and beyond the edge of what the standard covers."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio import antenna, coupling, drop, layout, pathloss

FREQUENCY_HZ = 3.5e9


def free_space_db(d3d_m: np.ndarray) -> np.ndarray:
    return 32.45 + 20.0 * np.log10(d3d_m) + 20.0 * np.log10(FREQUENCY_HZ / 1e9)


@pytest.mark.parametrize("h_bs_m", [5.0, 10.0, 15.0, 18.0, 21.0, 25.0])
def test_no_macro_link_is_better_than_free_space_however_low_the_mast(h_bs_m: float) -> None:
    d_m = np.array([15.0, 40.0, 100.0, 400.0])[:, None]
    h_ut_m, height_m = 22.5, np.array([1.0, 12.0, 15.0, 18.0, 21.0])
    loss_db = pathloss.pathloss_db(
        "uma", d_m, True, frequency_hz=FREQUENCY_HZ, h_bs_m=h_bs_m, h_ut_m=h_ut_m,
        environment_height_m=height_m,
    )  # fmt: skip
    assert np.all(loss_db > free_space_db(np.hypot(d_m, h_bs_m - h_ut_m)) - 6.0)


def test_surroundings_as_high_as_the_mast_count_as_those_of_the_street() -> None:
    reach_m = pathloss.breakpoint_m(
        "uma", frequency_hz=FREQUENCY_HZ, h_bs_m=15.0, h_ut_m=22.5,
        environment_height_m=np.array([1.0, 12.0, 15.0, 21.0]),
    )  # fmt: skip
    assert reach_m[2] == reach_m[3] == reach_m[0]
    assert 0.0 < reach_m[1] < reach_m[0]


@pytest.mark.parametrize("environment", ["uma", "umi", "rma", "inh-mixed", "inh-open", "sma"])
def test_sight_is_a_probability_at_any_height(environment: pathloss.Environment) -> None:
    d_m = np.array([0.0, 10.0, 18.0, 100.0, 3000.0])[:, None]
    h_ut_m = np.array([0.0, 1.5, 13.5, 22.5, 25.0, 60.0])
    chance = pathloss.los_probability(environment, d_m, h_ut_m, h_bs_m=25.0)
    assert np.all((chance >= 0.0) & (chance <= 1.0))


def test_a_lone_cell_has_no_interference() -> None:
    one = layout.at([[0.0, 0.0, 10.0]], sectors=1)
    gain_db = coupling.coupling_gain_db(
        np.random.default_rng(0), one, drop.outdoor([[50.0, 0.0]]), environment="umi",
        frequency_hz=FREQUENCY_HZ, antenna=antenna.OMNI,
    )  # fmt: skip
    heard = coupling.geometry(gain_db, [0], power_w=1.0, noise_w=1e-13)
    assert heard.sir_db[0] == np.inf
    assert heard.sinr_db == pytest.approx(gain_db[:, 0] + 130.0)


def test_interference_far_below_the_signal_keeps_its_digits() -> None:
    heard = coupling.geometry(np.array([[0.0, -200.0, -200.0]]), [0], power_w=1.0, noise_w=1e-30)
    assert heard.sir_db == pytest.approx(200.0 - 10.0 * np.log10(2.0))


def test_a_layout_needs_a_site() -> None:
    with pytest.raises(DataError, match="at least one site"):
        layout.at(np.zeros((0, 3)))


def test_nearest_copies_are_those_of_the_endless_grid() -> None:
    grid = layout.hexagonal(2, 500.0, h_bs_m=25.0)
    people = drop.drop_terminals(np.random.default_rng(2), grid, 500, environment="uma")
    a, b = grid.wrap_m[1], grid.wrap_m[2]
    steps = np.array([(i, j) for i in range(-3, 4) for j in range(-3, 4)], dtype=float)
    far_m = people.position_m[:, None, None, :2] - (
        grid.site_m[:, None, :2] + steps @ np.array([a, b])
    )
    least_m = np.hypot(far_m[..., 0], far_m[..., 1]).min(axis=-1)
    near_m = layout.nearest_copy_m(grid, people.position_m)
    assert np.hypot(near_m[..., 0], near_m[..., 1]) == pytest.approx(least_m)
