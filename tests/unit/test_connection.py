"""Connected terminals: hand calculations, and the same done tick by tick."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tree6g.radio.connection import Packets, connected, energy, heard_s, spread_offset_s
from tree6g.radio.drx import Drx, listening
from tree6g.radio.terminal_power import resting, terminal_power

DRX = Drx(cycle_s=0.16, on_s=8e-3, inactivity_s=0.1)
ALWAYS = Drx(cycle_s=1.0, on_s=1.0, inactivity_s=0.1)
RELATIVE = 700.0  # an anchor that makes watts of relative units
TICK_S = 1e-3


def _connected(drx, release_s, t0_s, t1_s, packets, ended_s, offset_s=0.0):
    terminal, start_s, stop_s = np.array(packets, dtype=float).reshape(-1, 3).T
    count = len(ended_s)
    return connected(
        drx,
        release_s,
        t0_s,
        t1_s,
        terminal=terminal.astype(np.int64),
        start_s=start_s,
        stop_s=stop_s,
        ended_s=np.array(ended_s),
        offset_s=np.broadcast_to(offset_s, count),
    )


def test_one_message_is_the_hand_calculation():
    # Awake from 0.05 to 0.18, asleep to 0.32, then five on-durations until the release at 1.08.
    did = _connected(DRX, 1.0, 0.0, 2.0, [(0, 0.05, 0.08)], [-np.inf])
    assert did.connected_s == pytest.approx([1.03])
    assert did.listening_s == pytest.approx([0.13 + 5 * 0.008])
    assert did.first_s == pytest.approx([0.14])
    assert did.first_plan_s == pytest.approx([0.14])
    assert did.full_s == pytest.approx([1.08 - 0.32 - 5 * 0.008])
    assert did.first_begins.tolist() == [True]
    assert did.full_begins.tolist() == [5]


def test_its_energy_too():
    did = _connected(DRX, 1.0, 0.0, 2.0, [(0, 0.05, 0.08)], [-np.inf])
    drawn = energy(
        terminal_power(RELATIVE), DRX, did, control_w=np.array([100.0]),
        terminal=np.array([0]), data_s=np.array([0.02]), data_w=np.array([300.0]),
    )  # fmt: skip
    assert drawn.listening_j.sum() == pytest.approx(100.0 * (0.17 - 0.02))
    assert drawn.asleep_j.sum() == pytest.approx(1.0 * (0.14 + 0.72))  # all of it deep
    assert drawn.transition_j.sum() == pytest.approx(6 * 0.45)
    parts_j = drawn.listening_j + drawn.asleep_j + drawn.transition_j
    assert drawn.total_j == pytest.approx(parts_j.sum() + 300.0 * 0.02)


def test_without_drx_a_terminal_listens_until_it_is_released():
    did = _connected(ALWAYS, 10.0, 0.0, 20.0, [(0, 3.25, 3.5)], [-np.inf])
    assert did.listening_s == pytest.approx([10.25])
    assert did.full_s.sum() == did.first_s.sum() == 0.0


def test_uplink_cuts_a_sleep_short_but_not_its_transition():
    did = _connected(DRX, 1.0, 0.0, 0.25, [(0, 0.0, 0.01), (0, 0.12, 0.2)], [-np.inf])
    assert did.first_plan_s[0] == pytest.approx(0.05)  # from 0.11 to 0.16
    assert did.first_s[0] == pytest.approx(0.01)
    power_w, entry_j = resting(terminal_power(RELATIVE), did.first_plan_s[:1], 100.0)
    assert (power_w, entry_j) == (pytest.approx([1.0]), pytest.approx([0.45]))


def test_a_gap_too_short_for_any_state_that_saves_is_spent_awake():
    narrow = terminal_power(RELATIVE, bandwidth_hz=20e6, receive_antennas=2)
    power_w, entry_j = resting(narrow, [0.001, 0.1], narrow.control_w)
    assert power_w == pytest.approx([narrow.control_w, 1.0])  # micro sleep draws more than that
    assert entry_j == pytest.approx([0.0, 0.45])


def _ticks(drx, release_s, until_s, packets, offset_s):
    """Listening and connected time, and sleeps begun, of one terminal; times are whole ticks."""
    awake = known = begins = 0
    was = True
    for tick in range(round(until_s / TICK_S)):
        at_s = (tick + 0.5) * TICK_S
        here = [(start, stop) for start, stop in packets if start < at_s]
        if not here or at_s > max(stop for _, stop in here) + release_s:
            was = True
            continue
        known += 1
        on = (at_s - offset_s) % drx.cycle_s < drx.on_s
        listens = on or at_s < max(stop for _, stop in here) + drx.inactivity_s
        awake += listens
        begins += was and not listens
        was = listens
    return awake * TICK_S, known * TICK_S, begins


TIMES = st.lists(st.tuples(st.integers(0, 1999), st.integers(1, 400)), min_size=1, max_size=6)


@settings(max_examples=40)
@given(
    times=st.lists(TIMES, min_size=1, max_size=3),
    offset=st.integers(0, 159),
    inactivity=st.integers(0, 120),
    release=st.integers(120, 900),
    edges=st.lists(st.integers(1, 2999), max_size=5),
)
def test_times_are_those_tick_by_tick_however_the_run_is_cut(
    times, offset, inactivity, release, edges
):
    drx = Drx(cycle_s=0.16, on_s=8e-3, inactivity_s=inactivity * TICK_S)
    release_s, offset_s = release * TICK_S, offset * TICK_S
    packets = [
        (n, start * TICK_S, (start + length) * TICK_S)
        for n, rows in enumerate(times)
        for start, length in rows
    ]
    found, ended_s = np.zeros((3, len(times))), np.full(len(times), -np.inf)
    cuts_s = [0.0, *sorted({edge * TICK_S for edge in edges}), 3.5]
    for t0_s, t1_s in itertools.pairwise(cuts_s):
        here = [(n, max(a, t0_s), min(b, t1_s)) for n, a, b in packets if a < t1_s and b > t0_s]
        did = _connected(drx, release_s, t0_s, t1_s, here, ended_s, offset_s)
        for n, _, stop_s in here:
            ended_s[n] = max(ended_s[n], stop_s)
        begins = did.first_begins * (did.first_plan_s > TICK_S / 2) + did.full_begins
        rows = (did.listening_s, did.connected_s, begins)
        for total, column in zip(found, rows, strict=True):
            np.add.at(total, did.terminal, column)
        slept_s = did.first_s + did.full_s
        assert did.listening_s + slept_s == pytest.approx(did.connected_s, abs=1e-9)
    for n, rows in enumerate(times):
        own = [(start * TICK_S, (start + length) * TICK_S) for start, length in rows]
        told = _ticks(drx, release_s, 3.5, own, offset_s)
        assert found[:, n] == pytest.approx(told, abs=1e-6)


def _heard_one_by_one(drx, rows, offset_s):
    """When one terminal hears of packets (ready, air, waits), in order of readiness."""
    told, windows = [], []
    for ready_s, air_s, waits in rows:
        phase_s = (ready_s - offset_s) % drx.cycle_s
        at_s = ready_s
        pending = bool(told) and max(told) > ready_s
        beside = not pending and any(ready_s < end_s for end_s in windows)
        if waits and phase_s >= drx.on_s and not beside:
            at_s = ready_s + drx.cycle_s - phase_s
        told.append(at_s)
        windows.append(at_s + air_s + drx.inactivity_s)
    return told


def test_packets_are_heard_as_one_after_the_other():
    rng = np.random.default_rng(5)
    offset_s = spread_offset_s(DRX, 7)
    terminal = rng.integers(7, size=900)
    ready_s = np.sort(rng.uniform(0.0, 30.0, 900))
    air_s, waits = rng.exponential(0.02, 900), rng.random(900) < 0.7
    packets = Packets(terminal=terminal, ready_s=ready_s, air_s=air_s, waits=waits)
    never = np.full(7, -np.inf)
    found = heard_s(DRX, packets, told_s=never, until_s=never, offset_s=offset_s)
    for n in range(7):
        mine = terminal == n
        rows = list(zip(ready_s[mine], air_s[mine], waits[mine], strict=True))
        assert found[mine] == pytest.approx(_heard_one_by_one(DRX, rows, offset_s[n]), abs=1e-9)


def test_short_packets_are_heard_as_in_radio_drx():
    rng = np.random.default_rng(6)
    ready_s, terminal = rng.uniform(0.0, 60.0, 2000), rng.integers(20, size=2000)
    offset_s, never = spread_offset_s(DRX, 20), np.full(20, -np.inf)
    packets = Packets(
        terminal=terminal, ready_s=ready_s, air_s=np.zeros(2000), waits=np.ones(2000, bool)
    )
    found = heard_s(DRX, packets, told_s=never, until_s=never, offset_s=offset_s)
    known = listening(DRX, ready_s, until_s=61.0, terminal=terminal, offset_s=offset_s)
    assert found == pytest.approx(known.heard_s, abs=1e-9)


def test_nothing_overtakes_what_waits_for_an_earlier_step():
    packets = Packets(
        terminal=np.array([0]), ready_s=np.array([1.1]), air_s=np.zeros(1), waits=np.array([True])
    )
    told_s = heard_s(
        DRX, packets, told_s=np.array([1.12]), until_s=np.array([1.3]), offset_s=np.zeros(1)
    )
    assert told_s == pytest.approx([1.12])
