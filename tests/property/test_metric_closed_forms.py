"""On-time rule, shared costs and covered time against what they must be by definition."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle_metric import shapley
from tree6g.metric import coverage
from tree6g.metric.on_time import late
from tree6g.metric.shapley import airport, sampled

BUDGET = {"ttft_budget_s": 1.0, "tpot_budget_s": 0.1}
delays = st.lists(st.floats(0.0, 3.0), min_size=1, max_size=8)
spans = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=5).map(
    lambda pairs: coverage.union((float(a), float(b)) for a, b in pairs if a < b)
)


def count_late(delivered_s: Sequence[float]) -> int:
    number = list(range(1, len(delivered_s) + 1))
    return int(late(0.0, number, delivered_s, **BUDGET).sum())


@given(delivered=delays, which=st.integers(0, 7), earlier=st.floats(0.0, 3.0))
def test_delivering_any_token_earlier_never_makes_more_tokens_late(
    delivered: list[float], which: int, earlier: float
) -> None:
    sooner = list(delivered)
    at = which % len(sooner)
    sooner[at] = max(0.0, sooner[at] - earlier)
    assert count_late(sooner) <= count_late(delivered)


def test_limits_per_gap_and_on_the_mean_lose_by_an_earlier_token() -> None:
    at = [0.80, 0.90, 1.15, 1.35, 1.38]

    def per_gap(times: Sequence[float]) -> int:
        gaps = [b - a for a, b in itertools.pairwise(times)]
        return int(times[0] > 1.0) + sum(gap > 0.1 + 1e-12 for gap in gaps)

    def by_mean(times: Sequence[float]) -> int:
        mean = (times[-1] - times[0]) / (len(times) - 1)
        return len(times) if mean > 0.1 + 1e-12 else 0

    assert (count_late(at), per_gap(at), by_mean(at)) == (1, 2, 5)
    smooth = [0.9, 1.0, 1.1, 1.2, 1.3]
    first_sooner = [0.5, *smooth[1:]]
    assert (per_gap(smooth), by_mean(smooth)) == (0, 0)
    assert per_gap(first_sooner) > 0
    assert by_mean(first_sooner) > 0
    assert count_late(first_sooner) == count_late(smooth) == 0


@given(
    needs=st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4), min_size=1),
    steps=st.lists(st.floats(0.0, 100.0), min_size=4, max_size=4),
)
def test_the_airport_game_is_the_shapley_value_over_all_coalitions(
    needs: dict[str, int], steps: list[float]
) -> None:
    def cost(group: frozenset[str]) -> float:
        return float(sum(steps[: max((needs[name] for name in group), default=0)]))

    want = shapley(sorted(needs), cost)
    got = airport(needs, steps)
    assert got == pytest.approx(want, rel=1e-9, abs=1e-9)
    assert sum(got.values()) == pytest.approx(cost(frozenset(needs)), rel=1e-9, abs=1e-9)


@given(idle=st.floats(0.0, 1e3), users=st.integers(1, 5))
def test_on_off_idle_energy_is_shared_equally(idle: float, users: int) -> None:
    names = [f"s{n}" for n in range(users)]
    want = shapley(names, lambda group: idle if group else 0.0)
    assert want == pytest.approx(dict.fromkeys(names, idle / users), rel=1e-9, abs=1e-9)
    assert airport(dict.fromkeys(names, 1), [idle]) == pytest.approx(want, rel=1e-9, abs=1e-9)


def test_the_sampled_shapley_value_covers_the_exact_one() -> None:
    own = {"a": 3.0, "b": 10.0, "c": 1.0, "d": 7.0}

    def cost(group: frozenset[str]) -> float:
        return sum(own[n] for n in group) ** 1.5 + (20.0 if "a" in group and "c" in group else 0.0)

    exact = shapley(sorted(own), cost)
    found = sampled(sorted(own), cost, samples=4000, seed=3)
    assert sum(v for v, _ in found.values()) == pytest.approx(cost(frozenset(own)), rel=1e-9)
    for name, (value, error) in found.items():
        assert abs(value - exact[name]) < 5 * error


@given(a=spans, b=spans)
def test_covered_time_is_that_which_is_in_both(
    a: list[coverage.Span], b: list[coverage.Span]
) -> None:
    def holds(found: list[coverage.Span], instant: float) -> bool:
        return any(start <= instant < end for start, end in found)

    both, rest = coverage.intersection(a, b), coverage.without(a, b)
    for instant in np.arange(0.5, 40.0):
        assert holds(both, instant) == (holds(a, instant) and holds(b, instant))
        assert holds(rest, instant) == (holds(a, instant) and not holds(b, instant))
    total = coverage.length_s(both) + coverage.length_s(rest)
    assert total == pytest.approx(coverage.length_s(a))


@given(
    cover=spans.filter(bool),
    cuts=st.lists(st.floats(0.0, 40.0), max_size=4),
    grid_s=st.sampled_from([1.0, 7.0, 2.5]),
)
def test_windows_that_hold_all_time_share_every_covered_cell_whole(
    cover: list[coverage.Span], cuts: list[float], grid_s: float
) -> None:
    cells = np.arange(int(45 / grid_s) + 1)
    edges = [0.0, *sorted(cuts), 50.0]
    cell, window, share = coverage.cell_shares(grid_s, cells, cover, edges)
    assert np.all(share > 0)
    assert np.all((window >= 0) & (window < len(edges) - 1))
    total = np.bincount(cell, weights=share, minlength=len(cells))
    touched = [
        coverage.length_s(coverage.intersection(cover, [(k * grid_s, (k + 1) * grid_s)])) > 0
        for k in cells
    ]
    assert total[touched] == pytest.approx(1.0, rel=1e-12)
    assert not np.any(total[np.logical_not(touched)])
