"""Laws of the Pareto front."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tree6g.sweep.pareto import front

numbers = st.one_of(st.integers(-4, 4).map(float), st.floats(-1e9, 1e9))
pairs = st.lists(st.tuples(numbers, numbers), max_size=40)


def dominates(a, b, larger):
    no_worse = all(x >= y if up else x <= y for x, y, up in zip(a, b, larger, strict=True))
    return no_worse and a != b


@given(pairs, st.booleans(), st.booleans())
def test_the_front_is_what_nothing_dominates(listed, first, second):
    larger = (first, second)
    found = front(listed, larger_first=first, larger_second=second)
    unbeaten = {i for i, b in enumerate(listed) if not any(dominates(a, b, larger) for a in listed)}
    assert set(found) == unbeaten
    assert len(found) == len(set(found))


@given(pairs, st.booleans(), st.booleans())
def test_the_front_goes_from_the_best_of_the_first_figure_on(listed, first, second):
    found = front(listed, larger_first=first, larger_second=second)
    along = [listed[i][0] for i in found]
    assert along == sorted(along, reverse=first)


@given(pairs)
def test_turning_both_directions_is_turning_all_signs(listed):
    turned = [(-a, -b) for a, b in listed]
    assert front(listed, larger_first=True, larger_second=False) == front(
        turned, larger_first=False, larger_second=True
    )
