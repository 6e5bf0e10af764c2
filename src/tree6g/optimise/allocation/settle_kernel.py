"""Newton's way to the prices in one compiled call: `prices.settled` without the steps of Python.

For some hundred users most of the time of a step in Python is not arithmetic. What is done is the
same; `prices.settled` says why.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tree6g.optimise.allocation.items import Items
from tree6g.optimise.allocation.problem import FloatArray
from tree6g.optimise.allocation.response import SMALL_FRAC, Ask, Response
from tree6g.optimise.allocation.response_kernel import packed_response, take
from tree6g.radio.link.compiler import compiled

SURPLUS, MISSED, USE, BENT = 0, 1, 3, 6  # where they stand in the sums of `take`


def settled(
    items: Items,
    ask: Ask,
    bounds: tuple[FloatArray, FloatArray, float, float],
    rules: FloatArray,
) -> tuple[Ask, Response, int]:
    """Prices, what users take there, and how often they were asked.

    Args:
        items: Packed items.
        ask: Prices to begin with.
        bounds: Least prices [3], limits [3], fixed power, worth whatever is given.
        rules: Shares of what the bound lacks that a step and a misfit of use may be worth, Newton
            steps and points along a line at most, least curvature. [5]
    """
    floor, limit, fixed_w, beside = bounds
    out = np.empty((4, len(items.gain)))
    share, sums = np.empty(len(ask.centre)), np.zeros(12)
    numbers = np.array([*ask.price.tolist(), ask.w_per_worth, ask.width, fixed_w, beside])
    asked = _settle(
        items.table, items.first, ask.centre, floor, limit, rules, numbers, out, share, sums
    )
    return ask._replace(price=numbers[:3]), packed_response(out, share, sums), int(asked)


@compiled
def _scale(price: float, limit: float, fixed_w: float) -> float:
    return max(price, SMALL_FRAC * fixed_w / max(limit, 1e-300))


@compiled
def _solve(matrix: Any, right: Any) -> None:
    """Three linear equations by elimination, the solution in place of the right side."""
    for k in range(3):
        for i in range(k + 1, 3):
            part = matrix[i, k] / matrix[k, k]
            for j in range(k, 3):
                matrix[i, j] -= part * matrix[k, j]
            right[i] -= part * right[k]
    for k in range(2, -1, -1):
        for j in range(k + 1, 3):
            right[k] -= matrix[k, j] * right[j]
        right[k] /= matrix[k, k]


@compiled
def _curvature(sums: Any) -> Any:
    """Second derivative of D by the prices. [3, 3]."""
    bent = np.empty((3, 3))
    bent[0, 0], bent[0, 1], bent[0, 2] = sums[BENT], sums[BENT + 1], sums[BENT + 2]
    bent[1, 0], bent[1, 1], bent[1, 2] = sums[BENT + 1], sums[BENT + 3], sums[BENT + 4]
    bent[2, 0], bent[2, 1], bent[2, 2] = sums[BENT + 2], sums[BENT + 4], sums[BENT + 5]
    return bent


@compiled
def newton(  # noqa: C901  # loops over three prices, each with its cases
    price: Any, floor: Any, limit: Any, slope: Any, bent: Any, fixed_w: float, ridge: float
) -> Any:
    """Newton's change of the prices; the first that would fall below its floor falls to it."""
    change, free = np.zeros(3), np.zeros(3)
    for i in range(3):
        if limit[i] > 0.0 and (price[i] > floor[i] or slope[i] < 0.0):
            free[i] = 1.0
    again = True
    while again:
        matrix, right = np.eye(3), np.zeros(3)
        for i in range(3):
            if free[i] == 0.0:
                continue
            scale = _scale(price[i], limit[i], fixed_w)
            right[i] = -scale * slope[i]
            for j in range(3):
                if free[j] > 0.0:
                    matrix[i, j] = bent[i, j] * scale * _scale(price[j], limit[j], fixed_w)
                else:
                    right[i] -= scale * bent[i, j] * change[j]
            matrix[i, i] += ridge * fixed_w
        _solve(matrix, right)
        soonest, part = -1, 2.0
        for i in range(3):
            if free[i] > 0.0:
                change[i] = right[i] * _scale(price[i], limit[i], fixed_w)
                if price[i] + change[i] < floor[i] and (floor[i] - price[i]) / change[i] < part:
                    soonest, part = i, (floor[i] - price[i]) / change[i]
        again = soonest >= 0
        if again:
            change[soonest], free[soonest] = floor[soonest] - price[soonest], 0.0
    return change


