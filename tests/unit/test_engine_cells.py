"""Runs of networks with many cells: who serves whom, what others disturb, what moves along."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from engine_worlds import hexagon, small
from tree6g.engine import radio
from tree6g.engine.airtime import messages
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.load import settle
from tree6g.engine.run import advance, run
from tree6g.engine.world import Tick
from tree6g.errors import ScenarioError
from tree6g.ledger.check import check
from tree6g.scenario.load import load


def _world(plain):
    return build(load(plain), {})


def _step(world, t0_s=0.0):
    tick = Tick(t0_s=t0_s, t1_s=t0_s + world.step_s)
    advance(world, tick)
    return tick


def _station(plain, **changes):
    plain["sites"][0]["base_station"] |= changes
    return plain


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return run(hexagon(), out=tmp_path_factory.mktemp("hexagon"))


def test_the_accounts_of_many_cells_balance(result):
    report = check(result.ledger)
    assert report.problems == ()
    assert report.conservation_error_frac <= 1e-9
    count = result.requests
    assert count.arrived == count.served + count.lost > 0


def test_every_sector_is_a_node_and_every_site_has_its_terminals_and_link_once(result):
    rows = result.ledger.query("SELECT node, what FROM entity").to_pylist()
    nodes = [row["node"] for row in rows]
    assert len(set(nodes)) == len(nodes)
    count = {what: sum(r["what"] == what for r in rows) for what in ("cell", "terminals", "link")}
    assert count == {"cell": 21, "terminals": 7, "link": 7}
    assert {"mast-1.cell-1", "mast-7.cell-3"} <= set(nodes)


def test_the_header_says_how_the_fixed_points_were_met(result):
    (note,) = [n for n in result.ledger.meta.notes if n.startswith("Load and interference")]
    assert "not converged" not in note


def test_the_same_seed_gives_the_same_energy(result, tmp_path):
    assert run(hexagon(), out=tmp_path).tree().energy_j == result.tree().energy_j


def test_users_are_those_of_all_sites_and_the_strongest_cell_serves_them():
    world = _world(hexagon())
    users = world.radio.users
    assert users.gain_db.shape == (7 * 30, 21)
    assert (users.serving == users.gain_db.argmax(axis=1)).all()
    assert len(set(users.serving.tolist())) > 10


def test_requests_of_a_user_go_to_the_edge_servers_of_the_serving_site(tmp_path):
    plain = hexagon(policy="edge-only", links=[], clouds=[])
    plain["sites"][0]["servers"] = copy.deepcopy(small()["sites"][0]["servers"])
    ledger = run(plain, out=tmp_path).ledger
    rows = ledger.query("SELECT DISTINCT node FROM work WHERE kind = 'token_out'").to_pylist()
    assert len(rows) > 3


def test_other_cells_disturb_only_when_they_send():
    world = _world(hexagon())
    users = world.radio.users
    two_best = np.sort(users.gain_db, axis=1)[:, -2:]
    own = int((two_best[:, 1] - two_best[:, 0]).argmin())
    second = int(users.gain_db[own].argsort()[-2])
    other = int(np.flatnonzero(users.serving == second)[0])
    cells = [world.cells[users.serving[n]] for n in (own, other)]
    tick = Tick(t0_s=0.0, t1_s=1.0)

    def rate_of_own(bits):
        for cell, terminal, bit in zip(cells, (own, other), bits, strict=True):
            for pool in cell.downlink.pools:
                pool.queues.clear()
            if bit:
                cell.push(DOWN, "chat", messages(np.zeros(1), bit, terminal, ref=0))
        settle(world, DOWN, tick)
        return world.radio.rate_bps[DOWN]["chat"][own]

    alone, beside, busy = rate_of_own((1e6, 0.0)), rate_of_own((1e6, 2e7)), rate_of_own((1e6, 1e9))
    assert alone > beside > busy
    assert world.radio.load_frac[DOWN][cells[1].index] == pytest.approx(1.0, abs=1e-3)


def test_a_cell_on_another_frequency_does_not_disturb():
    plain = hexagon(layout=None)
    mast = plain["sites"][0] | {"position": {"x": "0 m", "y": "0 m"}, "radius": "200 m"}
    other = copy.deepcopy(mast) | {"name": "b", "position": {"x": "300 m", "y": "0 m"}}
    other["base_station"]["frequency"] = "2 GHz"
    both = _world(plain | {"sites": [mast, other]})
    alone = _world(plain | {"sites": [mast]})
    assert len(both.cells) == 6
    for world in (both, alone):
        world.cells[0].push(DOWN, "chat", messages(np.zeros(1), 1e6, 0, ref=0))
        world.radio.users.serving[:] = 0
    for cell in both.cells[3:]:
        both.radio.users.serving[1] = cell.index
        cell.push(DOWN, "chat", messages(np.zeros(1), 1e9, 1, ref=0))
    gains = alone.radio.users.gain_db
    both.radio.users.gain_db[: len(gains), :3] = gains
    rates = []
    for world in (both, alone):
        settle(world, DOWN, Tick(t0_s=0.0, t1_s=1.0))
        rates.append(world.radio.rate_bps[DOWN]["chat"][0])
    assert rates[0] == rates[1]


def _bits(world):
    queues = [q for c in world.cells for k in (UP, DOWN) for p in c.carrier(k).pools
              for q in p.queues.values()]  # fmt: skip
    held = world.chunks.values()
    return sum(float(m["left_bit"].sum()) for m in (*queues, *held))


def test_terminals_of_a_cell_that_goes_off_take_their_messages_along():
    plain = hexagon()
    plain["services"][2] |= {"message": "50 MB", "period": "2 s"}
    world = _world(plain)
    for n in range(4):
        _step(world, n * world.step_s)
    waiting = _bits(world)
    busiest = next(c for c in world.cells if c.downlink.pools[0].queues)
    busiest.on = False
    radio.attach(world)
    assert not busiest.downlink.pools[0].queues
    assert busiest.index not in world.radio.users.serving
    assert _bits(world) == pytest.approx(waiting, rel=1e-12)
    busiest.on = True
    radio.attach(world)
    users = world.radio.users
    assert (users.serving == users.gain_db.argmax(axis=1)).all()


def test_half_the_band_halves_the_downlink_at_the_same_sinr():
    world = _world(small())
    whole = world.radio.rate_bps[DOWN]["chat"].copy()
    world.cells[0].band_frac = 0.5
    radio.refresh(world)
    assert world.radio.rate_bps[DOWN]["chat"] == pytest.approx(0.5 * whole)
    world.cells[0].band_frac, world.cells[0].downlink_db = 1.0, -3.0
    radio.refresh(world)
    assert (world.radio.rate_bps[DOWN]["chat"] <= whole).all()


def test_a_message_under_way_continues_at_the_new_rate_with_the_bits_that_are_left():
    world = _world(small(services=[small()["services"][2]]))
    cell, pool = world.cells[0], world.cells[0].downlink.pools[0]
    rate = float(world.radio.rate_bps[DOWN]["files"][0])
    pool.push("files", messages(np.zeros(1), 1.5 * rate, 0))
    paces = world.radio.paces(DOWN)
    pool.advance(0.0, 1.0, paces)
    assert pool.queues["files"]["left_bit"][0] == pytest.approx(0.5 * rate)
    cell.band_frac = 0.5
    radio.refresh(world)
    passage = pool.advance(1.0, 3.0, world.radio.paces(DOWN))["files"]
    assert passage.end_s == pytest.approx([2.0])


def test_a_far_terminal_gets_the_part_of_the_band_that_its_power_fills():
    plain = _station(hexagon(), scheduler="round-robin", uplink_p0="-80 dBm")
    world = _world(plain)
    part, gain = world.radio.part_frac[UP]["chat"], world.radio.users.gain_db.max(axis=1)
    assert 0.0 < part.min() < part.max() == 1.0
    assert (np.diff(part[np.argsort(gain)]) >= -1e-12).all()
    assert (world.radio.part_frac[DOWN]["chat"] == 1.0).all()


def test_round_robin_does_not_let_a_slow_terminal_hold_up_others():
    ends = {}
    for scheduler in ("first-come", "round-robin"):
        world = _world(_station(small(), scheduler=scheduler))
        pool = world.cells[0].downlink.pools[0]
        rates = world.radio.rate_bps[DOWN]["chat"]
        slow, fast = int(rates.argmin()), int(rates.argmax())
        batch = messages(
            np.array([0.0, 0.001]), np.array([rates[slow] * 5, rates[fast] * 0.1]), [slow, fast]
        )
        pool.push("chat", batch)
        sent = pool.advance(0.0, 1.0, world.radio.paces(DOWN))["chat"].sent
        ends[scheduler] = sent["terminal"].tolist()
        waits = pool.queues["chat"]
        left = waits["left_bit"][waits["terminal"] == slow] / rates[slow]
        assert left == pytest.approx(4.0 if scheduler == "first-come" else 4.1)
    assert ends == {"first-come": [], "round-robin": [fast]}


@pytest.mark.parametrize(
    "changes",
    [{"link": "mcs"}, {"antennas": 16, "layers": 4}, {"slot_pattern": "DDDSU"},
     {"slot_pattern": "FDD"}, {"link": "mcs", "frequency": "28 GHz", "subcarrier": "120 kHz",
                               "bandwidth": "100 MHz"}],
)  # fmt: skip
def test_every_kind_of_link_runs_and_balances(tmp_path, changes):
    result = run(_station(small(), **changes), out=tmp_path)
    assert check(result.ledger).problems == ()
    assert result.requests.served > 0


def test_more_layers_serve_more_bits_and_more_antennas_hear_better():
    one, two, four = (
        _world(_station(small(), antennas=n, layers=m)).radio.rate_bps
        for n, m in ((4, 1), (4, 2), (16, 1))
    )
    assert (two[DOWN]["chat"] >= one[DOWN]["chat"]).all()
    assert (two[DOWN]["chat"] > one[DOWN]["chat"]).any()
    assert (four[UP]["chat"] >= one[UP]["chat"]).all()


def test_a_slot_pattern_gives_shares_and_latency():
    cell = _world(_station(small(), slot_pattern="DDDSU")).cells[0]
    assert cell.downlink.time_frac == pytest.approx((3 * 14 + 10) / 70)
    assert cell.uplink.time_frac == pytest.approx(16 / 70)
    assert 0.5e-3 < cell.downlink.latency_s < cell.uplink.latency_s < 10e-3


def test_a_pattern_without_uplink_is_refused():
    with pytest.raises(ScenarioError, match="uplink"):
        _world(_station(small(), slot_pattern="DDD"))


def test_users_at_given_places_hear_the_site_they_stand_at():
    places = [{"x": f"{x} m", "y": "0 m"} for x in (-490, -480, 480, 490, 510)]
    site = hexagon()["sites"][0] | {"sectors": 1}
    sites = [site | {"name": n, "position": {"x": f"{x} m", "y": "0 m"}, "indoor_frac": 0.0}
             for n, x in (("west", -500), ("east", 500))]  # fmt: skip
    people = {"ai_requests_per_user_hour": 600, "places": places}
    world = _world(hexagon(layout=None, sites=sites, population=people))
    assert world.radio.users.first.tolist() == [0, 2, 5]
    assert world.radio.users.serving.tolist() == [0, 0, 1, 1, 1]
    assert set(world.requests.site.tolist()) == {0, 1}
    assert world.requests.user.max() == 2


def test_indoor_users_hear_less():
    gains = []
    for share in (0.0, 1.0):
        plain = small()
        plain["sites"][0]["indoor_frac"] = share
        gains.append(_world(plain).radio.users.gain_db)
    assert (gains[1] <= gains[0]).all()
    assert gains[1].mean() < gains[0].mean() - 5.0


def test_a_poisson_layout_has_its_own_sites_and_runs(tmp_path):
    plain = hexagon(layout={"kind": "poisson", "sites": 5, "spacing": "400 m"})
    result = run(plain, out=tmp_path)
    assert check(result.ledger).problems == ()
    assert result.requests.served > 0


def test_users_who_walk_are_handed_over_and_the_accounts_balance(tmp_path):
    people = {"users": 30, "ai_requests_per_user_hour": 60, "speed": "25 m/s"}
    plain = hexagon(population=people, duration="60 s", drain="60 s")
    result = run(plain, out=tmp_path)
    (note,) = [n for n in result.ledger.meta.notes if "walked" in n]
    assert int(note.split()[-2].replace(",", "")) > 20
    assert check(result.ledger).problems == ()
    count = result.requests
    assert count.arrived == count.served + count.lost
    assert count.served > 0.95 * count.arrived > 0


def test_gains_of_walking_users_are_those_of_their_places():
    people = {"users": 10, "ai_requests_per_user_hour": 60, "speed": "10 m/s"}
    world = _world(hexagon(population=people))
    first = world.radio.users.gain_db.copy()
    for n in range(20):
        _step(world, n * world.step_s)
    moving, users = world.motion, world.radio.users
    assert users.gain_db == pytest.approx(moving.gain_db(moving.terminals))
    changed = (users.gain_db != first).any(axis=1)
    assert changed[moving.who].all()
    assert not np.delete(changed, moving.who).any()
    strongest = users.gain_db.max(axis=1)
    serving_db = users.gain_db[np.arange(len(strongest)), users.serving]
    assert (strongest - serving_db <= 3.0 + 1e-9).all()
    refreshed = {k: {s: r.copy() for s, r in v.items()} for k, v in world.radio.part_frac.items()}
    radio.refresh(world)
    for kind, parts in refreshed.items():
        for service, part in parts.items():
            assert part == pytest.approx(world.radio.part_frac[kind][service])
