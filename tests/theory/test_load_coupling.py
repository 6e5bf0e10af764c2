"""Interference that follows load: the fixed point against theory and against solutions by hand."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.errors import DataError
from tree6g.radio.adaptation import rate_bps as mcs_rate_bps
from tree6g.radio.interference import (
    coupled_load,
    coupled_uplink_load,
    downlink_sinr_db,
    uplink_sinr_db,
)
from tree6g.radio.link.shannon import DOWNLINK, UPLINK, rate_bps

BANDWIDTH_HZ, NOISE_W = 20e6, 1e-12


def _attenuated(sinr_db, bandwidth_hz):
    """Attenuated Shannon, capped above but never 0: what Yates' theorem asks for."""
    ratio = 10.0 ** (np.minimum(sinr_db, 30.0) / 10.0)
    return 0.6 * bandwidth_hz * np.log2(1.0 + ratio)


def _network(seed, terminals=60, cells=7, spread_db=14.0):
    rng = np.random.default_rng(seed)
    gain_db = rng.normal(-120.0, spread_db, (terminals, cells))
    return gain_db, gain_db.argmax(axis=1), np.full(cells, 80.0)


def _load_function(network, demand_bps, load):
    gain_db, serving, power_w = network
    sinr_db = downlink_sinr_db(gain_db, serving, power_w, load, NOISE_W)
    share = demand_bps / _attenuated(sinr_db, BANDWIDTH_HZ)
    return np.bincount(serving, weights=share, minlength=len(power_w))


@given(seed=st.integers(0, 10**6), factor=st.floats(1.01, 20.0), part=st.floats(0.0, 1.0))
def test_load_is_a_standard_interference_function(seed, factor, part):
    network = _network(seed)
    rng = np.random.default_rng(seed)
    demand_bps = rng.uniform(1e4, 1e6, 60)
    load = rng.uniform(0.01, 1.0, 7)
    here = _load_function(network, demand_bps, load)
    served = np.isin(np.arange(7), network[1])
    assert (here[served] > 0.0).all()
    below = _load_function(network, demand_bps, load * part)
    assert (below <= here * (1.0 + 1e-12)).all()
    scaled = _load_function(network, demand_bps, factor * load)
    assert (scaled[served] < factor * here[served]).all()


@given(seed=st.integers(0, 10**6), demand_bps=st.floats(1e3, 3e6))
def test_every_start_reaches_the_one_fixed_point(seed, demand_bps):
    gain_db, serving, power_w = _network(seed)
    solve = partial(
        coupled_load, gain_db, serving, power_w, np.full(60, demand_bps), BANDWIDTH_HZ, NOISE_W,
        rate=_attenuated, tolerance=1e-9,
    )  # fmt: skip
    starts = [0.0, 1.0, np.random.default_rng(seed).random(7)]
    found = [solve(start_frac=start) for start in starts]
    assert all(f.converged for f in found)
    for other in found[1:]:
        assert other.load_frac == pytest.approx(found[0].load_frac, abs=1e-6)
    wanted = _load_function((gain_db, serving, power_w), demand_bps, found[0].load_frac)
    assert np.minimum(wanted, 1.0) == pytest.approx(found[0].load_frac, abs=1e-8)


def test_two_equal_cells_meet_the_solution_by_bisection():
    gain_db = np.array([[-90.0, -100.0], [-100.0, -90.0]])
    demand_bps, power_w, noise_w = 40e6, 40.0, 1e-11

    def excess(load):
        sinr = 40e-9 / (load * 40e-10 + noise_w)
        return demand_bps / (0.6 * BANDWIDTH_HZ * np.log2(1.0 + sinr)) - load

    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if excess(middle) > 0.0 else (low, middle)
    found = coupled_load(
        gain_db, np.array([0, 1]), [power_w] * 2, [demand_bps] * 2, BANDWIDTH_HZ, noise_w,
        rate=_attenuated, tolerance=1e-12,
    )  # fmt: skip
    assert 0.1 < low < 0.95
    assert found.load_frac == pytest.approx([low, low], abs=1e-10)
    assert not found.overloaded.any()
    assert found.served_frac == pytest.approx([1.0, 1.0])


def test_overload_is_capped_and_says_what_was_asked_for():
    gain_db = np.array([[-90.0, -100.0], [-100.0, -90.0]])
    found = coupled_load(
        gain_db, np.array([0, 1]), [40.0] * 2, [500e6, 1e6], BANDWIDTH_HZ, 1e-11, rate=_attenuated
    )
    assert found.converged
    assert found.overloaded.tolist() == [True, False]
    assert found.load_frac[0] == 1.0
    alone = _attenuated(10.0 * np.log10(40e-9 / (found.load_frac[1] * 40e-10 + 1e-11)), 20e6)
    assert found.wanted_frac[0] == pytest.approx(500e6 / alone, rel=1e-5)
    assert found.served_frac[0] * 500e6 == pytest.approx(alone, rel=1e-5)
    full = 10.0 * np.log10(40e-9 / (40e-10 + 1e-11))
    assert found.load_frac[1] == pytest.approx(1e6 / _attenuated(full, 20e6), rel=1e-5)


