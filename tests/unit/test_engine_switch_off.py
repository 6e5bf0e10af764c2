"""Cells that go off and return where others cover their users: nobody is lost, joules are saved."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from engine_worlds import small
from tree6g.engine import coverage, header, run
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN
from tree6g.engine.load import settle
from tree6g.engine.policies.sleep import Order, sleep_policy
from tree6g.engine.world import Tick
from tree6g.ledger.check import check
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import new_ledger
from tree6g.scenario.load import load

STATION = {"model": "tr38864-cat1-set1", "anchor_power": "280 W", "bandwidth": "100 MHz"}


def _two_sites(**changes):
    plain = small(population={"users": 20, "ai_requests_per_user_hour": 30}, sleep_period="5 s")
    plain["sites"][0] |= {"base_station": STATION | {"antenna_gain": "15 dBi"}, "radius": "60 m"}
    plain["sites"].append(copy.deepcopy(plain["sites"][0]) | {"name": "b", "servers": []})
    plain["clouds"] = [
        {"name": "dc", "servers": [{"name": "g", "accelerator": "l4", "model": "llama-3.2-3b"}]}
    ]
    plain["links"] = [{"to": "dc", "latency": "5 ms"}]
    return plain | {"policy": "cloud-only"} | changes


def _simulated(folder, plain, policy, *, covered_db=-6.0):
    """Run two cells that hear each other's users, `covered_db` weaker than their own."""
    world = build(load(plain, ()), {}, None, policy)
    for crowd in world.radio.crowds():
        own = np.argmax(crowd.gain_db, axis=1)
        rows = np.arange(len(own))
        crowd.gain_db[rows, 1 - own] = crowd.gain_db[rows, own] + covered_db
    meta = header.first_meta(world)
    with new_ledger(folder, meta) as writer:
        header.write_tables(world, writer, run.simulate(world, writer))
        writer.flush()
        writer.update_meta(header.last_meta(world, meta))
    return world, open_ledger(folder)


def _bits(ledger):
    text = "SELECT sum(amount) AS n FROM work WHERE kind IN ('bit_ul', 'bit_dl')"
    return ledger.query(text).to_pylist()[0]["n"]


def _radio(ledger):
    text = (
        "SELECT node, sum(energy_j) AS n FROM energy WHERE component = 'radio_unit' GROUP BY node"
    )
    return {row["node"]: row["n"] for row in ledger.query(text).to_pylist()}


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cover")
    return {
        name: _simulated(folder / name, _two_sites(), sleep_policy(name))
        for name in ("idle-timer", "cell-switch-off")
    }


def test_one_of_two_cells_goes_off_and_the_other_serves_its_users(worlds):
    world, ledger = worlds["cell-switch-off"]
    assert sorted(cell.on for cell in world.cells) == [False, True]
    (on,) = [cell.index for cell in world.cells if cell.on]
    assert all((crowd.serving == on).all() for crowd in world.radio.crowds())
    off = world.cells[1 - on]
    assert _radio(ledger)[off.node] < 0.2 * _radio(worlds["idle-timer"][1])[off.node]


def test_nothing_is_lost_when_a_cell_goes_off(worlds):
    (kept, before), (switched, after) = worlds["idle-timer"], worlds["cell-switch-off"]
    assert _bits(after) == pytest.approx(_bits(before), rel=1e-9)
    assert header.count_requests(switched).served == header.count_requests(kept).served
    assert not after.query("SELECT * FROM work WHERE kind LIKE '%_lost'").to_pylist()
    assert check(after).problems == ()
    assert check(after).conservation_error_frac <= 1e-9


def test_the_network_saves_what_the_cell_that_is_off_does_not_draw(worlds):
    before, after = (sum(_radio(ledger).values()) for _, ledger in worlds.values())
    assert after < 0.75 * before


