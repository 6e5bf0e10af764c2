"""The loops over a step's messages against what states the same for one queue or one cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.engine.airtime import Pool, messages
from tree6g.engine.crowd import Paces
from tree6g.radio import air_step, sleep, wake
from tree6g.radio.airtime import speed_frac
from tree6g.radio.broadcast import broadcast
from tree6g.radio.passage_kernel import fair_level_s, share_speeds, sort_runs
from tree6g.radio.power import station_power
from tree6g.radio.step_tables import Cells, Queues, Waiting

STEP_S = 1.0
STATIONS = [
    station_power(
        "tr38864-cat1-set1",
        bandwidth_hz=100e6,
        anchor_w=1200.0,
        transmit_power_w=None,
        sleep=deepest,
        signals=broadcast(8.0, 30e3),
    )
    for deepest in ("micro", "light", "deep")
]


def _column(array, kind=float):
    return air_step.column(np.asarray(array, dtype=kind))


def _cells(station, *, queues=(0, 1), timer_s=0.0, traffic_end_s=-np.inf, deaf=True, t0_s=0.0):
    waits = any(state.transition_s for state in station.sleep)
    return Cells(
        queue=_column(queues, int), station=_column([0], int), waits=_column([waits], bool),
        deaf=_column([deaf], bool), timer_s=_column([timer_s]),
        traffic_end_s=_column([traffic_end_s]), from_s=_column([t0_s]),
    )  # fmt: skip


@st.composite
def batches(draw, services=3):
    """Queues of one cell: when messages are ready, how much air they need, their part of it."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(draw(st.integers(1, services))):
        count = draw(st.integers(1, 25))
        ready_s = np.sort(rng.uniform(-0.3, STEP_S, count))
        air_s = rng.exponential(draw(st.sampled_from((0.002, 0.05, 0.4))), count)
        part = rng.choice((0.1, 0.5, 1.0), count)
        found.append((ready_s, air_s, part))
    return found


def _send(station, found, *, in_turn, uplink=False, timer_s=0.0, traffic_end_s=-np.inf):
    ready_s, air_s, part = (np.concatenate(column) for column in zip(*found, strict=True))
    first = np.cumsum([0, *(len(queue[0]) for queue in found)])
    each = np.ones(len(found))
    queues = Queues(
        first=_column(first, int), pool=_column(0 * each, int), uplink=_column(uplink * each, bool),
        in_turn=_column(in_turn * each, bool), sends=_column(each, bool),
    )  # fmt: skip
    cells = _cells(station, queues=(0, len(found)), timer_s=timer_s, traffic_end_s=traffic_end_s)
    stations = air_step.stations_table([station], 0.0, STEP_S)
    waiting = Waiting(heard_s=ready_s, open_s=ready_s.copy(), air_s=air_s, part_frac=part)
    none = air_step.no_windows(1)
    sent = air_step.send(waiting, queues, cells, stations, none, 0.0, STEP_S)
    return stations, cells, *sent


@settings(max_examples=60, deadline=None)
@given(batches(), st.booleans())
def test_queues_pass_as_those_of_a_pool(found, in_turn):
    _, _, waiting, passed, _ = _send(STATIONS[0], found, in_turn=in_turn)
    names = tuple("abc"[: len(found)])
    pool = Pool(1.0, names, in_turn)
    rates, parts = {}, {}
    for name, (ready_s, air_s, part) in zip(names, found, strict=True):
        pool.push(name, messages(ready_s, air_s, np.arange(len(ready_s))))
        rates[name], parts[name] = np.ones(len(ready_s)), part
    stated = pool.advance(0.0, STEP_S, Paces(rate_bps=rates, part_frac=parts))
    assert waiting.open_s.tolist() == np.maximum(waiting.heard_s, 0.0).tolist()
    first = 0
    for name, (ready_s, _, _) in zip(names, found, strict=True):
        rows = slice(first, first + len(ready_s))
        first += len(ready_s)
        out = (passed.end_s[rows] <= STEP_S) & (passed.start_s[rows] < STEP_S)
        assert np.sort(passed.end_s[rows][out]) == pytest.approx(stated[name].end_s, abs=1e-9)
        assert passed.used_s[rows].sum() == pytest.approx(stated[name].used_s, abs=1e-9)
        spent_s = passed.data_s[rows].sum()
        assert spent_s == pytest.approx(stated[name].sender_s, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(
    batches(),
    st.sampled_from(STATIONS[1:]),
    st.booleans(),
    st.sampled_from((0.0, 0.01, 0.2)),
    st.sampled_from((-np.inf, -0.05, 0.03)),
)
def test_messages_wait_for_a_sleeping_cell_as_stated(found, station, uplink, timer_s, ended_s):
    """One service a pool, so that queues go at full speed."""
    found = found[:1]
    _, _, waiting, _, _ = _send(
        station, found, in_turn=True, uplink=uplink, timer_s=timer_s, traffic_end_s=ended_s
    )
    ready_s, air_s, _ = found[0]
    stated = wake.open_s(
        station,
        0.0,
        STEP_S,
        wake.Arrivals(
            ready_s=ready_s,
            open_s=ready_s,
            service_s=air_s,
            queue=np.zeros(len(ready_s), dtype=int),
            uplink=np.full(len(ready_s), uplink),
        ),
        other=sleep.Intervals(np.empty(0), np.empty(0)),
        timer_s=timer_s,
        traffic_end_s=ended_s,
    )
    assert waiting.open_s == pytest.approx(stated, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    batches(),
    st.sampled_from(STATIONS),
    st.booleans(),
    st.sampled_from((0.0, 0.01, 0.2)),
    st.sampled_from((-np.inf, -0.05)),
)
def test_cells_sleep_as_stated(found, station, in_turn, timer_s, ended_s):
    stations, cells, _, passed, windows = _send(
        station, found, in_turn=in_turn, timer_s=timer_s, traffic_end_s=ended_s
    )
    did = air_step.duties(cells, stations, air_step.no_windows(1), windows, STEP_S)
    begun = passed.start_s < STEP_S
    busy = sleep.union(passed.start_s[begun], np.minimum(passed.end_s[begun], STEP_S))
    stated = sleep.duty(station, 0.0, STEP_S, busy, timer_s=timer_s, traffic_end_s=ended_s)
    count = len(station.sleep)
    assert did.asleep_s[0, :count] == pytest.approx(stated.asleep_s, abs=1e-12)
    assert did.entries[0, :count].tolist() == stated.entries.tolist()
    assert did.traffic_end_s[0] == stated.traffic_end_s


@given(st.lists(st.floats(0.0, 1.0) | st.sampled_from((0.0, 0.5)), min_size=1, max_size=40))
def test_messages_are_sorted_and_equal_ones_stay_in_order(keys):
    order, spare = [0] * len(keys), [0] * len(keys)
    sort_runs(keys, order, spare, 0, len(keys))
    assert order == np.argsort(keys, kind="stable").tolist()


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=6))
def test_queues_share_a_pool_as_stated(demand_s):
    speed, spare = [0.0] * len(demand_s), [0.0] * len(demand_s)
    share_speeds(demand_s, speed, spare, 0, len(demand_s), 1.0)
    assert speed == pytest.approx(speed_frac(demand_s, 1.0).tolist())
    if sum(demand_s) > 1.0:
        level_s = fair_level_s(demand_s, spare, 0, len(demand_s), 1.0)
        assert sum(min(need_s, level_s) for need_s in demand_s) == pytest.approx(1.0)
