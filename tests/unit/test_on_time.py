"""Lateness from histograms is an interval: the bucket that holds the budget may be either."""

import math

import pytest

from tree6g.metric.on_time import due_s, late_bounds

EDGES_S = [0.5, 1.0, 2.0, math.inf]
COUNTS = [70.0, 20.0, 8.0, 2.0]


@pytest.mark.parametrize(
    ("budget_s", "expected"),
    [
        (1.0, (10.0, 10.0)),  # on an edge nothing is open
        (0.7, (10.0, 30.0)),  # the bucket (0.5, 1] may be on time or late
        (0.1, (30.0, 100.0)),
        (5.0, (0.0, 2.0)),  # of the last bucket nobody knows how late it is
    ],
)
def test_late_events_lie_between_the_bucket_edges_around_the_budget(budget_s, expected):
    assert late_bounds(EDGES_S, COUNTS, budget_s) == expected


def test_a_token_is_due_after_the_first_budget_and_one_more_per_token():
    assert due_s(10.0, [1, 2, 5], 1.0, 0.1).tolist() == pytest.approx([11.0, 11.1, 11.4])
