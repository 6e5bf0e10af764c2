"""Open-loop power control of the uplink."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.radio.power_control import (
    MAX_POWER_DBM,
    headroom_bandwidth_hz,
    uplink_power_dbm,
    uplink_power_w,
)

LOSS_DB = np.linspace(60.0, 150.0, 91)


def test_full_compensation_makes_all_arrive_alike_until_the_power_is_out():
    power_dbm = uplink_power_dbm(LOSS_DB, 1.8e6, p0_dbm=-100.0, alpha=1.0)
    free = power_dbm < MAX_POWER_DBM
    assert (power_dbm - LOSS_DB)[free] == pytest.approx(-90.0)
    assert power_dbm.max() == MAX_POWER_DBM
    assert (np.diff(power_dbm) >= 0.0).all()


def test_fractional_compensation_leaves_the_far_weaker():
    arrives = uplink_power_dbm(LOSS_DB, 360e3, alpha=0.6, p0_dbm=-60.0) - LOSS_DB
    assert (np.diff(arrives) < 0.0).all()
    free = arrives + LOSS_DB < MAX_POWER_DBM
    assert np.diff(arrives[free]) == pytest.approx(-0.4)


def test_a_wider_grant_takes_more_power_up_to_the_headroom():
    width_hz = headroom_bandwidth_hz(LOSS_DB)
    at_limit = uplink_power_dbm(LOSS_DB, width_hz)
    assert at_limit == pytest.approx(MAX_POWER_DBM)
    assert uplink_power_dbm(LOSS_DB, width_hz / 2.0) == pytest.approx(
        MAX_POWER_DBM - 3.01, abs=0.01
    )
    assert uplink_power_dbm(LOSS_DB, width_hz * 2.0) == pytest.approx(MAX_POWER_DBM)


def test_watts_and_decibels_agree():
    assert uplink_power_w(200.0, 20e6) == pytest.approx(0.19953, rel=1e-4)
    assert uplink_power_dbm(0.0, 180e3) == -40.0
