"""Measures of a server: earlier is never worse, closed forms equal sums over tokens."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tree6g.compute.serving import measures
from tree6g.compute.serving.measures import Budgets
from tree6g.metric.on_time import late

BUDGETS = Budgets(ttft_s=2.0, tpot_s=0.2)
DELAYS = hnp.arrays(np.float64, st.integers(1, 30), elements=st.floats(0.0, 50.0))


@given(DELAYS, st.data())
def test_delivering_any_token_earlier_never_lowers_fluidity_or_tokens_on_time(gaps, data):
    delay_s = np.cumsum(gaps / 10.0)
    number = np.arange(1.0, len(delay_s) + 1.0)
    which = data.draw(st.integers(0, len(delay_s) - 1))
    sooner = delay_s.copy()
    sooner[which] *= data.draw(st.floats(0.0, 0.99))
    before = measures.fluency(delay_s, number, BUDGETS).sum()
    after = measures.fluency(sooner, number, BUDGETS).sum()
    assert after >= before
    if sooner[which] < delay_s[which] - 1e-6:
        assert after > before
    on_time = [measures.on_time(d, number, BUDGETS).sum() for d in (delay_s, sooner)]
    assert on_time[1] >= on_time[0]


@given(DELAYS, st.integers(1, 29))
def test_giving_up_on_an_answer_never_raises_fluidity(gaps, kept):
    delay_s = np.cumsum(gaps / 10.0)
    number = np.arange(1.0, len(delay_s) + 1.0)
    given_up = np.where(number > kept, np.nan, delay_s)
    whole, part = (measures.fluency(d, number, BUDGETS).sum() for d in (delay_s, given_up))
    assert part <= whole


@given(DELAYS)
def test_tokens_on_time_are_those_of_the_metric(gaps):
    delay_s = np.cumsum(gaps / 10.0)
    number = np.arange(1.0, len(delay_s) + 1.0)
    ours = measures.on_time(delay_s, number, BUDGETS)
    assert (ours == ~late(0.0, number, delay_s, ttft_budget_s=2.0, tpot_budget_s=0.2)).all()


@given(
    st.floats(1e-4, 1e3), st.floats(0.0, 10.0), st.integers(1, 400), st.floats(0.01, 5.0),
    st.floats(0.001, 1.0),
)  # fmt: skip
def test_evenly_paced_answers_in_closed_form_equal_the_sum_over_their_tokens(
    first_s, pace_s, count, ttft_s, tpot_s
):
    budgets = Budgets(ttft_s=ttft_s, tpot_s=tpot_s)
    number = np.arange(1.0, count + 1.0)
    delay_s = first_s + (number - 1.0) * pace_s
    answer = (np.array([first_s]), np.array([pace_s]), np.array([float(count)]), budgets)
    worth = measures.fluency(delay_s, number, budgets).sum()
    assert measures.paced_fluency(*answer)[0] == pytest.approx(worth, rel=1e-9, abs=1e-9)
    edge = np.isclose(delay_s, measures.due_s(number, budgets), rtol=1e-9).any()
    if not edge:  # at the edge of a budget rounding decides
        early = measures.on_time(delay_s, number, budgets).sum()
        assert measures.paced_on_time(*answer)[0] == early


@given(hnp.arrays(np.float64, st.integers(1, 300), elements=st.floats(1e-3, 1e3)))
def test_a_histogram_tells_percentiles_to_the_width_of_a_bucket(values):
    edges = np.geomspace(1e-3, 1e3, 241)
    counted = np.bincount(np.searchsorted(edges, values, side="right"), minlength=242)
    found = measures.spread_of_histogram(edges, counted, float(values.sum()))
    assert found.count == len(values)
    assert found.mean == pytest.approx(values.mean())
    width = edges[1] / edges[0]
    for frac, ours in ((0.5, found.p50), (0.99, found.p99)):
        true = np.quantile(values, frac, method="inverted_cdf")
        assert true * (1 - 1e-9) <= ours <= true * width * (1 + 1e-9) or ours == edges[-1]


@given(hnp.arrays(np.float64, st.integers(1, 50), elements=st.floats(0.0, 1e6)))
def test_fairness_lies_between_one_of_all_and_all_alike(values):
    found = measures.jain(values)
    if found is None:
        assert values.max() == 0.0
    else:
        assert 1 / len(values) - 1e-12 <= found <= 1.0 + 1e-12
