"""Sharing a link: closed forms, and a simulated link near and above its capacity."""

from __future__ import annotations

import numpy as np
import pytest

from tree6g.transport.queueing import others


def _simulated(load, alone_s, horizon_s, rng):
    """Mean number of messages on a link shared equally, over a time from empty."""
    t_s, area, left = 0.0, 0.0, []
    next_s = rng.exponential(alone_s / load)
    while t_s < horizon_s:
        done_s = t_s + min(left) * len(left) if left else np.inf
        until_s = min(done_s, next_s, horizon_s)
        area += len(left) * (until_s - t_s)
        if left:
            share = (until_s - t_s) / len(left)
            left = [x - share for x in left if x - share > 1e-12]
        if until_s == next_s:
            left.append(rng.exponential(alone_s))
            next_s += rng.exponential(alone_s / load)
        t_s = until_s
    return area / horizon_s


@pytest.mark.parametrize(("load", "expected"), [(0.0, 0.0), (0.2, 0.25), (0.5, 1.0), (0.9, 9.0)])
def test_in_the_long_run_a_message_shares_with_rho_over_one_minus_rho(load, expected):
    assert others(load, alone_s=1e-6, horizon_s=1e9) == pytest.approx(expected)


def test_a_link_far_above_its_capacity_fills_like_a_fluid():
    assert others(3.0, alone_s=1.0, horizon_s=1e8) == pytest.approx(1e8, rel=1e-3)


def test_more_load_or_more_time_never_means_fewer_others():
    load = np.linspace(0.0, 3.0, 301)
    for horizon_s in (1e-3, 1.0, 60.0, 1e5):
        found = others(load, alone_s=1e-3, horizon_s=horizon_s)
        assert (np.diff(found) >= 0.0).all()
        assert (found <= others(load, alone_s=1e-3, horizon_s=2.0 * horizon_s)).all()


@pytest.mark.parametrize(("load", "margin"), [(0.5, 1.1), (0.96, 1.2), (1.0, 1.1), (1.3, 1.1)])
def test_a_simulated_link_has_no_more_others_than_the_bound_and_not_far_fewer(load, margin):
    rng = np.random.default_rng(5)
    horizon_s = 400.0
    found = np.mean([_simulated(load, 1.0, horizon_s, rng) for _ in range(30)])
    said = float(others(load, alone_s=1.0, horizon_s=horizon_s))
    assert found <= margin * said
    assert found >= 0.5 * said
