"""What users take at given prices, and what that says of the best allocation: plain NumPy.

Prices are in watts: of a hertz (nu), of a radiated watt (mu), of a GPU second per second (pi). A
bit of user n then costs q = min_x (nu + mu x)/log2(1 + g x), x the power density; with
L = ln(1 + g x) the best density solves (L - 1) e^L + 1 = g nu / mu. A unit of an item costs
C = c q + e + pi kappa. With k watts per worth, a smooth item takes t where k w U'(t) = C, a linear
one all or nothing. So that the sums of what is taken have a derivative everywhere, all or nothing
is a ramp of some relative width about the price where both are the same, through the amount that
the item had before: a proximal step.
"""

from __future__ import annotations

import importlib.util
from typing import Final, NamedTuple

import numpy as np

from tree6g.optimise.allocation.items import Items, fair_shape
from tree6g.optimise.allocation.problem import FloatArray

LN2: Final = float(np.log(2.0))
SMALL_FRAC: Final = 1e-3  # of the fixed power: what all of a resource costs that is nearly free


class Ask(NamedTuple):
    """A question to the users.

    Attributes:
        price: Watts of a hertz, of a radiated watt, of a GPU second per second. [3]
        w_per_worth: Watts that a unit of worth per second may cost, 1 / (TREE aimed at).
        width: Relative width of the ramps of linear items.
        centre: Share of its range that each linear item had. [linear item]
    """

    price: FloatArray
    w_per_worth: float
    width: float
    centre: FloatArray


class Response(NamedTuple):
    """What users take, with the derivatives of the sums.

    Attributes:
        surplus_w: Worth less cost at these prices, as the ramps see it.
        missed_w: What more it would be without ramps.
        use: Bandwidth, power, GPU seconds per second. [3]
        curvature: Second derivative of the surplus by prices. [3, 3]
        worth: Worth of the amounts.
        share: Share of its range that each linear item takes. [linear item]
        amount: What each item takes. [item]
        hz_per_bps: Bandwidth per rate. [item]
        w_per_bps: Radiated power per rate. [item]
        stiffness: Fall of the amount per rise of its cost. [item]
    """

    surplus_w: float
    missed_w: float
    use: FloatArray
    curvature: FloatArray
    worth: float
    share: FloatArray
    amount: FloatArray
    hz_per_bps: FloatArray
    w_per_bps: FloatArray
    stiffness: FloatArray


def response(items: Items, ask: Ask) -> Response:
    """What users take: compiled where numba is installed, else plain."""
    if importlib.util.find_spec("numba") is not None:
        from tree6g.optimise.allocation import response_kernel

        return response_kernel.response(items, ask)
    return plain(items, ask)


def nats(a: FloatArray) -> FloatArray:
    """L >= 0 with (L - 1) e^L + 1 = a, to 1e-8 of itself for a >= 1e-14.

    A start within 2 % and two steps of Halley. The cost of a bit is least at L, so it is right
    to 1e-16; rate, bandwidth and power agree with any L.
    """
    level = np.log1p(np.sqrt(2.0 * a) + 0.4 * a / (1.0 + 0.21 * np.log1p(a)))
    for _ in range(2):
        step = 1.0 + (np.expm1(-level) - a * np.exp(-level)) / level
        level = level - step / (1.0 - 0.5 * step * (1.0 + 1.0 / level))
    return level


def plain(items: Items, ask: Ask) -> Response:
    """What users take, in plain NumPy."""
    nu, mu, pi = ask.price
    level = nats(items.gain * (nu / mu))
    up = np.exp(level)
    hz = LN2 / level
    watt = np.expm1(level) / items.gain * hz
    bit_w = nu * hz + mu * watt
    bend = hz * hz * items.gain / (LN2 * level * up * mu)
    cost = items.bits * bit_w + items.energy + pi * items.gpu
    amount, stiffness = np.empty_like(cost), np.zeros_like(cost)
    k = items.first[1]
    lines = _linear(items, ask, cost[:k], amount, stiffness)
    worth = _smooth(items, ask, cost, amount, stiffness)
    rate = items.bits * amount + items.offset
    toll = items.offset @ bit_w + items.offset_w.sum()
    total = (items.slope[:k] * amount[:k]).sum() + worth
    surplus = lines[0] + ask.w_per_worth * worth - cost[k:] @ amount[k:] - toll
    taken = np.stack([items.bits * hz, items.bits * watt, items.gpu])
    curvature = (taken * stiffness) @ taken.T
    ratio, bent = nu / mu, rate @ bend
    curvature[:2, :2] += bent * np.array([[1.0, -ratio], [-ratio, ratio * ratio]])
    return Response(
        surplus_w=float(surplus),
        missed_w=float(lines[1]),
        use=np.array([rate @ hz, rate @ watt, items.gpu @ amount]),
        curvature=curvature,
        worth=float(total),
        share=lines[2],
        amount=amount,
        hz_per_bps=hz,
        w_per_bps=watt,
        stiffness=stiffness,
    )


def _linear(
    items: Items, ask: Ask, cost: FloatArray, amount: FloatArray, stiffness: FloatArray
) -> tuple[float, float, FloatArray]:
    """Linear items: surplus, what ramps miss of it, and shares."""
    k = len(cost)
    low, span = items.low[:k], items.high[:k] - items.low[:k]
    margin = ask.w_per_worth * items.slope[:k] - cost
    ramp = ask.width * ask.w_per_worth * items.scale[:k]
    wanted = ask.centre + margin / ramp
    share = np.minimum(np.maximum(wanted, 0.0), 1.0)
    amount[:k] = low + span * share
    stiffness[:k] = np.where(share == wanted, span / ramp, 0.0)
    gain = span * (margin * share - 0.5 * ramp * (share - ask.centre) ** 2)
    missed = span * np.maximum(margin, 0.0) - gain
    return float((low * margin + gain).sum()), float(missed.sum()), share


def _smooth(
    items: Items, ask: Ask, cost: FloatArray, amount: FloatArray, stiffness: FloatArray
) -> float:
    """Smooth items; returns their worth."""
    total = 0.0
    for family in (1, 2, 3):
        part = slice(items.first[family], items.first[family + 1])
        if part.start == part.stop:
            continue
        t0, order, here = items.scale[part], items.order[part], cost[part]
        ratio = ask.w_per_worth * items.slope[part] / here
        if family == 1:
            wanted = t0 * (ratio ** (1.0 / order) - 1.0)
            slack = (wanted + t0) / (order * here)
        elif family == 2:
            wanted = t0 * np.log(np.maximum(ratio, 1e-300))
            slack = t0 / here
        else:
            wanted = t0 * ratio ** (1.0 / (1.0 - order))
            slack = wanted / ((1.0 - order) * here)
        taken = np.minimum(np.maximum(wanted, items.low[part]), items.high[part])
        amount[part] = taken
        stiffness[part] = np.where(taken == wanted, slack, 0.0)
        total += float(_worth(family, items.slope[part], taken, t0, order).sum())
    return total


def _worth(
    family: int, slope: FloatArray, taken: FloatArray, t0: FloatArray, order: FloatArray
) -> FloatArray:
    if family == 1:
        return slope * t0 * fair_shape(taken / t0, order)
    if family == 2:
        return -slope * t0 * np.expm1(-taken / t0)
    return slope / order * t0 * (taken / t0) ** order
