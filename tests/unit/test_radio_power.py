"""Base-station power: published values, the N_TRX trap, sleep between broadcasts."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio.broadcast import broadcast
from tree6g.radio.power import (
    carriers_power,
    downlink_relative,
    earth_power_w,
    station_power,
    uplink_relative,
)
from tree6g.radio.sleep import (
    Intervals,
    duty,
    idle_power_w,
    resting_state,
    station_energy,
)


def _mean_w(station, *, busy_frac=0.0, downlink_s=0.0, uplink_s=0.0):
    """Mean power of a second with one busy time in its middle."""
    edges = (np.array([0.5 - busy_frac / 2]), np.array([0.5 + busy_frac / 2]))
    busy = Intervals(*edges) if busy_frac else Intervals(np.empty(0), np.empty(0))
    did = duty(station, 0.0, 1.0, busy)
    return station_energy(station, did, downlink_s=downlink_s, uplink_s=uplink_s).total_j


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
    assert resting_state(station, 0.01).power_w == pytest.approx(sleep_w)


def test_earth_is_affine_in_load():
    power = [earth_power_w(load, trx=6, p0_w=130, slope=4.7, max_w=20) for load in (0.0, 0.5, 1.0)]
    assert power == pytest.approx([780.0, 1062.0, 1344.0])


def test_relative_downlink_power_reaches_its_table_value_at_full_band():
    assert downlink_relative(55.0, 280.0) == pytest.approx(280.0)
    assert downlink_relative(55.0, 280.0, band_frac=0.0) == pytest.approx(55.0 + 0.4 * 225.0)


def test_deep_sleep_does_not_fit_between_two_broadcasts():
    station = station_power("tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=1e3, sleep="deep")
    assert [s.name for s in station.sleep] == ["light", "deep"]
    assert resting_state(station, 0.0188).name == "light"
    assert resting_state(station, 0.158).name == "deep"


def test_a_category_2_cell_cannot_even_sleep_lightly():
    station = station_power("tr38864-cat2-set1", bandwidth_hz=100e6, anchor_w=1e3, sleep="deep")
    assert resting_state(station, 0.158) is None


def test_a_cell_that_may_not_sleep_stays_awake():
    station = station_power("earth-micro", bandwidth_hz=20e6, sleep="none")
    assert resting_state(station, 0.02) is None
    assert station.awake_w == pytest.approx(112.0)


def test_watts_scale_with_the_anchor():
    small, large = (
        station_power("tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=w) for w in (500.0, 1000.0)
    )
    assert _mean_w(large, downlink_s=0.3, busy_frac=0.5) == pytest.approx(
        2.0 * _mean_w(small, downlink_s=0.3, busy_frac=0.5)
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
    for key, most in (("downlink_s", 1.0), ("uplink_s", 1.0)):
        powers = [_mean_w(station, busy_frac=1.0, **{key: most * n / 20}) for n in range(21)]
        assert powers == sorted(powers)


def test_an_earth_cell_at_full_load_draws_its_full_power():
    station = station_power("earth-micro", bandwidth_hz=20e6, sleep="micro")
    assert _mean_w(station, downlink_s=1.0, busy_frac=1.0) == pytest.approx(144.76)


def test_the_dual_amplifier_is_worse_below_half_of_its_output():
    low, high = (
        [downlink_relative(55.0, 280.0, band_frac=f, efficiency=e) for e in ("single", "dual")]
        for f in (0.4, 0.5)
    )
    assert low[1] - low[0] == pytest.approx(225.0 * 0.6 * 0.4 * (1 / 0.76 - 1))
    assert high[0] == high[1]


@pytest.mark.parametrize("share", [1.0, 0.5, 0.25])
def test_muted_transceivers_scale_what_sending_and_receiving_add(share):
    station = station_power("tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=280.0)
    muted = station.with_antennas(share)
    assert muted.awake_w == pytest.approx(55.0)
    assert muted.downlink_w == pytest.approx(downlink_relative(55.0, 280.0, txru_frac=share))
    assert muted.uplink_w == pytest.approx(uplink_relative(55.0, 110.0, txru_frac=share))
    assert muted.transmit_power_w == pytest.approx(share * 316.2)


def test_muted_transceivers_of_earth_sleep():
    station = station_power("earth-macro", bandwidth_hz=10e6)
    half = station.with_antennas(0.5)
    assert half.awake_w == pytest.approx(3 * 130.0 + 3 * 75.0)
    assert half.downlink_w - half.awake_w == pytest.approx(3 * 4.7 * 20.0)


def test_further_carriers_draw_seven_tenths_of_the_first():
    assert [carriers_power(n) for n in (1, 2, 4)] == pytest.approx([1.0, 1.7, 3.1])
    all_on = station_power("tr38864-cat1-set1", bandwidth_hz=400e6, anchor_w=3.1, carriers=4)
    one = all_on.with_carriers(1)
    alone = station_power("tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=1.0)
    for name in ("awake_w", "downlink_w", "uplink_w", "broadcast_w"):
        assert getattr(one, name) == pytest.approx(getattr(alone, name))
    assert idle_power_w(one) == pytest.approx(idle_power_w(alone))
    assert all_on.broadcast_w - all_on.awake_w == pytest.approx(one.broadcast_w - one.awake_w)


def test_receiving_beside_sending_costs_an_fdd_cell_nothing():
    fdd, tdd = (
        station_power(f"tr38864-cat1-{s}", bandwidth_hz=20e6, anchor_w=1e3)
        for s in ("set2", "set1")
    )
    full = {"busy_frac": 1.0, "downlink_s": 1.0}
    assert fdd.fdd
    assert _mean_w(fdd, uplink_s=1.0, **full) == pytest.approx(_mean_w(fdd, **full))
    assert _mean_w(tdd, uplink_s=0.1, **full) > _mean_w(tdd, **full)


def test_a_period_that_3gpp_does_not_have_is_refused():
    with pytest.raises(DataError, match="ssb_period of 5, 10, 20"):
        broadcast(8, 30e3, ssb_period_s=0.03)


def test_signals_that_fill_all_the_time_are_refused():
    with pytest.raises(DataError, match="Lengthen their periods"):
        broadcast(64, 15e3, ssb_period_s=0.005)


def test_carriers_of_a_model_that_knows_none_are_refused():
    with pytest.raises(DataError, match="one carrier"):
        station_power("earth-macro", bandwidth_hz=10e6, carriers=2)