@compiled
def _kept(
    change: Any, price: Any, floor: Any, limit: Any, slope: Any, fixed_w: float, way: Any
) -> float:
    """A change within bounds all the way, into `way`; returns the slope of D along it."""
    far = 1.0
    for i in range(3):
        if i > 0 and price[i] + change[i] <= floor[i]:
            continue
        relative = change[i] / _scale(price[i], limit[i], fixed_w)
        far = max(far, relative / 9.0 if relative > 0.0 else -relative / 0.9)
    downhill = 0.0
    for i in range(3):
        way[i] = max(change[i] / far, floor[i] - price[i])
        downhill += slope[i] * way[i]
    return downhill


@compiled
def _direction(
    price: Any,
    floor: Any,
    limit: Any,
    slope: Any,
    sums: Any,
    fixed_w: float,
    ridge: float,
    way: Any,
) -> float:
    """Newton's way, or down the logarithms where that leads uphill."""
    change = newton(price, floor, limit, slope, _curvature(sums), fixed_w, ridge)
    downhill = _kept(change, price, floor, limit, slope, fixed_w, way)
    if downhill <= 0.0:
        return downhill
    for i in range(3):
        change[i] = -np.sign(slope[i]) * _scale(price[i], limit[i], fixed_w)
    downhill = _kept(change, price, floor, limit, slope, fixed_w, way)
    if downhill > 0.0:
        way[:] = 0.0
        return 0.0
    return downhill


@compiled
def _along(  # noqa: PLR0913, PLR0917  # flat arrays, as compiled code wants them
    table: Any, first: Any, centre: Any, floor: Any, limit: Any, way: Any, low_slope: float,
    points: float, numbers: Any, out: Any, share: Any, sums: Any,
) -> int:  # fmt: skip
    """False position after Illinois; the prices in `numbers` move."""
    begin = numbers[:3].copy()
    enough, low, high, high_slope, at, side = -0.3 * low_slope, 0.0, 1.0, np.inf, 1.0, 0
    for asked in range(1, int(points) + 1):
        for i in range(3):
            numbers[i] = max(begin[i] + at * way[i], floor[i])
        take(table, first, centre, numbers, out, share, sums)
        here = 0.0
        for i in range(3):
            here += (limit[i] - sums[USE + i]) * way[i]
        if abs(here) <= enough or (at == 1.0 and here < 0.0):
            return asked
        if here < 0.0:
            high_slope *= 0.5 if side < 0 else 1.0
            low, low_slope, side = at, here, -1
        else:
            low_slope *= 0.5 if side > 0 else 1.0
            high, high_slope, side = at, here, 1
        part = -low_slope / (high_slope - low_slope)
        at = low + (high - low) * min(max(part, 0.02), 0.98)
    return int(points)


@compiled
def _settle(  # noqa: PLR0913, PLR0917  # flat arrays, as compiled code wants them
    table: Any, first: Any, centre: Any, floor: Any, limit: Any, rules: Any, numbers: Any,
    out: Any, share: Any, sums: Any,
) -> int:  # fmt: skip
    """Prices into `numbers`, amounts into `out`; returns how often users were asked."""
    fixed_w, beside = numbers[5], numbers[6]
    take(table, first, centre, numbers, out, share, sums)
    asked, slope, way = 1, np.empty(3), np.empty(3)
    for _ in range(int(rules[2])):
        open_w = sums[SURPLUS] + sums[MISSED] + numbers[3] * beside - fixed_w
        off_w = 0.0
        for i in range(3):
            slope[i] = limit[i] - sums[USE + i]
            open_w += (numbers[i] - floor[i]) * limit[i]
            if numbers[i] > floor[i] or slope[i] < 0.0:
                off_w = max(off_w, abs(slope[i] * numbers[i]))
        downhill = _direction(numbers[:3], floor, limit, slope, sums, fixed_w, rules[4], way)
        fine = -downhill <= max(rules[0] * open_w, 1e-14 * fixed_w)
        if fine and off_w <= max(rules[1] * open_w, 1e-11 * fixed_w):
            break
        asked += _along(
            table, first, centre, floor, limit, way, downhill, rules[3], numbers, out, share, sums
        )
    return asked
