"""Student's intervals against published tables and cases worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tree6g.sweep.intervals import ONE_RUN, estimate, student_quantile, within

# Two-sided 95 %, of the table of t in the NIST/SEMATECH e-Handbook, 1.3.6.7.2.
TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 7: 2.365, 9: 2.262, 10: 2.228,
         19: 2.093, 29: 2.045, 30: 2.042, 60: 2.000, 99: 1.984, 100: 1.984}  # fmt: skip


@pytest.mark.parametrize(("freedom", "wanted"), TABLE.items())
def test_quantiles_are_those_of_the_table(freedom, wanted):
    assert student_quantile(0.95, freedom) == pytest.approx(wanted, abs=5e-4)


def test_one_and_two_degrees_of_freedom_have_closed_forms():
    assert student_quantile(0.95, 1) == pytest.approx(math.tan(math.pi * 0.475), rel=1e-12)
    closed = 2.0 * 0.475 * math.sqrt(2.0 / (4.0 * 0.975 * 0.025))
    assert student_quantile(0.95, 2) == pytest.approx(closed, rel=1e-12)


def test_many_degrees_of_freedom_approach_the_normal_law():
    assert student_quantile(0.95, 100_000) == pytest.approx(1.959964, abs=5e-5)


def test_the_probability_is_the_integral_of_the_density():
    for freedom in (1, 2, 3, 4, 9, 12):
        x = np.linspace(-1.7, 1.7, 20_001)
        scale = math.gamma((freedom + 1) / 2) / math.sqrt(freedom * math.pi)
        density = scale / math.gamma(freedom / 2) * (1 + x * x / freedom) ** (-(freedom + 1) / 2)
        angle = math.atan(1.7 / math.sqrt(freedom))
        assert within(angle, freedom) == pytest.approx(np.trapezoid(density, x), rel=1e-7)


def test_an_interval_worked_by_hand():
    found = estimate([4.0, 6.0, 8.0, 10.0])  # s^2 = 20/3, t = 3.182446
    assert found.mean == 7.0
    assert found.half_width == pytest.approx(3.1824463 * math.sqrt(20.0 / 3.0 / 4.0), rel=1e-7)


def test_intervals_cover_the_true_mean_as_often_as_they_say():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(4000):
        found = estimate(rng.normal(3.0, 2.0, size=4).tolist())
        covered += abs(found.mean - 3.0) <= found.half_width
    assert covered / 4000 == pytest.approx(0.95, abs=0.011)  # three standard errors


def test_one_run_has_a_mean_and_no_interval():
    found = estimate([3.0])
    assert (found.mean, found.half_width, found.reason) == (3.0, None, ONE_RUN)
    assert found.excludes_zero is None


def test_no_run_has_neither():
    found = estimate([])
    assert (found.count, found.mean, found.half_width) == (0, None, None)
    assert found.reason == "not defined in any run"


def test_an_interval_tells_whether_zero_is_outside():
    assert estimate([1.0, 1.1, 0.9]).excludes_zero is True
    assert estimate([1.0, -1.1, 0.9]).excludes_zero is False
