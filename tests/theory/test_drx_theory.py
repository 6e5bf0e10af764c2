"""Discontinuous reception against a tick-by-tick reading of the standard and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio.drx import FILE_TRANSFER, Drx, expected, listening

SHORT = Drx(cycle_s=0.16, on_s=0.008, inactivity_s=0.0203, short_cycle_s=0.02, short_for_s=0.06)
# The short cycle still runs when the next packet comes: on-durations begin beside the timer.
OVERLAID = Drx(cycle_s=0.16, on_s=0.008, inactivity_s=0.0403, short_cycle_s=0.04, short_for_s=0.32)
HURRIED = Drx(cycle_s=0.16, on_s=0.01, inactivity_s=0.0041, short_cycle_s=0.02, short_for_s=0.16)
LONG_SHORT = Drx(cycle_s=0.16, on_s=0.01, inactivity_s=0.1605, short_cycle_s=0.04, short_for_s=0.1)
TICK_S = 1e-4


def _ticked(drx, arrival_s, until_s):
    """The text of TS 38.321 clause 5.7, tick by tick."""
    cycle, on, inactivity, short_for = (
        round(t / TICK_S) for t in (drx.cycle_s, drx.on_s, drx.inactivity_s, drx.short_for_s)
    )
    short = round(drx.short_cycle_s / TICK_S) if drx.short_cycle_s else None
    timer = short_until = on_until = 0
    runs = False
    waiting, heard_s, active, wakeups, was = list(arrival_s), [], 0, 0, True
    for tick in range(round(until_s / TICK_S)):
        if runs and tick >= timer:  # only the end of the inactivity timer starts the short one
            runs, short_until = False, timer + short_for
        follows_short = short and tick < short_until
        if tick % (short if follows_short else cycle) == 0:
            on_until = tick + on
        ready = [a for a in waiting if a < (tick + 0.5) * TICK_S]
        if ready and tick < max(timer, on_until):
            heard_s += [tick * TICK_S] * len(ready)
            waiting = waiting[len(ready) :]
            timer, runs = tick + inactivity, True
        awake = tick < max(timer, on_until)
        active += awake
        wakeups += awake and not was
        was = awake
    return np.array(heard_s), active * TICK_S, wakeups


@pytest.mark.parametrize(
    "drx",
    [FILE_TRANSFER, SHORT, LONG_SHORT, OVERLAID, HURRIED],
    ids=["long", "short", "both", "overlaid", "hurried"],
)
@pytest.mark.parametrize("rate_hz", [2.0, 15.0, 60.0])
def test_a_terminal_listens_when_the_standard_says(drx, rate_hz):
    rng, until_s = np.random.default_rng(round(rate_hz)), 10.05
    # Even ticks and odd timers: no timer ends as a short cycle begins. A growing nanosecond keeps
    # packets just after the end of what ends on their tick.
    arrival_s = np.sort(rng.choice(48_500, round(rate_hz * 10), replace=False)) * 2 * TICK_S
    arrival_s += 1e-9 * np.arange(1, len(arrival_s) + 1)
    heard_s, active_s, wakeups = _ticked(drx, arrival_s, until_s)
    got = listening(drx, arrival_s, until_s=until_s)
    assert len(heard_s) == len(arrival_s)
    assert got.heard_s == pytest.approx(heard_s, abs=1e-5)
    assert got.active_s[0] == pytest.approx(active_s, rel=1e-5)
    assert got.wakeups[0] == wakeups


def test_terminals_do_not_disturb_each_other():
    rng = np.random.default_rng(4)
    arrival_s, terminal = rng.random(300) * 9.0, rng.integers(0, 3, 300)
    offset_s = np.array([0.0, 0.03, 0.1])
    together = listening(
        SHORT, arrival_s, until_s=10.0, terminal=terminal, offset_s=offset_s
    )  # fmt: skip
    for n in range(3):
        own = terminal == n
        alone = listening(SHORT, arrival_s[own], until_s=10.0, offset_s=offset_s[n])
        assert together.heard_s[own] == pytest.approx(alone.heard_s)
        assert together.active_s[n] == pytest.approx(alone.active_s[0])


def test_a_terminal_without_traffic_listens_for_the_on_duration_only():
    silent = listening(FILE_TRANSFER, [], until_s=16.0)
    assert silent.active_s[0] == pytest.approx(16.0 * 0.008 / 0.16)
    figures = expected(FILE_TRANSFER, [0.0])
    assert figures.active_frac[0] == pytest.approx(0.05)


def test_a_lone_packet_waits_half_of_what_is_left_of_the_cycle():
    asleep_s = FILE_TRANSFER.cycle_s - FILE_TRANSFER.on_s
    lone_s = asleep_s**2 / (2.0 * FILE_TRANSFER.cycle_s)
    assert expected(FILE_TRANSFER, 1e-6).delay_s[0] == pytest.approx(lone_s, rel=1e-3)
    arrival_s = np.linspace(0.0, 0.16, 2001)[:-1]
    waits_s = [listening(FILE_TRANSFER, [a], until_s=1.0).heard_s[0] - a for a in arrival_s]
    assert np.mean(waits_s) == pytest.approx(lone_s, rel=1e-3)


@pytest.mark.parametrize("rate_hz", [0.1, 1.0, 5.0, 20.0])
def test_long_run_figures_are_those_of_drawn_packets(rate_hz):
    rng, packets = np.random.default_rng(7), 100_000
    until_s = packets / rate_hz
    arrival_s = np.sort(rng.random(packets)) * until_s
    drawn = listening(FILE_TRANSFER, arrival_s, until_s=until_s)
    figures = expected(FILE_TRANSFER, rate_hz)
    assert drawn.active_s[0] / until_s == pytest.approx(figures.active_frac[0], rel=0.01)
    assert (drawn.heard_s - arrival_s).mean() == pytest.approx(figures.delay_s[0], rel=0.015)


def test_more_traffic_keeps_the_terminal_awake_and_waits_less():
    figures = expected(FILE_TRANSFER, np.geomspace(0.01, 100.0, 20))
    assert (np.diff(figures.active_frac) > 0.0).all()
    assert (np.diff(figures.delay_s) < 0.0).all()
    assert figures.active_frac[-1] == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize(
    "timers",
    [
        {"cycle_s": 0.1, "on_s": 0.2, "inactivity_s": 0.0},
        {"cycle_s": 0.1, "on_s": 0.01, "inactivity_s": -1.0},
        {"cycle_s": 0.1, "on_s": 0.01, "inactivity_s": 0.0, "short_cycle_s": 0.03},
        {"cycle_s": 0.1, "on_s": 0.05, "inactivity_s": 0.0, "short_cycle_s": 0.05},
    ],
)
def test_timers_that_the_standard_does_not_allow_are_refused(timers):
    with pytest.raises(DataError, match="expected"):
        Drx(**timers)


def test_closed_figures_refuse_a_short_cycle():
    with pytest.raises(DataError, match="short cycle"):
        expected(SHORT, 1.0)
