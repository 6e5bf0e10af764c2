"""What users take at given prices, one after the other: the compiled form of `response.plain`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tree6g.optimise.allocation.items import FAIR, LINEAR, POWER, SATURATING, Items
from tree6g.optimise.allocation.problem import FloatArray
from tree6g.optimise.allocation.response import LN2, Ask, Response
from tree6g.radio.link.compiler import compiled


def response(items: Items, ask: Ask) -> Response:
    """What users take of packed items; equal to `response.plain` up to rounding."""
    out = np.empty((4, len(items.gain)))
    share, sums = np.empty(len(ask.centre)), np.zeros(12)
    numbers = np.array([*ask.price.tolist(), ask.w_per_worth, ask.width])
    take(items.table, items.first, ask.centre, numbers, out, share, sums)
    return packed_response(out, share, sums)


def packed_response(out: FloatArray, share: FloatArray, sums: FloatArray) -> Response:
    """What `take` filled, by name."""
    surplus, missed, worth, _, _, _, a, b, c, d, e, f = sums.tolist()
    return Response(
        surplus_w=surplus,
        missed_w=missed,
        use=sums[3:6],
        curvature=np.array([[a, b, c], [b, d, e], [c, e, f]]),
        worth=worth,
        share=share,
        amount=out[0],
        hz_per_bps=out[1],
        w_per_bps=out[2],
        stiffness=out[3],
    )


@compiled
def _level(a: float) -> float:
    """`response.nats` of one number."""
    level = math.log1p(math.sqrt(2.0 * a) + 0.4 * a / (1.0 + 0.21 * math.log1p(a)))
    for _ in range(2):
        step = 1.0 + (math.expm1(-level) - a * math.exp(-level)) / level
        level = level - step / (1.0 - 0.5 * step * (1.0 + 1.0 / level))
    return level


@compiled
def _line(
    margin: float, ramp: float, low: float, span: float, centre: float
) -> tuple[float, float, float, float]:
    """A linear item: share, stiffness, surplus and what the ramp misses of it."""
    wanted = centre + margin / ramp
    part = min(max(wanted, 0.0), 1.0)
    got = span * (margin * part - 0.5 * ramp * (part - centre) ** 2)
    slack = span / ramp if part == wanted else 0.0
    return part, slack, low * margin + got, span * max(margin, 0.0) - got


@compiled
def family_of(first: Any, n: int) -> int:
    """Family of an item."""
    if n < first[1]:
        return LINEAR
    if n < first[2]:
        return FAIR
    return SATURATING if n < first[3] else POWER


@compiled
def worth_of(family: int, item: Any, amount: float) -> float:
    """`items.worth` of one item."""
    slope, t0, order = item[5], item[6], item[7]
    if family == LINEAR:
        return slope * amount
    if family == FAIR:
        ln, rest = math.log1p(amount / t0), 1.0 - order
        return slope * t0 * (ln if abs(rest) < 1e-12 else math.expm1(rest * ln) / rest)
    if family == SATURATING:
        return -slope * t0 * math.expm1(-amount / t0)
    return slope / order * t0 * (amount / t0) ** order


@compiled
def _curve(family: int, item: Any, cost: float, per_worth: float) -> tuple[float, float, float]:
    """A smooth item: amount, stiffness and worth."""
    low, high, slope, t0, order = item[3], item[4], item[5], item[6], item[7]
    best = per_worth * slope / cost
    if family == FAIR:
        log = abs(1.0 - order) < 1e-12
        wanted = t0 * ((best if log else best ** (1.0 / order)) - 1.0)
        free = (wanted + t0) / (order * cost)
    elif family == SATURATING:
        wanted, free = t0 * math.log(max(best, 1e-300)), t0 / cost
    else:
        wanted = t0 * best ** (1.0 / (1.0 - order))
        free = wanted / ((1.0 - order) * cost)
    amount = min(max(wanted, low), high)
    return amount, free if amount == wanted else 0.0, worth_of(family, item, amount)


@compiled
def _add(
    sums: Any, hz: float, watt: float, gpu: float, slack: float, bend: float, ratio: float
) -> None:
    """Second derivatives of one item."""
    sums[6] += slack * hz * hz + bend
    sums[7] += slack * hz * watt - bend * ratio
    sums[8] += slack * hz * gpu
    sums[9] += slack * watt * watt + bend * ratio * ratio
    sums[10] += slack * watt * gpu
    sums[11] += slack * gpu * gpu


@compiled
def take(  # flat arrays in and out, as compiled code wants them
    table: Any, first: Any, centre: Any, numbers: Any, out: Any, share: Any, sums: Any
) -> None:
    """Fill amounts, shares and sums in one loop, so that nothing is read twice."""
    nu, mu, pi, per_worth, width = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    sums[:] = 0.0
    ratio = nu / mu
    for n in range(table.shape[1]):
        item = table[:, n]
        gain, bits, offset, low, slope, gpu = item[0], item[1], item[2], item[3], item[5], item[8]
        level = _level(gain * ratio)
        more = math.expm1(level)
        hz = LN2 / level
        watt = more / gain * hz
        bit_w = nu * hz + mu * watt
        cost = bits * bit_w + item[9] + pi * gpu
        family = family_of(first, n)
        if family == LINEAR:
            span, ramp = item[4] - low, width * per_worth * item[6]
            margin = per_worth * slope - cost
            share[n], slack, surplus, missed = _line(margin, ramp, low, span, centre[n])
            amount = low + span * share[n]
            worth = slope * amount
            sums[1] += missed
        else:
            amount, slack, worth = _curve(family, item, cost, per_worth)
            surplus = per_worth * worth - cost * amount
        rate = bits * amount + offset
        sums[0] += surplus - offset * bit_w - item[10]
        sums[2] += worth
        sums[3] += rate * hz
        sums[4] += rate * watt
        sums[5] += gpu * amount
        bend = rate * hz * hz * gain / (LN2 * level * (1.0 + more) * mu)
        _add(sums, bits * hz, bits * watt, gpu, slack, bend, ratio)
        out[0, n], out[1, n], out[2, n], out[3, n] = amount, hz, watt, slack
