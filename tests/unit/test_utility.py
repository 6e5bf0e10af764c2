"""Utility families: values of METRIC, zero, monotony, derivatives."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tree6g.errors import LedgerError
from tree6g.metric.utility import FAMILIES, Curve, family, marginal_bit_per_tok, utility_bps

CURVES = [
    Curve(family="linear"),
    Curve(family="log", t0_tps=10.0),
    Curve(family="alpha_fair", t0_tps=5.0, order=2.0),
    Curve(family="alpha_fair", t0_tps=5.0, order=0.5),
    Curve(family="saturating", t0_tps=7.0),
    Curve(family="power", t0_tps=3.0, order=0.5),
    Curve(family="power", t0_tps=3.0, order=2.0),
    Curve(family="sigmoid", t0_tps=20.0, order=4.0),
    Curve(family="piecewise", knots=((10.0, 10.0), (30.0, 15.0))),
]


def test_one_service_at_100_and_ten_sessions_at_10_earn_what_the_rule_says():
    curve = Curve(family="log", alpha_bit_per_tok=1.0, t0_tps=10.0)
    assert float(utility_bps(100.0, curve)) == pytest.approx(24.0, abs=0.03)
    assert 10 * float(utility_bps(10.0, curve)) == pytest.approx(69.3, abs=0.02)


@pytest.mark.parametrize("curve", CURVES, ids=lambda c: f"{c.family}-{c.order}")
def test_no_work_is_worth_nothing_and_more_work_never_less(curve):
    rates = np.linspace(0.0, 200.0, 2001)
    worth = utility_bps(rates, curve)
    assert worth[0] == pytest.approx(0.0, abs=1e-9)
    assert np.all(np.diff(worth) >= -1e-9)
    if curve.concave:
        assert np.all(np.diff(worth, 2) <= 1e-6)


@pytest.mark.parametrize("curve", CURVES, ids=lambda c: f"{c.family}-{c.order}")
def test_the_derivative_is_the_slope(curve):
    rate, step = np.array([0.7, 4.0, 12.3, 55.0]), 1e-5
    slope = (utility_bps(rate + step, curve) - utility_bps(rate - step, curve)) / (2 * step)
    assert marginal_bit_per_tok(rate, curve) == pytest.approx(slope, rel=1e-5, abs=1e-6)


@given(st.floats(0.0, 1e6), st.sampled_from(CURVES))
def test_utility_scales_with_alpha(rate, curve):
    double = Curve(
        family=curve.family, alpha_bit_per_tok=2 * curve.alpha_bit_per_tok, t0_tps=curve.t0_tps,
        order=curve.order, knots=curve.knots,
    )  # fmt: skip
    assert float(utility_bps(rate, double)) == pytest.approx(2 * float(utility_bps(rate, curve)))


def test_alpha_is_the_scale_that_the_rule_names():
    sigmoid = Curve(family="sigmoid", alpha_bit_per_tok=3.0, t0_tps=20.0, order=4.0)
    assert float(utility_bps(1e6, sigmoid)) / 20.0 == pytest.approx(3.0)
    power = Curve(family="power", alpha_bit_per_tok=3.0, t0_tps=20.0, order=0.5)
    assert float(utility_bps(20.0, power)) / 20.0 == pytest.approx(3.0)


@pytest.mark.parametrize(
    "arguments",
    [
        {"alpha_bit_per_tok": -1.0},
        {"family": "log"},
        {"family": "power", "t0_tps": 1.0, "order": -1.0},
        {"family": "alpha_fair", "t0_tps": 1.0, "order": 1.0},
        {"family": "piecewise"},
        {"family": "piecewise", "knots": ((1.0, 2.0), (0.5, 3.0))},
        {"family": "nope"},
    ],
)
def test_what_would_break_the_rules_is_refused(arguments):
    with pytest.raises(LedgerError):
        Curve(**arguments)


def test_a_family_of_ones_own_is_one_function():
    @family("square-root", concave=True)
    def _root(rate, curve):
        return np.sqrt(rate * curve.t0_tps), 0.5 * np.sqrt(curve.t0_tps / np.maximum(rate, 1e-300))

    try:
        curve = Curve(family="square-root", alpha_bit_per_tok=2.0, t0_tps=4.0)
        assert float(utility_bps(9.0, curve)) == pytest.approx(12.0)
        with pytest.raises(LedgerError, match="exists"):
            family("square-root", concave=True)(_root)
    finally:
        del FAMILIES["square-root"]
