"""Measures of a server by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.compute.serving import measures
from tree6g.compute.serving.measures import Budgets

BUDGETS = Budgets(ttft_s=1.0, tpot_s=0.1)


def test_the_check_value_of_the_metric_has_one_late_token():
    delay_s = np.array([0.80, 0.90, 1.15, 1.35, 1.38])
    assert measures.on_time(delay_s, np.arange(1, 6), BUDGETS).sum() == 4


def test_a_token_exactly_on_its_budget_is_worth_half_and_one_that_never_comes_nothing():
    worth = measures.fluency(np.array([1.0, 1.1, np.nan]), np.arange(1, 4), BUDGETS)
    assert worth.tolist() == pytest.approx([0.5, 0.5, 0.0])


def test_goodput_counts_requests_that_meet_every_budget():
    met = measures.meets(
        np.zeros(5),
        np.array([0.5, 1.5, 0.5, np.nan, 0.9]),
        np.array([1.4, 1.9, 4.0, np.nan, 0.9]),
        np.array([10, 10, 10, 10, 1]),
        BUDGETS,
    )
    assert met.tolist() == [True, False, False, False, True]
    assert measures.goodput_hz({"assistant": met}, 4.0) == {"assistant": 0.5}


def test_a_distribution_leaves_out_what_is_unknown():
    assert measures.spread(np.array([np.nan])).count == 0
    assert measures.spread(np.array([1.0, np.nan, 3.0])).p50 == 2.0
    nothing = measures.spread_of_histogram(np.array([1.0, 2.0]), np.zeros(3), 0.0)
    assert nothing.mean == 0.0


def test_the_digamma_function_has_its_known_values():
    # psi(1) = -gamma, psi(1/2) = -gamma - 2 ln 2
    gamma = 0.5772156649015329
    found = measures.digamma(np.array([1.0, 0.5]))
    assert found.tolist() == pytest.approx([-gamma, -gamma - 2 * np.log(2)], abs=1e-12)


@pytest.mark.parametrize(
    ("wait_s", "verdict"),
    [
        (np.full(100, 0.1), "keeps up"),
        (np.r_[np.full(95, 0.1), np.full(5, 9.0)], "queues at times"),
        (np.linspace(0.0, 30.0, 100), "saturated"),
        (np.full(100, np.nan), "saturated"),
        (np.array([]), "keeps up"),
    ],
)
def test_waits_that_grow_mean_saturation(wait_s, verdict):
    arrival_s = np.arange(float(len(wait_s)))
    assert measures.saturation(arrival_s, arrival_s + wait_s) == verdict
