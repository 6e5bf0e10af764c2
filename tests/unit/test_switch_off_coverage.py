"""Who goes off must leave somebody there: cells on their way up, users who walk, narrow bands."""

from __future__ import annotations

import numpy as np
import pytest

from engine_worlds import hexagon, small
from tree6g.engine import sleep
from tree6g.engine.build import build
from tree6g.engine.load import focus_db, radiated_w
from tree6g.engine.policies.sleep import CellReport, Order, sleep_policy
from tree6g.engine.run import run
from tree6g.engine.world import Tick
from tree6g.errors import ScenarioError
from tree6g.scenario.load import load

STATION = {"model": "tr38864-cat2-set1", "anchor_power": "280 W", "bandwidth": "100 MHz"}


def _pair(policy):
    """Two cells of category 2 at one place, which all users hear alike."""
    plain = small(sleep_period="10 s")
    first = plain["sites"][0] | {"base_station": STATION, "position": {"x": "0 m", "y": "0 m"}}
    second = first | {"name": "b", "servers": [], "position": {"x": "10 m", "y": "0 m"}}
    plain["sites"] = [first, second]
    world = build(load(plain, ()), {}, None, policy)
    for crowd in world.radio.crowds():
        crowd.gain_db[:, 1] = crowd.gain_db[:, 0]
    return world


def test_a_cell_stays_until_the_one_that_takes_its_users_is_up():
    """Waking from off takes 5 s: half of the transition of deep sleep of category 2."""

    def swap(t_s, cells):
        even = (t_s // 10.0) % 2 == 0
        return [Order(on=even), Order(on=not even)]

    world = _pair(swap)
    nobody, lasted = 0, 0
    for second in range(40):
        sleep.decide(world, Tick(t0_s=float(second), t1_s=second + 1.0))
        nobody += not any(cell.on for cell in world.cells)
        lasted += all(cell.on for cell in world.cells)
        serving = np.concatenate([crowd.serving for crowd in world.radio.crowds()])
        assert all(world.cells[n].on for n in np.unique(serving).tolist())
        for cell in world.cells:
            up_s = cell.rest.up_from_s
            if cell.rest.off_from_s is not None and up_s <= second + 1.0:
                cell.rest.off_from_s, cell.rest.up_from_s = None, -np.inf
    assert nobody == 0
    assert lasted <= 3


def test_a_cell_that_is_off_returns_when_whom_it_covers_has_nobody_else():
    """A user may have walked out of reach of the cells that are on."""
    decide = sleep_policy("cell-switch-off")
    off = CellReport(
        node="a", on=False, idle_timer_s=0.0, covering=frozenset({frozenset({1}), frozenset()})
    )
    other = CellReport(node="b", on=True, idle_timer_s=0.0, covering=frozenset({frozenset()}))
    assert [order.on for order in decide(10.0, [off, other])] == [True, True]


def test_cells_that_are_off_return_one_for_another():
    decide = sleep_policy("cell-switch-off")
    off = [
        CellReport(node=name, on=False, idle_timer_s=0.0, covering=frozenset({frozenset({1 - n})}))
        for n, name in enumerate("ab")
    ]
    far = CellReport(node="c", on=True, idle_timer_s=0.0, covering=frozenset({frozenset()}))
    assert [order.on for order in decide(10.0, [*off, far])].count(True) == 2


def test_switching_off_under_users_who_walk_leaves_nobody_alone(tmp_path):
    changes = ("population.speed='30 km/h'", "duration='3 min'")
    result = run("night-layers", out=tmp_path, overrides=changes)
    lost = "SELECT count(*) AS n FROM work WHERE kind = 'bit_lost'"
    assert result.ledger.query(lost).to_pylist() == [{"n": 0}]


@pytest.mark.parametrize(("width_hz", "goes"), [(100e6, True), (20e6, False)])
def test_the_room_of_a_covering_cell_counts_its_bandwidth(width_hz, goes):
    """8 % of 100 MHz is 40 % of 20 MHz."""
    decide = sleep_policy("cell-switch-off")
    wide, other = (
        CellReport(
            node=name, on=True, idle_timer_s=0.0, downlink_frac=load, bandwidth_hz=hz,
            covering=frozenset({frozenset(others)}),
        )
        for name, load, hz, others in (("a", 0.08, 100e6, {1}), ("b", 0.05, width_hz, set()))
    )  # fmt: skip
    assert decide(10.0, [wide, other])[0].on is not goes


def test_a_policy_is_told_the_bandwidth_that_is_on():
    told = []

    def note(t_s, cells):
        told.extend(cell.bandwidth_hz for cell in cells)
        return [Order() for _ in cells]

    world = _pair(note)
    sleep.decide(world, Tick(t0_s=0.0, t1_s=1.0))
    assert told == [100e6, 100e6]


def test_a_cell_that_has_just_come_up_pays_for_its_next_sleep():
    """Coming up counts as traffic: it is not asleep at once, as though it had never gone off."""
    rest = _pair(None).cells[0].rest
    rest.switch_off(100.0)
    rest.switch_on(120.0)
    assert rest.traffic_end_s == rest.up_from_s == pytest.approx(125.0)


def test_muted_antennas_disturb_others_by_their_power_alone():
    """Half of the transceivers: users lose 6 dB of power and array gain, neighbours' noise 3 dB."""
    world = build(load(hexagon(), ()), {}, None, None)
    cell = world.cells[0]
    before_w = radiated_w(cell)
    cell.downlink_db = 20.0 * np.log10(0.5)
    cell.rest.follow(Order(antenna_frac=0.5), 0.0)
    assert radiated_w(cell) == pytest.approx(0.5 * before_w)
    assert focus_db(cell) == pytest.approx(10.0 * np.log10(0.5))


def test_the_sleep_of_many_cells_is_summed_up():
    world = build(load(hexagon(), ()), {}, None, None)
    for n, cell in enumerate(world.cells):
        cell.rest.lasted_s, cell.rest.asleep_s = 100.0, 10.0 + n
        waits = cell.rest.waits["bit_dl"]
        waits.messages, waits.woken, waits.wait_s, waits.longest_s = 10, 5, 0.05, 0.001 * (n + 1)
    (told,) = sleep.notes(world)
    assert told == (
        "21 cells slept 20% of the time (10% to 30%); 50% of downlink messages found their cell "
        "asleep and waited 10.0 ms on average, 21.0 ms at most."
    )


@pytest.mark.parametrize(
    "orders",
    [
        None, ["on"], [None, None], [Order(timer_s=-1.0)] * 2, [Order(timer_s=np.nan)] * 2,
        [Order(carriers=0)] * 2, [Order(carriers=2)] * 2, [Order(antenna_frac=0.0)] * 2,
    ],
)  # fmt: skip
def test_orders_that_no_cell_can_follow_are_refused_in_words(orders):
    world = _pair(lambda t_s, cells: orders)
    with pytest.raises(ScenarioError, match="from the sleep policy; got"):
        sleep.decide(world, Tick(t0_s=0.0, t1_s=1.0))
