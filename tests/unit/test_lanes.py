"""Messages that wait, as one table: nothing is left out, doubled or out of order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_worlds import hexagon
from tree6g.engine import lanes
from tree6g.engine.airtime import messages
from tree6g.engine.build import build
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.load import _summed
from tree6g.engine.radio import push
from tree6g.radio.mimo import layer_sinr_db
from tree6g.scenario.load import load

WORLD = build(load(hexagon()), {})
SENT = [(UP, "chat"), (UP, "meters"), (DOWN, "chat"), (DOWN, "files")]


def _emptied():
    WORLD.incoming.clear()
    for cell in WORLD.cells:
        for kind in (UP, DOWN):
            for pool in cell.carrier(kind).pools:
                pool.queues.clear()
    return WORLD


def _queue_by_queue(world):
    """The plain statement: cell by cell, uplink first, pool by pool, service by service."""
    return [
        (cell.index, kind, service, pool.queues[service])
        for cell in world.cells
        for kind in (UP, DOWN)
        for pool in cell.carrier(kind).pools
        for service in pool.services
        if len(pool.queues.get(service, ()))
    ]


def _push(world, rng, batches):
    for which in rng.integers(len(SENT), size=batches).tolist():
        kind, service = SENT[which]
        count = int(rng.integers(30))
        who = rng.integers(len(world.radio.crowd_of[service]), size=count)
        push(world, kind, service, messages(rng.random(count), rng.random(count) * 1e6, who))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 8), st.integers(0, 8))
def test_what_came_in_stands_in_the_line_as_it_would_in_the_queues(seed, before, now):
    world, rng = _emptied(), np.random.default_rng(seed)
    _push(world, rng, before)
    lanes.seat(world)
    _push(world, rng, now)
    line, table = lanes.gather(world, lanes.KINDS), world.lanes
    lanes.seat(world)
    stated = _queue_by_queue(world)
    assert len(stated) == len(line.lane)
    for n, (cell, kind, service, queue) in enumerate(stated):
        lane = line.lane[n]
        there = (table.cell[lane], lanes.KINDS[table.kind[lane]], table.names[table.service[lane]])
        assert there == (cell, kind, service)
        assert (line.messages[line.first[n] : line.first[n + 1]] == queue).all()
    only = lanes.gather(world, [DOWN])
    some = line.of(table.kind[line.lane] == 1)
    assert (only.lane == some.lane).all()
    assert (only.first == some.first).all()
    assert (only.messages == some.messages).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 8))
def test_what_is_put_back_is_in_its_queue_again(seed, batches):
    world, rng = _emptied(), np.random.default_rng(seed)
    _push(world, rng, batches)
    line = lanes.gather(world, [UP])
    lanes.put_back(world, UP, line)
    assert all(kind == DOWN for kind, _, _ in world.incoming)
    again = lanes.gather(world, [UP])
    assert (again.lane == line.lane).all()
    assert (again.messages == line.messages).all()


def _sorted_sums(lane, terminal, bit):
    key, which = np.unique(np.stack([lane, terminal]), axis=1, return_inverse=True)
    return key, np.bincount(which.reshape(-1), weights=bit)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 200), st.booleans())
def test_bits_of_a_terminal_in_a_lane_are_summed_wherever_it_is_queued(seed, count, at_two):
    world, rng = WORLD, np.random.default_rng(seed)
    service = rng.integers(len(world.lanes.names), size=count)
    kind = np.array(lanes.KINDS)[rng.integers(2)]
    terminal = rng.integers(20, size=count)
    cell = rng.integers(3, size=count) if at_two else terminal % 3
    lane = world.lanes.number[kind][service, cell]
    carried = lane >= 0
    lane, terminal, bit = lane[carried], terminal[carried], rng.random(count)[carried]
    found, who, sums = _summed(world, lane, terminal, bit)
    order = np.lexsort([who, found])
    (lanes_stated, who_stated), stated = _sorted_sums(lane, terminal, bit)
    assert found[order].tolist() == lanes_stated.tolist()
    assert who[order].tolist() == who_stated.tolist()
    assert sums[order].tolist() == stated.tolist()  # in the same order, so to the last bit


def test_chunks_are_queued_by_when_they_are_heard_of_and_go_to_who_serves_their_terminal():
    world = _emptied()
    world.chunks.clear()
    heard_s = np.array([0.3, 0.1, 0.9, 0.2])
    for start in (0, 2):
        part = heard_s[start : start + 2]
        batch = messages(part, 1e3, [1, 1], number=np.arange(start, start + 2))
        lanes.hold(world, "chat", batch)
    world.radio.users.serving[1] = 4
    assert [len(held) for _, held in lanes.held_at(world, 4)] == [4]
    assert not list(lanes.held_at(world, 3))
    lanes.release(world, 0.5)
    line = lanes.gather(world, [DOWN])
    assert line.messages["heard_s"].tolist() == [0.1, 0.2, 0.3]
    assert world.lanes.cell[line.lane].tolist() == [4]
    assert world.chunks["chat"]["heard_s"].tolist() == [0.9]
    world.chunks.clear()


def test_layers_that_do_not_hear_one_another_share_the_power():
    sinr_db = np.linspace(-10.0, 40.0, 11)
    for layers in (1, 2, 4):
        lossless = layer_sinr_db(sinr_db, layers, antennas=8)
        nearly = layer_sinr_db(sinr_db, layers, antennas=8, csi_frac=1.0 - 1e-12)
        assert np.abs(lossless - nearly).max() < 1e-6