def test_cells_that_do_not_cover_each_other_stay_on(tmp_path):
    world, _ = _simulated(
        tmp_path / "far", _two_sites(), sleep_policy("cell-switch-off"), covered_db=-np.inf
    )
    assert all(cell.on for cell in world.cells)


@pytest.mark.parametrize("model", ["tr38864-cat1-set1", "tr38864-cat2-set1"])
def test_a_cell_that_goes_off_and_returns_again_and_again_loses_nothing(tmp_path, model):
    plain = _two_sites()
    for site in plain["sites"]:
        site["base_station"]["model"] = model

    def blink(t_s, cells):
        return [Order(on=(t_s // 15.0) % 2 == 0.0), Order()]

    world, ledger = _simulated(tmp_path / "blink", plain, blink)
    _, kept = _simulated(tmp_path / "kept", plain, lambda _, cells: [Order(), Order()])
    assert _bits(ledger) == pytest.approx(_bits(kept), rel=1e-9)
    assert check(ledger).conservation_error_frac <= 1e-9
    went = ledger.query(
        "SELECT sum(energy_j) AS e FROM energy WHERE node = 'a.cell' AND state = 'transition'"
    ).to_pylist()[0]["e"]
    off = world.cells[0].station.off
    assert went >= 3 * off.transition_j
    assert _radio(ledger)["a.cell"] < _radio(kept)["a.cell"]


def test_whoever_is_left_at_a_cell_that_went_off_wakes_it(tmp_path):
    """No policy may order that, but a terminal may come to a cell that is off all the same."""
    world = build(load(_two_sites(), ()), {}, None, lambda _, cells: [Order(), Order()])
    cell = world.cells[0]
    cell.rest.switch_off(0.0)
    cell.rest.switch_on(1.0)
    assert cell.rest.up_from_s == pytest.approx(1.025)
    assert cell.rest.off_until(0.0, 1.01) == 1.01
    assert cell.rest.off_until(1.0, 2.0) == pytest.approx(1.025)


def test_a_category_2_cell_returns_after_five_seconds(tmp_path):
    plain = _two_sites()
    plain["sites"][0]["base_station"]["model"] = "tr38864-cat2-set1"
    rest = build(load(plain, ()), {}, None, None).cells[0].rest
    rest.switch_off(100.0)
    rest.switch_on(102.0)
    assert rest.up_from_s == pytest.approx(110.0)


def test_whom_its_own_cell_hardly_reaches_loses_nothing_with_another_as_good():
    """Covered: 3 dB above the least SINR, or no nearer to it than with the strongest cell."""
    world = build(load(_two_sites(), ()), {}, None, None)
    (crowd, *_) = world.radio.crowds()
    faint_db = crowd.gain_db[0, 0] - 200.0
    for own_db, other_db, covered in (
        (0.0, -3.0, True), (faint_db, faint_db - 0.1, False), (faint_db, faint_db, True),
    ):  # fmt: skip
        for each in world.radio.crowds():
            each.gain_db[:, 0], each.gain_db[:, 1] = own_db - 60.0, other_db - 60.0
        world.radio.covering = None  # as whoever changes gains says
        (sets, _) = coverage.covering(world)
        assert sets == frozenset({frozenset({1} if covered else ())})


def test_a_cell_that_is_off_broadcasts_nothing_and_counts_for_no_other():
    plain = _two_sites(interference="load")
    for n, site in enumerate(plain["sites"]):
        site["position"] = {"x": f"{400 * n} m", "y": "0 m"}
    plain["sites"][1]["base_station"] = STATION | {"antenna_gain": "15 dBi", "ssb_period": "5 ms"}
    world = build(load(plain, ()), {})
    world.cells[1].on = False
    settle(world, DOWN, Tick(t0_s=0.0, t1_s=1.0))
    alone = world.cells[0].station.signals.sending_frac
    assert world.radio.load_frac[DOWN].tolist() == pytest.approx([alone, 0.0])
