"""Sleep of a cell against hand calculations: its idle power, its transitions, who waits."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.radio.airtime import fifo_departure_s
from tree6g.radio.broadcast import broadcast
from tree6g.radio.power import station_power
from tree6g.radio.sleep import (
    Intervals,
    duty,
    idle_power_w,
    resting,
    resting_state,
    station_energy,
    station_total_j,
    union,
    wake_delay_s,
)
from tree6g.radio.wake import Arrivals, open_s

NOTHING = Intervals(np.empty(0), np.empty(0))
MODELS = {
    "tr38864-cat1-set1": (280.0, 100e6),
    "tr38864-cat1-set2": (200.0, 20e6),
    "tr38864-cat1-set3": (152.0, 100e6),
    "tr38864-cat2-set1": (32.0, 100e6),
    "tr38864-cat2-set2": (26.0, 20e6),
    "tr38864-cat2-set3": (17.6, 100e6),
}


def _station(model="tr38864-cat1-set1", sleep="light", **signals):
    """In relative units: the anchor is the table's own number."""
    anchor, bandwidth = MODELS[model]
    beams, spacing = {"1": (8, 30e3), "2": (1, 15e3), "3": (64, 120e3)}[model[-1]]
    return station_power(
        model,
        bandwidth_hz=bandwidth,
        anchor_w=anchor,
        sleep=sleep,
        signals=broadcast(beams, spacing, **signals),
    )


def test_an_idle_category_1_cell_with_eight_beams_draws_37_relative_units_by_hand():
    # 20 ms: 32 of 560 symbols carry 8 SSBs in 240 of 3333 subcarriers; the rest is light sleep,
    # entered once. P_SSB = 55 + 225 (0.4 + 0.6 x 7.2 MHz / 100 MHz).
    ssb = 55.0 + 225.0 * (0.4 + 0.6 * 0.072)
    by_hand = (ssb * 32 + 25.0 * (560 - 32)) / 560 + 90e-3 / 20e-3
    station = _station(sib1_symbols=0.0, rach_symbols=0.0)
    assert idle_power_w(station) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(36.9, abs=0.05)


def test_sib1_and_rach_occasions_add_their_share():
    ssb = 55.0 + 225.0 * (0.4 + 0.6 * 0.072)
    symbols = 8 * 560
    sending, listening = 8 * 32 + 8 * 14, 8 * 14
    by_hand = (
        ssb * sending + 110.0 * listening + 25.0 * (symbols - sending - listening)
    ) / symbols + 90e-3 / 20e-3
    assert idle_power_w(_station()) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("period_s", "deepest"), [(0.02, "light"), (0.04, "light"), (0.16, "deep")]
)
def test_rarer_bursts_let_a_cell_sleep_deeper(period_s, deepest):
    station = _station(sleep="deep", ssb_period_s=period_s, rach_period_s=period_s)
    gap_s = period_s - station.signals.ssb_s - station.signals.rach_s
    state = resting_state(station, gap_s)
    assert state.name == deepest
    assert state.transition_s <= gap_s


def test_a_burst_every_5_ms_leaves_no_room_for_light_sleep():
    station = _station(ssb_period_s=0.005)
    assert duty(station, 0.0, 1.0, NOTHING).asleep_s.sum() == 0.0
    assert idle_power_w(station) > 55.0


def test_shallow_sleep_is_taken_where_the_transition_of_a_deeper_one_costs_more():
    station = _station(sleep="deep")
    # Deep beats light when 24 w x t > 1.0 - 0.09 relative seconds: t > 37.9 ms; it needs 50 ms.
    assert resting_state(station, 0.049).name == "light"
    assert resting_state(station, 0.051).name == "deep"
    # Light beats awake when 30 x t > 0.09: t > 3 ms; it needs 6 ms.
    assert resting_state(station, 0.0059) is None


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sleep", ["none", "micro", "light", "deep"])
def test_parts_sum_to_the_power_of_each_state_over_its_time(model, sleep):
    station = _station(model, sleep)
    rng = np.random.default_rng(1)
    start = np.sort(rng.random(40) * 0.97)
    did = duty(station, 0.0, 1.0, union(start, start + 0.01), timer_s=0.003)
    used = {"downlink_s": 0.11, "uplink_s": 0.05}
    parts = station_energy(station, did, **used)
    assert parts.total_j == pytest.approx(station_total_j(station, did, **used), rel=1e-12)
    assert min(parts.asleep_j, parts.awake_j, parts.transition_j, parts.broadcast_j) >= 0.0


