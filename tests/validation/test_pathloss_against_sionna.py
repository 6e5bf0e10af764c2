"""Path loss against an independent implementation, row by row."""

from __future__ import annotations

import pytest

from tree6g.calibrate import pathloss


def test_every_row_agrees_with_sionna_within_a_hundredth_of_a_decibel(reference_data):
    result = pathloss.validate([reference_data / "radio" / "pathloss_reference.csv"])
    assert result.rows == 800
    assert result.figures["max_abs_error"] <= 0.01
    assert result.figures["inside_range_frac"] == 1.0
    assert result.misses == ()
    assert {group.name for group in result.groups} == {
        f"{scenario} {los}" for scenario in ("UMa", "UMi", "RMa") for los in ("LOS", "NLOS")
    }


def test_lines_without_sight_agree_to_rounding(reference_data):
    # With sight Sionna takes c = 299792458 m/s in the breakpoint, the standard 3.0e8 m/s.
    result = pathloss.validate([reference_data / "radio" / "pathloss_reference.csv"])
    for group in result.groups:
        if group.name.endswith("NLOS") and not group.name.startswith("RMa"):
            assert group.figures["max_abs_error"] == pytest.approx(0.0, abs=1e-5)
