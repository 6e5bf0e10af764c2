"""Terminals by state and operators by share, against the tables and hand calculations."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.errors import DataError
from tree6g.radio.drx import Drx, listening
from tree6g.radio.sharing import operator_j
from tree6g.radio.terminal_power import terminal_energy, terminal_power

RELATIVE = 700.0  # an anchor that makes watts of relative units


def test_sending_is_affine_through_the_two_values_of_the_table():
    terminal = terminal_power(RELATIVE)
    assert terminal.sending_w([0.0, 23.0]) == pytest.approx([250.0, 700.0])
    assert terminal.sending_w(20.0) == pytest.approx(250.0 + 450.0 * 99.0 / (10**2.3 - 1.0))


def test_receiving_scales_with_bandwidth_and_antennas_and_sleep_does_not():
    wide, narrow = terminal_power(RELATIVE), terminal_power(RELATIVE, bandwidth_hz=20e6)
    two = terminal_power(RELATIVE, receive_antennas=2)
    assert (wide.control_w, wide.data_w) == pytest.approx((100.0, 300.0))
    assert narrow.data_w == pytest.approx(120.0)
    assert two.control_w == pytest.approx(70.0)
    assert [s.power_w for s in narrow.sleep] == pytest.approx([45.0, 20.0, 1.0])


def test_an_idle_terminal_with_drx_is_the_hand_calculation():
    # 160 ms cycle, 8 ms awake: 152 ms of deep sleep, entered once.
    energy = terminal_energy(terminal_power(RELATIVE), 0.16, active_s=8e-3, wakeups=1)
    assert energy.total_j == pytest.approx(100.0 * 8e-3 + 1.0 * 0.152 + 0.45)


@pytest.mark.parametrize(("gap_s", "power_w"), [(0.001, 45.0), (0.007, 20.0), (0.1, 1.0)])
def test_a_short_gap_allows_only_a_shallow_sleep(gap_s, power_w):
    energy = terminal_energy(
        terminal_power(RELATIVE), 100 * (gap_s + 0.01), active_s=1.0, wakeups=100
    )
    assert energy.asleep_j == pytest.approx(power_w * 100 * gap_s)


def test_drx_saves_what_it_sleeps():
    drx = Drx(cycle_s=0.16, on_s=8e-3, inactivity_s=0.1)
    arrival_s = np.sort(np.random.default_rng(1).random(50) * 100.0)
    heard = listening(drx, arrival_s, until_s=100.0)
    with_drx = terminal_energy(
        terminal_power(2.5), 100.0, active_s=heard.active_s, wakeups=heard.wakeups
    )
    without = terminal_energy(terminal_power(2.5), 100.0, active_s=100.0, wakeups=0)
    assert with_drx.total_j < 0.3 * without.total_j


def test_parts_are_counted_once_per_terminal():
    energy = terminal_energy(
        terminal_power(RELATIVE),
        10.0,
        active_s=[10.0, 4.0],
        wakeups=[0, 2],
        receiving_s=[6.0, 1.0],
        sending_s=[4.0, 1.0],
        power_dbm=[23.0, 0.0],
    )
    by_hand = [6 * 300.0 + 4 * 700.0, 300.0 + 250.0 + 2 * 100.0 + 6.0 + 0.9]
    assert energy.total_j == pytest.approx(by_hand)


def test_what_no_terminal_can_do_is_refused():
    with pytest.raises(DataError, match="20 to 100 MHz"):
        terminal_power(2.5, bandwidth_hz=400e6)
    with pytest.raises(DataError, match="Count a time once"):
        terminal_energy(terminal_power(2.5), 1.0, active_s=0.1, wakeups=0, sending_s=0.2)
    with pytest.raises(DataError, match="Count a time once"):
        terminal_energy(terminal_power(2.5), 1.0, active_s=1.1, wakeups=0)


def test_operators_pay_their_share_of_the_station_and_their_own_traffic():
    paid = operator_j(1000.0, [50.0, 10.0, 0.0], [0.5, 0.3, 0.2])
    assert paid == pytest.approx([550.0, 310.0, 200.0])
    assert paid.sum() == pytest.approx(1060.0)


@pytest.mark.parametrize("shares", [[0.5, 0.3], [0.5, 0.3, 0.1], [np.nan, 0.5, 0.5]])
def test_shares_that_leave_joules_over_are_refused(shares):
    with pytest.raises(DataError, match="Share out the whole station"):
        operator_j(1.0, [0.0, 0.0, 0.0], shares)