@settings(max_examples=60, deadline=None)
@given(
    starts=st.lists(st.floats(0.0, 0.999), max_size=25),
    cuts=st.lists(st.floats(0.001, 0.999), max_size=6, unique=True),
    timer_s=st.sampled_from([0.0, 0.004, 0.05]),
    period_s=st.sampled_from([0.01, 0.02, 0.16]),
)
def test_steps_of_any_length_add_up_to_the_whole(starts, cuts, timer_s, period_s):
    station = _station(sleep="deep", ssb_period_s=period_s, rach_period_s=period_s)
    start = np.array(starts)
    busy = union(start, np.minimum(start + 0.007, 1.0))
    whole = duty(station, 0.0, 1.0, busy, timer_s=timer_s)
    edges, last, steps = [0.0, *sorted(cuts), 1.0], -np.inf, []
    for a, b in itertools.pairwise(edges):
        inside = (busy.end_s > a) & (busy.start_s < b)
        part = Intervals(busy.start_s[inside], busy.end_s[inside])
        steps.append(duty(station, a, b, part, timer_s=timer_s, traffic_end_s=last))
        last = steps[-1].traffic_end_s
    assert sum(d.asleep_s for d in steps) == pytest.approx(whole.asleep_s, abs=1e-9)
    assert sum(d.entries for d in steps).tolist() == whole.entries.tolist()
    assert sum(d.send_s for d in steps) == pytest.approx(whole.send_s)


@given(
    planned=st.lists(st.floats(0.0, 30.0), min_size=1, max_size=20),
    model=st.sampled_from(list(MODELS)),
)
def test_the_choice_of_one_sleep_is_that_of_many(planned, model):
    station = _station(model, "deep")
    for n, planned_s in zip(resting(station, np.array(planned)).tolist(), planned, strict=True):
        assert resting_state(station, planned_s) == (None if n < 0 else station.sleep[n])


def _arrivals(ready, *, service=0.001, uplink=False):
    ready = np.asarray(ready, dtype=float)
    return Arrivals(
        ready_s=ready,
        open_s=ready,
        service_s=np.full(len(ready), service),
        queue=np.zeros(len(ready), dtype=np.intp),
        uplink=np.full(len(ready), uplink),
    )


def _opened(station, ready, *, service=0.001, uplink=False, **how):
    arrivals = _arrivals(ready, service=service, uplink=uplink)
    return open_s(station, 0.0, 1.0, arrivals, other=how.pop("other", NOTHING), **how)


def test_downlink_waits_for_half_of_the_transition():
    station = _station(sib1_symbols=0.0, rach_symbols=0.0)
    assert _opened(station, [0.112])[0] == pytest.approx(0.115)


def test_a_cell_on_its_way_to_sleep_gets_there_first():
    station = _station(sib1_symbols=0.0, rach_symbols=0.0)
    asleep_s = 0.1 + station.signals.ssb_s
    opened = _opened(station, [asleep_s + 0.001])
    assert opened[0] == pytest.approx(asleep_s + 0.006)
    assert wake_delay_s(station.sleep[0], 0.001) == pytest.approx(0.005)


def test_nobody_waits_longer_than_for_the_burst_that_comes_anyway():
    assert _opened(_station(), [0.1185])[0] == pytest.approx(0.12)


def test_uplink_is_heard_at_the_next_rach_occasion_or_by_a_wake_up_receiver():
    station = _station()
    ready = [0.112]
    burst_s = 0.12 + station.signals.ssb_s + station.signals.rach_s
    assert _opened(station, ready, uplink=True)[0] == pytest.approx(burst_s)
    heard = _opened(station, ready, uplink=True, uplink_wake="signal")
    assert heard[0] == pytest.approx(0.115)


def test_whoever_comes_while_the_cell_wakes_or_works_does_not_wake_it_again():
    station = _station()
    opened = _opened(station, [0.110, 0.1115, 0.1145], service=0.003)
    assert opened == pytest.approx([0.113, 0.113, 0.1145])


