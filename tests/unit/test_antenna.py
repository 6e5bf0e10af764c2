"""Antennas of TR 38.901 clause 7.3."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tree6g.radio.antenna import OMNI, PANEL, array_db, element_dbi, gain_dbi, turned

HORIZON = np.pi / 2


def test_element_loses_three_decibels_at_half_its_beamwidth():
    half = np.radians(32.5)
    across = element_dbi(PANEL, np.array([0.0, half]), np.full(2, HORIZON))
    upright = element_dbi(PANEL, np.zeros(1), np.array([HORIZON + half]))
    assert across == pytest.approx([8.0, 5.0])
    assert upright == pytest.approx(5.0)


def test_element_is_thirty_decibels_down_behind_on_either_side_of_the_cut():
    azimuth = np.radians([179.0, -179.0, 181.0, 540.0])
    assert element_dbi(PANEL, azimuth, np.full(4, HORIZON)) == pytest.approx(8.0 - 30.0)


@pytest.mark.parametrize("tilt_deg", [0.0, 5.0, 12.0, 20.0])
def test_array_gains_ten_decibels_in_the_direction_of_its_tilt(tilt_deg):
    tilt = np.radians([tilt_deg])
    assert array_db(PANEL, HORIZON + tilt, tilt) == pytest.approx(10.0)


def test_array_equals_the_sum_over_its_elements():
    zenith = np.linspace(0.01, np.pi - 0.01, 301)
    tilt = np.radians([12.0])
    psi = np.pi * (np.cos(zenith) - np.cos(HORIZON + tilt))
    total = np.exp(1j * np.arange(10)[:, None] * psi).sum(axis=0)
    by_hand = 10 * np.log10(np.maximum(np.abs(total) ** 2 / 10, 1e-6))
    assert array_db(PANEL, zenith, tilt) == pytest.approx(by_hand, abs=1e-6)


def test_array_conserves_power():
    # An array of half-wavelength spacing radiates as much as its elements do alone.
    zenith = np.linspace(0.0, np.pi, 20_001)
    gain = 10 ** (array_db(PANEL, zenith, np.radians([12.0])) / 10)
    mean = np.trapezoid(gain * np.sin(zenith), zenith) / 2.0
    assert mean == pytest.approx(1.0, abs=1e-3)


def test_mechanical_tilt_moves_the_whole_beam_down():
    panel = dataclasses.replace(PANEL, tilting="mechanical")
    tilt = np.radians([5.0])
    assert gain_dbi(panel, np.zeros(1), HORIZON + tilt, tilt) == pytest.approx(18.0)
    # electrical tilt leaves the element upright: a little less in the same direction
    lost = 12.0 * (5.0 / 65.0) ** 2
    assert gain_dbi(PANEL, np.zeros(1), HORIZON + tilt, tilt) == pytest.approx(18.0 - lost)


def test_turning_by_zero_changes_nothing():
    azimuth, zenith = np.array([-2.0, 0.5, 3.0]), np.array([0.3, 1.5, 2.9])
    seen = turned(azimuth, zenith, np.zeros(1))
    assert np.array(seen) == pytest.approx(np.array([azimuth, zenith]))


def test_omnidirectional_antenna_gains_nothing_anywhere():
    azimuth = np.linspace(-np.pi, np.pi, 7)
    assert gain_dbi(OMNI, azimuth, np.linspace(0.1, 3.0, 7), np.array([0.2])) == pytest.approx(0.0)
