"""Base-station power: published values, the N_TRX trap, sleep between broadcasts."""

from __future__ import annotations

import pytest

from tree6g.errors import DataError
from tree6g.radio.power import (
    broadcast_frac,
    downlink_relative,
    earth_power_w,
    station_energy,
    station_power,
)


def _mean_w(station, **use):
    spent = {"downlink_s": 0.0, "uplink_s": 0.0, "awake_frac": 0.0} | use
    return station_energy(station, 1.0, **spent).total_j


@pytest.mark.parametrize(
    ("model", "idle_w", "full_w", "sleep_w"),
    [
        ("earth-macro", 780.0, 1344.0, 450.0),
        ("earth-rrh", 504.0, 840.0, 336.0),
        ("earth-micro", 112.0, 144.76, 78.0),
        ("earth-pico", 13.6, 14.64, 8.6),
        ("earth-femto", 9.6, 10.4, 5.8),
    ],
)
def test_the_number_of_transceivers_multiplies_idle_slope_and_sleep(model, idle_w, full_w, sleep_w):
    station = station_power(model, bandwidth_hz=10e6, sleep="micro")
    assert station.awake_w == pytest.approx(idle_w)
    assert station.downlink_w == pytest.approx(full_w)
    assert station.resting().power_w == pytest.approx(sleep_w)


def test_earth_is_affine_in_load():
    power = [earth_power_w(load, trx=6, p0_w=130, slope=4.7, max_w=20) for load in (0.0, 0.5, 1.0)]
    assert power == pytest.approx([780.0, 1062.0, 1344.0])


def test_relative_downlink_power_reaches_its_table_value_at_full_band():
    assert downlink_relative(55.0, 280.0) == pytest.approx(280.0)
    assert downlink_relative(55.0, 280.0, band_frac=0.0) == pytest.approx(55.0 + 0.4 * 225.0)


def test_an_idle_category_1_cell_with_eight_beams_draws_37_relative_units():
    station = station_power(
        "tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=280.0, sib1_symbols=0.0
    )
    assert broadcast_frac(8.0, sib1_symbols=0.0) == pytest.approx(32 / 560)
    assert _mean_w(station) == pytest.approx(36.9, abs=0.1)


def test_deep_sleep_does_not_fit_between_two_broadcasts():
    station = station_power("tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=1e3, sleep="deep")
    assert [s.name for s in station.sleep] == ["light", "deep"]
    assert station.resting().name == "light"


def test_a_category_2_cell_cannot_even_sleep_lightly():
    station = station_power("tr38864-cat2-set1", bandwidth_hz=100e6, anchor_w=1e3, sleep="deep")
    assert station.resting().name == "none"
    assert station.resting().power_w == station.awake_w


def test_a_cell_that_may_not_sleep_stays_awake():
    station = station_power("earth-micro", bandwidth_hz=20e6, sleep="none")
    assert station.resting().power_w == pytest.approx(112.0)


def test_watts_scale_with_the_anchor():
    small, large = (
        station_power("tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=w) for w in (500.0, 1000.0)
    )
    assert _mean_w(large, downlink_s=0.3, awake_frac=0.5) == pytest.approx(
        2.0 * _mean_w(small, downlink_s=0.3, awake_frac=0.5)
    )


def test_a_relative_model_without_its_anchor_is_refused():
    with pytest.raises(DataError, match="3GPP gives no watts"):
        station_power("tr38864-cat1-set1", bandwidth_hz=100e6)


def test_more_radiated_power_than_the_model_has_is_refused():
    with pytest.raises(DataError, match=r"at most 12\.6 W"):
        station_power("earth-micro", bandwidth_hz=20e6, transmit_power_w=20.0)


def test_less_radiated_power_lowers_only_the_slope():
    full, half = (
        station_power("earth-micro", bandwidth_hz=20e6, transmit_power_w=w) for w in (12.6, 6.3)
    )
    assert half.awake_w == full.awake_w
    assert half.downlink_w - half.awake_w == pytest.approx((full.downlink_w - full.awake_w) / 2)


@pytest.mark.parametrize("model", ["earth-micro", "tr38864-cat1-set1", "tr38864-cat2-set1"])
def test_more_load_never_takes_less_energy(model):
    station = station_power(model, bandwidth_hz=20e6, anchor_w=1e3, sleep="deep")
    for key, most in (("downlink_s", 1.0), ("uplink_s", 1.0), ("awake_frac", 1.0)):
        powers = [_mean_w(station, **{key: most * n / 20}) for n in range(21)]
        assert powers == sorted(powers)


def test_an_earth_cell_at_full_load_draws_its_full_power():
    station = station_power("earth-micro", bandwidth_hz=20e6, sleep="micro")
    assert _mean_w(station, downlink_s=1.0, awake_frac=1.0) == pytest.approx(144.76)
