"""Propagation, rates and airtime against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.engine.airtime import Pool, messages
from tree6g.engine.crowd import Paces
from tree6g.radio.airtime import busy_periods, fair_share_s, fifo_departure_s, speed_frac
from tree6g.radio.drop import distance_m, drop_loss_db
from tree6g.radio.link.shannon import DOWNLINK, UPLINK, rate_bps, sinr_db
from tree6g.radio.pathloss import los_probability, pathloss_db, shadowing_std_db


def test_a_user_at_the_mast_sees_it_and_a_far_one_hardly_ever():
    for environment in ("uma", "umi"):
        assert los_probability(environment, [0.0, 18.0]) == pytest.approx([1.0, 1.0])
        falling = los_probability(environment, np.linspace(18.0, 3000.0, 200))
        assert (np.diff(falling) < 0.0).all()
    assert los_probability("umi", 36.0) == pytest.approx(0.5 + np.exp(-1.0) * 0.5)


def test_high_terminals_see_a_macro_mast_more_often():
    low, high = los_probability("uma", 300.0, 1.5), los_probability("uma", 300.0, 22.5)
    assert low < high <= 1.0


def test_the_two_slopes_of_line_of_sight_meet_at_the_breakpoint():
    break_m = 4.0 * 9.0 * 0.5 * 3.5e9 / 3e8
    near, far = pathloss_db(
        "umi", [break_m - 1e-6, break_m + 1e-6], los=True, frequency_hz=3.5e9, h_bs_m=10.0
    )
    assert near == pytest.approx(far, abs=0.01)


def test_blocked_links_never_lose_less_than_clear_ones():
    d_m = np.linspace(10.0, 2000.0, 300)
    for environment, height_m in (("uma", 25.0), ("umi", 10.0)):
        clear, blocked = (
            pathloss_db(environment, d_m, los, frequency_hz=3.5e9, h_bs_m=height_m)
            for los in (True, False)
        )
        assert (blocked >= clear).all()


def test_shadowing_has_the_deviations_of_the_table():
    assert shadowing_std_db("uma", [True, False]).tolist() == [4.0, 6.0]
    assert shadowing_std_db("umi", [True, False]).tolist() == [4.0, 7.82]


def test_users_are_dropped_evenly_over_the_disc():
    d_m = distance_m(np.random.default_rng(1).random(100_000), 100.0)
    assert d_m.min() >= 10.0
    assert d_m.max() <= 100.0
    assert np.median(d_m**2) == pytest.approx((100.0**2 + 10.0**2) / 2, rel=0.02)


def test_the_same_seed_drops_the_same_users():
    drops = [
        drop_loss_db(
            np.random.default_rng(7), 50, environment="umi", radius_m=200.0, frequency_hz=3.5e9,
            h_bs_m=10.0,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert (drops[0] == drops[1]).all()


def test_sinr_is_the_link_budget():
    # 1 W = 30 dBm, 100 dB loss, 10 MHz: noise -174 + 70 + 5 = -99 dBm.
    budget = sinr_db(100.0, power_w=1.0, gain_dbi=8.0, bandwidth_hz=10e6, noise_figure_db=5.0)
    assert budget == pytest.approx(30.0 + 8.0 - 100.0 + 99.0)


def test_rate_is_attenuated_shannon_between_its_limits():
    rates = rate_bps([-10.1, 10.0, 30.0, 60.0], 1e6, quality=DOWNLINK)
    assert rates[0] == 0.0
    assert rates[1] == pytest.approx(0.6e6 * np.log2(11.0))
    assert rates[2] == rates[3] == pytest.approx(0.6e6 * np.log2(1001.0))
    assert rate_bps(10.0, 1e6, time_frac=0.25, quality=UPLINK) == pytest.approx(
        0.25 * 0.4e6 * np.log2(11.0)
    )


def test_a_narrower_band_gives_a_terminal_more_rate_per_hertz():
    rates = [
        rate_bps(
            sinr_db(110.0, power_w=0.2, gain_dbi=8.0, bandwidth_hz=b, noise_figure_db=5.0),
            b,
            quality=UPLINK,
        )
        for b in (50e6, 100e6)
    ]
    assert rates[0] < rates[1] < 2.0 * rates[0]


def test_fair_shares_fill_the_capacity_and_spare_the_small():
    assert fair_share_s([0.1, 0.6, 5.0], 1.0) == pytest.approx([0.1, 0.45, 0.45])
    assert fair_share_s([0.1, 0.2], 1.0) == pytest.approx([0.1, 0.2])


def test_a_small_service_has_half_the_carrier_beside_an_endless_one():
    assert speed_frac([0.01, 100.0], 1.0) == pytest.approx([1.0 / 1.99, 0.99])
    assert speed_frac([0.3], 1.0) == pytest.approx([1.0])
    assert speed_frac([100.0], 1.0) == pytest.approx([1.0])


@pytest.mark.parametrize("demand", [[0.2, 0.7], [0.5, 0.5, 0.5], [3.0, 0.1, 9.0], [0.9, 0.3]])
def test_services_together_never_use_more_than_the_carrier(demand):
    used = np.minimum(demand, speed_frac(demand, 1.0))
    assert used.sum() <= 1.0 + 1e-12


def _shared_exactly(small_s, big_s, need, until_s):
    """Delays of the small messages under exact processor sharing of two queues."""
    waiting, delay_s, t = ([], []), [], 0.0
    coming = [*sorted([(t, 0) for t in small_s] + [(t, 1) for t in big_s]), (until_s, None)]
    for at, queue in coming:
        while t < at and any(waiting):
            busy = [q for q in waiting if q]
            span = min(at - t, min(q[0][1] for q in busy) * len(busy))
            t += span
            for q in busy:
                q[0][1] -= span / len(busy)
                if q[0][1] < 1e-12:
                    done = q.pop(0)
                    if q is waiting[0]:
                        delay_s.append(t - done[0])
        t = at
        if queue is not None:
            waiting[queue].append([at, need[queue]])
    return np.array(delay_s)


@pytest.mark.parametrize("step_s", [0.1, 1.0, 5.0])
def test_sharing_by_the_step_is_near_exact_processor_sharing(step_s):
    rng, until_s, need = np.random.default_rng(1), 600.0, (0.005, 4.0)
    arrivals = [np.sort(rng.random(n) * until_s) for n in (12_000, 60)]
    exact_s = _shared_exactly(*arrivals, need, until_s)
    pool, delay_s = Pool(1.0, ("small", "big")), []
    ones = dict.fromkeys(pool.services, np.ones(1))
    paces = Paces(ones, ones)
    for t in np.arange(0.0, until_s, step_s):
        for name, at, air_s in zip(pool.services, arrivals, need, strict=True):
            ready_s = at[(at >= t) & (at < t + step_s)]
            pool.push(name, messages(ready_s, air_s, 0))  # bits at 1 bit/s: seconds of air
        passages = pool.advance(t, t + step_s, paces)
        if "small" in passages:
            delay_s.append(passages["small"].end_s - passages["small"].sent["ready_s"])
    shared_s = np.concatenate(delay_s)
    assert shared_s.mean() == pytest.approx(exact_s.mean(), rel=0.1)
    assert np.quantile(shared_s, 0.95) == pytest.approx(np.quantile(exact_s, 0.95), rel=0.2)


def test_queue_recursion_equals_the_loop():
    rng = np.random.default_rng(3)
    ready = np.sort(rng.random(500) * 10.0)
    service = rng.exponential(0.02, 500)
    start, end = fifo_departure_s(ready, service, 0.5)
    free = 0.5
    for r, s, a, d in zip(ready, service, start, end, strict=True):
        assert a == pytest.approx(max(r, free), abs=1e-12)
        free = max(r, free) + s
        assert d == pytest.approx(free, abs=1e-12)


def test_mean_wait_is_that_of_pollaczek_and_khinchine():
    rng = np.random.default_rng(5)
    load, count = 0.7, 400_000
    ready = np.cumsum(rng.exponential(1.0 / load, count))
    start, _ = fifo_departure_s(ready, np.ones(count), 0.0)
    assert (start - ready).mean() == pytest.approx(load / (2.0 * (1.0 - load)), rel=0.03)


def test_periods_with_traffic_are_those_a_transmission_touches():
    busy = busy_periods(
        np.array([0.05, 0.31]), np.array([0.05, 0.62]), origin_s=0.0, period_s=0.1, periods=10
    )
    assert np.flatnonzero(busy).tolist() == [0, 3, 4, 5, 6]
