"""Designs that no other beats in two figures at once."""

from __future__ import annotations

from collections.abc import Sequence

Pair = tuple[float, float]


def front(pairs: Sequence[Pair], *, larger_first: bool, larger_second: bool) -> tuple[int, ...]:
    """Indices of the pairs that no other dominates, by the first figure from its best on.

    One dominates another if it is no worse in both figures and better in one. Equal pairs do not
    dominate each other, so all of them are in the front.

    >>> front([(1, 1), (2, 5), (3, 3)], larger_first=True, larger_second=False)
    (2, 0)
    """
    signs = (-1.0 if larger_first else 1.0, -1.0 if larger_second else 1.0)
    costs = [(signs[0] * a, signs[1] * b) for a, b in pairs]
    order = sorted(range(len(costs)), key=lambda i: (*costs[i], i))
    found: list[int] = []
    for i in order:
        best = costs[found[-1]] if found else None
        if best is None or costs[i][1] < best[1] or costs[i] == best:
            found.append(i)
    return tuple(found)