def test_a_timer_keeps_the_cell_up_for_the_next_message():
    opened = _opened(_station(), [0.106, 0.113], timer_s=0.01)
    assert opened == pytest.approx([0.109, 0.113])


def test_other_traffic_keeps_the_cell_up():
    other = Intervals(np.array([0.109]), np.array([0.114]))
    assert _opened(_station(), [0.111, 0.1085], other=other)[0] == pytest.approx(0.111)
    assert _opened(_station(), [0.1085], other=other)[0] == pytest.approx(0.109)


@pytest.mark.parametrize("sleep", ["none", "micro"])
def test_a_cell_that_does_not_sleep_lets_nobody_wait(sleep):
    ready = np.linspace(0.0, 0.99, 50)
    assert (_opened(_station(sleep=sleep), ready) == ready).all()


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rate_hz=st.sampled_from([5.0, 50.0, 400.0]),
    uplink=st.booleans(),
    timer_s=st.sampled_from([0.0, 0.02]),
)
def test_no_sleep_is_shorter_than_its_transition_and_no_wait_longer_than_a_period(
    seed, rate_hz, uplink, timer_s
):
    station = _station()
    rng = np.random.default_rng(seed)
    ready = np.sort(rng.random(rng.poisson(rate_hz)))
    opened = _opened(station, ready, uplink=uplink, timer_s=timer_s)
    wait = opened - ready
    most = 0.006 if not uplink else 0.02 + station.signals.sib1_s + station.signals.ssb_s
    assert (wait >= 0.0).all()
    assert wait.max(initial=0.0) <= most + 1e-12
    busy = union(*fifo_departure_s(opened, np.full(len(ready), 0.001), 0.0))
    did = duty(station, 0.0, 1.0, busy, timer_s=timer_s)
    assert did.asleep_s[0] >= did.entries[0] * 0.006 - 0.02  # the run cuts its last sleep


def test_waits_for_light_sleep_are_those_of_a_queue_with_a_set_up_time():
    """M/D/1 with set-up: E[W] = rho s / 2 (1 - rho) + D (1 + lambda D / 2) / (1 + lambda D).

    Welch, Operations Research 12(5) 1964; the set-up D is half of the transition. Bursts are rare,
    and the cell sleeps at once, so that neither matters much.
    """
    station = _station(sib1_symbols=0.0, rach_symbols=0.0, ssb_period_s=0.16, sib1_period_s=0.16,
                       rach_period_s=0.16)  # fmt: skip
    rng = np.random.default_rng(4)
    rate_hz, service_s, wake_s, horizon_s = 10.0, 0.02, 0.003, 4000.0
    ready = np.sort(rng.random(rng.poisson(rate_hz * horizon_s)) * horizon_s)
    arrivals = _arrivals(ready, service=service_s)
    opened = open_s(station, 0.0, horizon_s, arrivals, other=NOTHING)
    start, _ = fifo_departure_s(opened, np.full(len(ready), service_s), 0.0)
    rho = rate_hz * service_s
    plain = rho * service_s / (2.0 * (1.0 - rho))
    extra = wake_s * (1.0 + 0.5 * rate_hz * wake_s) / (1.0 + rate_hz * wake_s)
    assert (start - ready).mean() - plain == pytest.approx(extra, rel=0.1)


def test_with_fdd_receiving_costs_nothing_while_the_cell_sends_traffic_or_broadcast():
    # TR 38.864: where both are at once the uplink is neglected. They meet by chance; the RACH
    # occasions come after the broadcast and never meet it.
    station = dataclasses.replace(_station(sleep="none"), fdd=True)
    period_s = 0.16
    did = duty(station, 0.0, period_s, Intervals(np.array([0.0]), np.array([period_s])))
    above_w = station.uplink_w - station.awake_w
    for down_s in (0.0, 0.04, period_s):
        energy = station_energy(station, did, downlink_s=down_s, uplink_s=period_s)
        silent = (1.0 - down_s / period_s) * (1.0 - did.send_s / period_s)
        assert energy.uplink_j == pytest.approx(above_w * period_s * silent)
        total_j = station_total_j(station, did, downlink_s=down_s, uplink_s=period_s)
        assert energy.total_j == pytest.approx(total_j, rel=1e-12)
    sending = station_energy(station, did, downlink_s=period_s, uplink_s=period_s)
    assert sending.total_j == pytest.approx(station.downlink_w * period_s)
