"""Every sleep pays its way there and back once: across steps, orders and muted carriers."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import small
from tree6g.engine.build import build
from tree6g.engine.policies.sleep import Order
from tree6g.engine.rest import Rest
from tree6g.engine.run import run
from tree6g.radio.broadcast import broadcast
from tree6g.radio.power import carriers_power, station_power
from tree6g.radio.sleep import Intervals, asleep_in, duty
from tree6g.scenario.load import load
from tree6g.scenario.station import BaseStation

NOTHING = Intervals(np.empty(0), np.empty(0))
PERIOD_S = 0.16
STEP_S = 0.04


def _rest(carriers=1, sleep="deep"):
    signals = broadcast(8, 30e3, ssb_period_s=PERIOD_S, rach_period_s=PERIOD_S)
    station = station_power(
        "tr38864-cat1-set1", bandwidth_hz=100e6, anchor_w=280.0, sleep=sleep, carriers=carriers,
        signals=signals,
    )  # fmt: skip
    return Rest.of(station, BaseStation())


def _entries(orders, rest):
    """Entries and time asleep of each step without traffic, with an order at the start of each."""
    told = []
    for step, order in enumerate(orders):
        t0_s = step * STEP_S
        rest.follow(order, t0_s)
        did = duty(
            rest.station, t0_s, t0_s + STEP_S, NOTHING,
            timer_s=rest.order.timer_s, traffic_end_s=rest.traffic_end_s,
        )  # fmt: skip
        rest.traffic_end_s = did.traffic_end_s
        told.append((did.entries.tolist(), did.asleep_s.tolist()))
    return told


AWAKE, ASLEEP = Order(sleeps=False), Order()


def test_a_sleep_that_an_order_begins_within_a_gap_pays_its_transition():
    for sleep in ("light", "deep"):
        told = _entries([AWAKE, AWAKE, ASLEEP, ASLEEP], _rest(sleep=sleep))
        assert [sum(entries) for entries, _ in told] == [0, 0, 1, 0]
        assert told[2][1][told[2][0].index(1)] == pytest.approx(STEP_S)


def test_a_shorter_timer_within_a_gap_begins_a_sleep_that_is_paid():
    rest = _rest()
    rest.traffic_end_s = 0.0
    told = _entries([Order(timer_s=1.0), Order(timer_s=0.01), Order(timer_s=0.01)], rest)
    assert [sum(entries) for entries, _ in told] == [0, 1, 0]


def test_the_sleep_that_an_order_begins_fits_into_what_is_left_of_the_gap():
    told = _entries([AWAKE, AWAKE, AWAKE, ASLEEP], _rest())
    entries, asleep_s = told[3]
    assert entries == [1, 0]  # 40 ms are left: not the 50 ms of deep sleep
    assert asleep_s == pytest.approx([STEP_S, 0.0])


@pytest.mark.parametrize(
    "same", [Order(), Order(antenna_frac=0.5), Order(timer_s=0.02), Order(carriers=1)]
)
def test_a_sleep_that_goes_on_under_a_new_order_pays_nothing_more(same):
    told = _entries([ASLEEP, same, ASLEEP, same], _rest())
    assert [sum(entries) for entries, _ in told] == [1, 0, 0, 0]


def test_a_longer_timer_wakes_a_cell_and_the_sleep_after_it_is_paid_again():
    rest = _rest()
    rest.traffic_end_s = 0.0
    told = _entries([ASLEEP, Order(timer_s=0.06), ASLEEP], rest)
    assert [sum(entries) for entries, _ in told] == [1, 1, 0]
    assert sum(told[1][1]) == pytest.approx(0.02)


def test_carriers_that_come_back_wake_the_cell_which_then_sleeps_anew():
    told = _entries([Order(carriers=1), Order(carriers=1), Order(), Order()], _rest(carriers=3))
    assert [sum(entries) for entries, _ in told] == [1, 0, 1, 0]


@pytest.mark.parametrize("timer_s", [0.0, 0.01, 1.0 / 3.0, 7.7])
def test_what_a_cell_does_at_an_order_is_paid_at_any_time_of_the_run(timer_s):
    rest = _rest()
    t_s = 1e4 + 0.06
    rest.follow(AWAKE, t_s - STEP_S)
    rest.follow(Order(timer_s=timer_s), t_s)
    did = duty(
        rest.station, t_s, t_s + 0.05, NOTHING, timer_s=timer_s, traffic_end_s=rest.traffic_end_s
    )
    assert did.entries.sum() == 1
    assert did.asleep_s.sum() == pytest.approx(0.05)


def test_asleep_in_says_what_the_step_before_did():
    rest = _rest()
    for t_s in np.linspace(0.001, 3 * PERIOD_S, 97).tolist():
        state = asleep_in(rest.station, t_s, timer_s=0.01)
        did = duty(rest.station, t_s - 1e-7, t_s + 1e-7, NOTHING, timer_s=0.01)
        slept = did.asleep_s.sum() > 1.5e-7
        assert (state is not None) == slept, t_s


def test_carriers_pay_the_way_off_once_when_they_are_muted():
    rest = _rest(carriers=3)
    part = 1.0 - 1.0 / carriers_power(3)
    rest.follow(Order(carriers=1), 0.0)
    assert rest.entered_off == pytest.approx(part)
    rest.entered_off = 0.0
    rest.follow(Order(carriers=1), STEP_S)
    assert rest.entered_off == 0.0
    rest.follow(Order(), 2 * STEP_S)
    assert rest.entered_off == 0.0
    rest.follow(Order(carriers=2), 3 * STEP_S)
    assert rest.entered_off == pytest.approx(1.0 - carriers_power(2) / carriers_power(3))


def test_a_cell_that_goes_off_pays_for_the_carriers_that_were_on():
    rest = _rest(carriers=3)
    rest.follow(Order(carriers=1), 0.0)
    rest.follow(Order(on=False, carriers=1), STEP_S)
    rest.switch_off(STEP_S)
    assert rest.entered_off == pytest.approx(1.0)
    rest.entered_off = 0.0
    rest.follow(Order(on=False), 2 * STEP_S)
    rest.follow(Order(carriers=1), 3 * STEP_S)  # its others stay off
    assert rest.entered_off == 0.0


def test_muted_carriers_pay_their_transition_in_the_ledger(tmp_path):
    plain = small(population={"users": 1, "ai_requests_per_user_hour": 0}, sleep_period="5 s")
    plain["services"] = [plain["services"][0]]
    plain["sites"][0]["base_station"] = {
        "model": "tr38864-cat1-set1", "anchor_power": "280 W", "bandwidth": "100 MHz",
        "carriers": 4, "sleep": "none",
    }  # fmt: skip
    result = run(plain, out=tmp_path / "x", sleep_policy=lambda _, cells: [Order(carriers=1)])
    query = "SELECT sum(energy_j) AS n FROM energy WHERE state = 'transition'"
    query += " AND component = 'radio_unit'"
    paid_j = result.ledger.query(query).to_pylist()[0]["n"]
    world = build(load(plain, ()), {})
    off = world.cells[0].rest.whole.off
    assert paid_j == pytest.approx(off.transition_j * (1.0 - 1.0 / carriers_power(4)))