def test_an_idle_network_leaves_noise_alone_and_a_full_one_all_interference():
    gain_db, serving, power_w = _network(3)
    linear = 10.0 ** (gain_db / 10.0) * power_w
    own = linear[np.arange(60), serving]
    idle = downlink_sinr_db(gain_db, serving, power_w, np.zeros(7), NOISE_W)
    full = downlink_sinr_db(gain_db, serving, power_w, np.ones(7), NOISE_W)
    assert idle == pytest.approx(10.0 * np.log10(own / NOISE_W))
    assert full == pytest.approx(10.0 * np.log10(own / (linear.sum(axis=1) - own + NOISE_W)))


def test_the_load_of_the_own_cell_does_not_disturb():
    gain_db, serving, power_w = _network(4)
    load = np.full(7, 0.3)
    other = load.copy()
    other[2] = 1.0
    before = downlink_sinr_db(gain_db, serving, power_w, load, NOISE_W)
    after = downlink_sinr_db(gain_db, serving, power_w, other, NOISE_W)
    assert (after[serving == 2] == before[serving == 2]).all()
    assert (after[serving != 2] < before[serving != 2]).all()


def test_a_cell_without_power_neither_serves_nor_disturbs():
    gain_db, serving, power_w = _network(5)
    power_w[0] = 0.0
    sinr_db = downlink_sinr_db(gain_db, serving, power_w, np.ones(7), NOISE_W)
    assert np.isneginf(sinr_db[serving == 0]).all()
    found = coupled_load(gain_db, serving, power_w, np.full(60, 1e5), BANDWIDTH_HZ, NOISE_W)
    assert found.blocked[serving == 0].all()
    assert found.load_frac[0] == 0.0


def test_terminals_without_a_cell_are_blocked_and_load_nothing():
    gain_db, serving, power_w = _network(6)
    without = np.where(np.arange(60) < 10, -1, serving)
    found = coupled_load(gain_db, without, power_w, np.full(60, 1e5), BANDWIDTH_HZ, NOISE_W)
    kept = coupled_load(
        gain_db[10:], serving[10:], power_w, np.full(50, 1e5), BANDWIDTH_HZ, NOISE_W
    )
    assert found.blocked[:10].all()
    assert np.isneginf(found.sinr_db[:10]).all()
    assert found.load_frac == pytest.approx(kept.load_frac)


def test_terminals_out_of_reach_are_left_out_of_the_load():
    gain_db = np.array([[-90.0, -100.0], [-150.0, -160.0], [-100.0, -90.0]])
    serving = np.array([0, 0, 1])
    found = coupled_load(gain_db, serving, [40.0] * 2, [1e6] * 3, BANDWIDTH_HZ, 1e-11)
    assert found.blocked.tolist() == [False, True, False]
    rate = rate_bps(found.sinr_db[[0, 2]], BANDWIDTH_HZ, quality=DOWNLINK)
    assert found.load_frac == pytest.approx(1e6 / rate, rel=1e-5)


def test_broadcast_keeps_an_empty_cell_audible():
    gain_db = np.array([[-90.0, -100.0]])
    found = coupled_load(
        gain_db, np.array([0]), [40.0, 40.0], [1e6], BANDWIDTH_HZ, 1e-13, least_frac=0.05
    )
    assert found.load_frac[1] == 0.05
    assert found.wanted_frac[1] == 0.0
    assert found.sinr_db[0] == pytest.approx(10.0 * np.log10(10.0 / 0.05), abs=1e-2)


@pytest.mark.parametrize("demand_bps", [1e5, 4e5, 1e6, 3e6])
def test_with_steps_of_the_mcs_table_the_start_at_zero_finds_the_least_point(demand_bps):
    gain_db, serving, power_w = _network(8)
    solve = partial(
        coupled_load, gain_db, serving, power_w, np.full(60, demand_bps), BANDWIDTH_HZ, NOISE_W,
        rate=mcs_rate_bps, tolerance=1e-9,
    )  # fmt: skip
    least, greatest = solve(), solve(start_frac=1.0)
    assert least.converged
    assert greatest.converged
    assert (least.load_frac <= greatest.load_frac + 1e-8).all()


