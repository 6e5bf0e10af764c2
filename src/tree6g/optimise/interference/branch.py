"""The global optimum of few links by branch and bound on boxes (mixed monotonic programming).

In a box [a, b], G(p) <= rates(own b, others a) / power(a). Boxes with the greatest bound are halved
along their longest edge, many at once; corners a are candidates. The manner is that of Matthiesen,
Hellings, Jorswieck and Utschick, IEEE TSP 68, 2020 (arXiv 1910.07853); written anew.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.optimise.interference.links import (
    FloatArray,
    Links,
    bounded_rates,
    consumed_w,
    per_joule,
)

AT_ONCE: Final = 256  # boxes that are halved together
BOXES: Final = 2_000_000  # open boxes at most: memory


def searched(
    links: Links, start_w: FloatArray, *, gap: float, boxes: int
) -> tuple[FloatArray, float, float]:
    """Powers, their G and a bound on all others.

    Args:
        links: The links.
        start_w: A good point, such as a local optimum. [link]
        gap: Absolute difference of bound and value to stop at.
        boxes: Boxes that are looked into at most; then the bound is what it is by then.
    """
    best_w, best = start_w, float(per_joule(links, start_w[np.newaxis])[0])
    low, high = np.zeros((1, links.count)), links.power_limit_w[np.newaxis].copy()
    bound = upper(links, low, high)
    looked = 0
    while len(bound) and bound.max() > best + gap and looked < boxes and len(bound) < BOXES:
        chosen = np.argpartition(-bound, min(AT_ONCE, len(bound)) - 1)[:AT_ONCE]
        low_new, high_new = halved(low[chosen], high[chosen])
        looked += len(low_new)
        values = per_joule(links, low_new)
        top = int(np.argmax(values))
        if values[top] > best:
            best_w, best = low_new[top], float(values[top])
        bound_new = np.minimum(upper(links, low_new, high_new), np.tile(bound[chosen], 2))
        keep = np.ones(len(bound), dtype=bool)
        keep[chosen] = False
        low, high = np.concatenate([low[keep], low_new]), np.concatenate([high[keep], high_new])
        bound = np.concatenate([bound[keep], bound_new])
        alive = bound > best
        low, high, bound = low[alive], high[alive], bound[alive]
    return best_w, best, max(best, float(bound.max(initial=best)))


def upper(links: Links, low: FloatArray, high: FloatArray) -> FloatArray:
    """Bound on G in boxes. [box]."""
    return bounded_rates(links, high, low) / consumed_w(links, low)


def halved(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Lower halves, then upper halves, of boxes along their longest edges. [2 box, link]."""
    row, edge = np.arange(len(low)), np.argmax(high - low, axis=1)
    middle = 0.5 * (low[row, edge] + high[row, edge])
    lower_high, upper_low = high.copy(), low.copy()
    lower_high[row, edge] = middle
    upper_low[row, edge] = middle
    return np.concatenate([low, upper_low]), np.concatenate([lower_high, high])
