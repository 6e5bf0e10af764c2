"""Energy-service asymmetry: who burns more than it earns, and how unequal that is."""

from __future__ import annotations

import itertools
from collections.abc import Sequence


def lorenz(shares: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Lorenz curve of energy over utility.

    Args:
        shares: Energy share and utility share of each service.

    Returns:
        Cumulative (utility share, energy share), from (0, 0), services in rising order of their
        asymmetry; services without utility come last.
    """
    ordered = sorted(shares, key=lambda s: s[0] / s[1] if s[1] > 0 else float("inf"))
    points = [(0.0, 0.0)]
    for energy, utility in ordered:
        points.append((points[-1][0] + utility, points[-1][1] + energy))
    return points


def gini(shares: Sequence[tuple[float, float]]) -> float:
    """Gini coefficient 1 - sum (u_k - u_{k-1})(e_k + e_{k-1}) over the Lorenz curve.

    0: every service burns as it earns. With energy shares of 0.625 and 0.375 and utility shares of
    2/3 and 1/3 it is 1/24.
    """
    points = lorenz(shares)
    pairs = itertools.pairwise(points)
    return 1.0 - sum((u1 - u0) * (e1 + e0) for (u0, e0), (u1, e1) in pairs)