def test_uplink_terminals_of_one_cell_do_not_disturb_each_other():
    gain_db = np.array([[-90.0, -110.0], [-95.0, -105.0], [-112.0, -92.0]])
    serving, power_w = np.array([0, 0, 1]), np.array([0.2, 0.1, 0.05])
    got = uplink_sinr_db(gain_db, serving, power_w, [0.5, 0.25, 0.8], 1e-13)
    at_zero = 0.8 * 0.05 * 10.0**-11.2 + 1e-13
    at_one = 0.5 * 0.2 * 10.0**-11.0 + 0.25 * 0.1 * 10.0**-10.5 + 1e-13
    want = [0.2 * 10.0**-9 / at_zero, 0.1 * 10.0**-9.5 / at_zero, 0.05 * 10.0**-9.2 / at_one]
    assert got == pytest.approx(10.0 * np.log10(want))


def test_uplink_load_is_what_the_demands_take_at_the_interference_they_make():
    gain_db, serving, _ = _network(9, spread_db=10.0)
    power_w, demand_bps = np.full(60, 0.2), np.full(60, 3e5)
    found = coupled_uplink_load(
        gain_db,
        serving,
        power_w,
        demand_bps,
        BANDWIDTH_HZ,
        1e-13,
        rate=_attenuated,
        tolerance=1e-12,
    )
    assert found.converged
    assert not found.overloaded.any()
    share = demand_bps / found.rate_bps
    again = uplink_sinr_db(gain_db, serving, power_w, share, 1e-13)
    assert again == pytest.approx(found.sinr_db, abs=1e-6)
    assert np.bincount(serving, share, minlength=7) == pytest.approx(found.load_frac)


def test_overloaded_uplink_is_capped_and_reported():
    gain_db, serving, _ = _network(9, spread_db=10.0)
    found = coupled_uplink_load(
        gain_db, serving, np.full(60, 0.2), np.full(60, 1e8), BANDWIDTH_HZ, 1e-13, rate=_attenuated
    )
    used = np.bincount(serving, minlength=7) > 0
    assert found.overloaded[used].all()
    assert found.load_frac[used] == pytest.approx(1.0)
    assert (found.served_frac[used] < 1.0).all()
    assert found.residual >= 0.0


def test_from_an_empty_network_the_loads_only_rise_and_from_a_full_one_they_only_fall():
    gain_db, serving, power_w = _network(11)
    solve = partial(
        coupled_load, gain_db, serving, power_w, np.full(60, 1.2e6), BANDWIDTH_HZ, NOISE_W,
        rate=_attenuated,
    )  # fmt: skip
    tolerances = (0.3, 1e-2, 1e-3, 1e-5, 1e-8)
    rising = np.array([solve(tolerance=t).load_frac for t in tolerances])
    falling = np.array([solve(tolerance=t, start_frac=1.0).load_frac for t in tolerances])
    assert (np.diff(rising, axis=0) >= 0.0).all()
    assert (np.diff(falling, axis=0) <= 0.0).all()
    assert (rising <= falling + 1e-12).all()  # each pair brackets the one fixed point
    assert rising[-1] == pytest.approx(falling[-1], abs=1e-6)


def test_uplink_terminals_without_a_cell_take_no_time():
    gain_db, serving, _ = _network(9, spread_db=10.0)
    power_w, demand_bps = np.full(60, 0.2), np.full(60, 2e5)
    without = np.where(np.arange(60) < 5, -1, serving)
    found = coupled_uplink_load(gain_db, without, power_w, demand_bps, BANDWIDTH_HZ, 1e-14)
    kept = coupled_uplink_load(
        gain_db[5:], serving[5:], power_w[5:], demand_bps[5:], BANDWIDTH_HZ, 1e-14
    )
    assert found.converged
    assert found.blocked[:5].all()
    assert found.load_frac == pytest.approx(kept.load_frac)
    share = demand_bps[5:] / rate_bps(kept.sinr_db, BANDWIDTH_HZ, quality=UPLINK)
    assert np.bincount(serving[5:], share, minlength=7) == pytest.approx(kept.load_frac, rel=1e-4)


@pytest.mark.parametrize(
    ("find", "demand_bps"),
    [(coupled_load, np.nan), (coupled_load, -1.0)]
    + [(coupled_uplink_load, rate) for rate in (np.nan, -1.0, np.inf)],
)
def test_a_demand_that_is_no_rate_is_refused_instead_of_dropped(find, demand_bps):
    gain_db, serving = np.full((2, 2), -100.0), np.array([0, 1])
    with pytest.raises(DataError, match="terminal 1"):
        find(gain_db, serving, np.ones(2), [1e5, demand_bps], 1e6, 1e-13)


def test_a_full_buffer_fills_its_cell():
    gain_db, serving = np.array([[-100.0, -110.0], [-112.0, -100.0]]), np.array([0, 1])
    found = coupled_load(gain_db, serving, np.ones(2), [np.inf, 1e5], 1e6, 1e-13)
    assert found.load_frac[0] == 1.0
    assert found.overloaded.tolist() == [True, False]
