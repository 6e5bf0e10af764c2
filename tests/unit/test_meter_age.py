"""What a meter keeps is judged by time that passed, not by where a clock was set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import START_S, Counters, World, joules, rows
from tree6g.meter.agent.age import MOST, OFF_S, Age

YEAR_S = 365 * 86_400.0
KEEP = """
interval: 10 s
flush: 60 s
keep: 10 min
targets:
  gpu: {url: "http://gpu/metrics", node: box}
"""


def _ticks(world, gpu, count):
    """Looks; covered files go at once, so that only `keep` holds rows."""
    world.agent.journal._upkeep.limits = world.agent.journal._upkeep.limits.__class__(grace_s=0.0)
    for _ in range(count):
        gpu.add(joules(), 1000)
        world.tick()


def _starts(world):
    return sorted({r["t0_s"] for r in rows(world.end(), "energy")})


@pytest.mark.parametrize("off", [False, True])
def test_a_clock_that_is_set_a_year_ahead_drops_nothing(tmp_path, off):
    gpu = Counters()
    world = World(tmp_path, KEEP, gpu=gpu)
    _ticks(world, gpu, 30)
    if off:
        world.agent.close()
    world.clock.set(YEAR_S)
    if off:
        world.start()
    _ticks(world, gpu, 20)
    world.crash()
    _ticks(world, gpu, 4)
    assert _starts(world)[0] == START_S + 10.0


def test_what_passed_after_the_jump_counts(tmp_path):
    gpu = Counters()
    world = World(tmp_path, KEEP, gpu=gpu)
    _ticks(world, gpu, 30)
    world.clock.set(YEAR_S)
    _ticks(world, gpu, 100)
    assert _starts(world)[0] > START_S + YEAR_S


@given(
    st.lists(st.tuples(st.floats(0.0, 1e6), st.floats(0.0, 1e8)), max_size=2 * MOST),
    st.floats(60.0, 1e7),
)
def test_never_less_than_what_is_kept_has_passed_since_the_cut(steps, keep_s):
    age, now_s, passed = Age(), START_S, []
    for passes_s, jumps_s in steps:
        passed.append((now_s, now_s + passes_s))
        now_s += passes_s + jumps_s
        age.jumped(now_s - jumps_s, now_s)
    cut_s = Age(age.state()).now_s(now_s, keep_s) - keep_s
    kept_s = sum(max(t1_s - max(t0_s, cut_s), 0.0) for t0_s, t1_s in passed)
    everything_s = sum(t1_s - t0_s for t0_s, t1_s in passed)
    assert kept_s >= min(keep_s - 60.0 * len(steps), everything_s) - 1e-3


def test_of_the_time_that_an_agent_was_off_a_day_counts():
    age, keep_s, start_s = Age(), 30 * OFF_S, START_S + YEAR_S
    age.off(START_S, start_s, keep_s)
    assert age.now_s(start_s, keep_s) == START_S + OFF_S
    assert age.now_s(start_s + 2 * keep_s, keep_s) == start_s + 2 * keep_s
