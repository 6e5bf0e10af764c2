"""Coupling gains: what belongs to the site, what to the cell, and geometry."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.radio import coupling
from tree6g.radio.antenna import OMNI, PANEL, Antenna
from tree6g.radio.drop import drop_terminals, outdoor
from tree6g.radio.layout import at, hexagonal

UMA = {"environment": "uma", "frequency_hz": 3.5e9}


def dropped(seed: int = 1, count: int = 400):
    layout = hexagonal(1, 500.0, h_bs_m=25.0)
    rng = np.random.default_rng(seed)
    return layout, drop_terminals(rng, layout, count, environment="uma")


def test_gain_is_antenna_minus_loss_of_the_site():
    layout, terminals = dropped()
    gain_db = coupling.coupling_gain_db(np.random.default_rng(2), layout, terminals, **UMA)
    even_db = coupling.coupling_gain_db(
        np.random.default_rng(2), layout, terminals, antenna=OMNI, **UMA
    )
    assert gain_db.shape == (400, 21)
    by_site = even_db.reshape(400, 7, 3)
    assert np.ptp(by_site, axis=2) == pytest.approx(
        0.0
    )  # cells of a site share all but the antenna
    assert (gain_db - even_db).max() <= 18.0 + 1e-9


def test_kept_surroundings_make_the_gain_a_function_of_the_place():
    layout, terminals = dropped()
    fields = coupling.surroundings(np.random.default_rng(3), layout)
    one, two = (
        coupling.coupling_gain_db(
            np.random.default_rng(seed), layout, terminals, fields=fields, **UMA
        )
        for seed in (4, 5)
    )
    assert (one == two).all()
    some = terminals.select(np.arange(50, 60))
    part = coupling.coupling_gain_db(np.random.default_rng(6), layout, some, fields=fields, **UMA)
    assert part == pytest.approx(one[50:60], abs=1e-9)


def test_neighbours_are_shadowed_alike_and_strangers_are_not():
    layout = at([(0.0, 0.0, 25.0)] * 300, sectors=1)
    # 300 sites at one place: 300 independent fields seen by the same three terminals
    terminals = outdoor(np.array([(2000.0, 0.0), (2001.0, 0.0), (2000.0, 1000.0)]))
    gain_db = coupling.coupling_gain_db(
        np.random.default_rng(7), layout, terminals, antenna=OMNI, **UMA
    )
    correlation = np.corrcoef(gain_db)
    assert correlation[0, 1] > 0.9
    assert abs(correlation[0, 2]) < 0.2


def test_fields_and_independent_draws_give_the_same_distribution():
    layout, terminals = dropped(count=6000)
    quantile = [
        np.percentile(
            coupling.coupling_gain_db(
                np.random.default_rng(8), layout, terminals, fields=fields, **UMA
            ),
            [5, 25, 50, 75, 95],
        )
        for fields in (None, "independent")
    ]
    assert quantile[0] == pytest.approx(quantile[1], abs=1.0)


def test_each_cell_may_have_an_antenna_of_its_own():
    layout = at([(0, 0, 25), (300, 0, 25)], sectors=1, tilt_rad=0.0)
    terminals = outdoor(np.array([(150.0, 80.0), (50.0, -90.0)]))
    mast = Antenna(elements=1, beamwidth_deg=0.0, gain_dbi=15.0)
    kinds = [
        coupling.coupling_gain_db(
            np.random.default_rng(9), layout, terminals, antenna=antenna, **UMA
        )
        for antenna in (PANEL, mast, [PANEL, mast])
    ]
    assert (kinds[2][:, 0] == kinds[0][:, 0]).all()
    assert (kinds[2][:, 1] == kinds[1][:, 1]).all()


def test_the_strongest_cell_serves():
    gain_db = np.array([[-90.0, -80.0, -100.0], [-70.0, -75.0, -71.0]])
    assert coupling.strongest_cell(gain_db).tolist() == [1, 0]


def test_geometry_equals_the_hand_calculation():
    gain_db = np.array([[-80.0, -90.0, -90.0]])
    result = coupling.geometry(gain_db, [0], power_w=10.0, noise_w=1e-8)
    assert result.coupling_gain_db == pytest.approx([-80.0])
    assert result.sir_db == pytest.approx(10 * np.log10(1e-7 / 2e-8))
    assert result.sinr_db == pytest.approx(10 * np.log10(1e-7 / 3e-8))


@pytest.mark.parametrize("environment", ["uma", "umi", "rma", "sma", "inh-mixed", "inh-open"])
@pytest.mark.parametrize("frequency_hz", [0.7e9, 7e9, 15e9, 30e9])
def test_every_environment_gives_finite_gains_at_every_frequency(environment, frequency_hz):
    layout = hexagonal(1, 200.0, h_bs_m=10.0)
    rng = np.random.default_rng(10)
    terminals = drop_terminals(rng, layout, 60, environment=environment)
    gain_db = coupling.coupling_gain_db(
        rng, layout, terminals, environment=environment, frequency_hz=frequency_hz
    )
    assert np.isfinite(gain_db).all()
    assert gain_db.max() < 0.0
