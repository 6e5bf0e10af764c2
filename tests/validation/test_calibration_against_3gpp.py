"""Coupling gain, SIR and SINR against the curves of 21 companies (3GPP R1-165974)."""

from __future__ import annotations

import pytest

from tree6g.calibrate import calibration


@pytest.fixture(scope="module")
def result(reference_data):
    return calibration.validate([reference_data / "radio" / "calibration_r1_165974.csv"])


@pytest.mark.slow
def test_every_percentile_of_every_seed_is_inside_the_companies_range(result):
    assert result.rows == 9 * 3 * 19
    seeds = [group for group in result.groups if group.name.startswith("seed")]
    assert len(seeds) == 5
    for seed in seeds:
        assert seed.rows == 513
        assert seed.figures["inside_range_frac"] >= 0.98
        assert seed.figures["max_outside_db"] <= 0.5
        assert seed.figures["mean_abs_error"] <= 0.5
    assert result.figures["inside_range_frac"] == 1.0, result.misses
    assert result.problems == ()
    assert result.headline.startswith(
        "Calibration: 513 of 513 percentiles inside the companies' range for each of 5 seeds; "
    )


@pytest.mark.slow
def test_ratios_to_interference_are_within_a_quarter_decibel_of_the_companies_mean(result):
    # Coupling gain in UMi and UMa is up to 0.7 dB above the mean, hence SINR in noise as well.
    for group in result.groups:
        if group.name.endswith("SIR"):
            assert group.figures["mean_abs_error"] < 0.25


@pytest.mark.slow
def test_curves_carry_the_band_they_are_drawn_on(result):
    curves, deviations = result.plots
    assert (curves.name, deviations.name) == ("calibration-curves", "calibration-deviations")
    assert len(curves.curves) == len(deviations.curves) == 27
    for curve in (*curves.curves, *deviations.curves):
        assert (curve.low <= curve.y).all()
        assert (curve.y <= curve.high).all()
        assert curve.reference.shape == curve.y.shape == (19,)
