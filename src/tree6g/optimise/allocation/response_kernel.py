"""What users take at given prices, one after the other: the compiled form of `response.plain`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tree6g.optimise.allocation.items import Items
from tree6g.optimise.allocation.response import LN2, Ask, Response
from tree6g.radio.link.compiler import compiled


def response(items: Items, ask: Ask) -> Response:
    """What users take; equal to `response.plain` up to rounding."""
    count, lines = len(items.gain), len(ask.centre)
    out = np.empty((4, count))
    share = np.empty(lines)
    sums = np.zeros(16)
    _take(items, ask, out, share, sums)
    a, b, c, d, e, f = sums[6:12]
    return Response(
        surplus_w=float(sums[0]),
        missed_w=float(sums[1]),
        worth=float(sums[2]),
        use=sums[3:6],
        curvature=np.array([[a, b, c], [b, d, e], [c, e, f]]),
        pull=sums[12:15],
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
def _line(items: Items, ask: Ask, n: int, cost: float) -> tuple[float, float, float, float]:
    """A linear item: share, stiffness, surplus and what the ramp misses of it."""
    low, span = items.low[n], items.high[n] - items.low[n]
    margin = ask.w_per_worth * items.slope[n] - cost
    ramp = ask.width * ask.w_per_worth * items.scale[n]
    wanted = ask.centre[n] + margin / ramp
    part = min(max(wanted, 0.0), 1.0)
    got = span * (margin * part - 0.5 * ramp * (part - ask.centre[n]) ** 2)
    slack = span / ramp if part == wanted else 0.0
    return part, slack, low * margin + got, span * max(margin, 0.0) - got


@compiled
def _curve(items: Items, ask: Ask, n: int, cost: float) -> tuple[float, float, float]:
    """A smooth item: amount, stiffness and worth."""
    low, high, slope = items.low[n], items.high[n], items.slope[n]
    t0, order = items.scale[n], items.order[n]
    best = ask.w_per_worth * slope / cost
    if n < items.first[2]:
        log = abs(1.0 - order) < 1e-12
        wanted = t0 * ((best if log else best ** (1.0 / order)) - 1.0)
        amount = min(max(wanted, low), high)
        ln = math.log1p(amount / t0)
        shape = ln if log else math.expm1((1.0 - order) * ln) / (1.0 - order)
        worth, free = slope * t0 * shape, (wanted + t0) / (order * cost)
    elif n < items.first[3]:
        wanted = t0 * math.log(max(best, 1e-300))
        amount = min(max(wanted, low), high)
        worth, free = -slope * t0 * math.expm1(-amount / t0), t0 / cost
    else:
        wanted = t0 * best ** (1.0 / (1.0 - order))
        amount = min(max(wanted, low), high)
        worth = slope / order * t0 * (amount / t0) ** order
        free = wanted / ((1.0 - order) * cost)
    return amount, free if amount == wanted else 0.0, worth


@compiled
def _add(
    sums: Any,
    hz: float,
    watt: float,
    gpu: float,
    slack: float,
    bend: float,
    ratio: float,
    at: float,
) -> None:
    """Second derivatives and the pull of worth, of one item."""
    sums[6] += slack * hz * hz + bend
    sums[7] += slack * hz * watt - bend * ratio
    sums[8] += slack * hz * gpu
    sums[9] += slack * watt * watt + bend * ratio * ratio
    sums[10] += slack * watt * gpu
    sums[11] += slack * gpu * gpu
    sums[12] += hz * slack * at
    sums[13] += watt * slack * at
    sums[14] += gpu * slack * at


@compiled
def _take(items: Items, ask: Ask, out: Any, share: Any, sums: Any) -> None:
    """Fill amounts, shares and sums in one loop, so that nothing is read twice."""
    nu, mu, pi = ask.price[0], ask.price[1], ask.price[2]
    ratio, per_worth = nu / mu, ask.w_per_worth
    for n in range(len(items.gain)):
        gain, bits = items.gain[n], items.bits[n]
        level = _level(gain * ratio)
        more = math.expm1(level)
        hz = LN2 / level
        watt = more / gain * hz
        bit_w = nu * hz + mu * watt
        cost = bits * bit_w + ask.per_unit_j[n] + pi * items.gpu[n]
        if n < items.first[1]:
            share[n], slack, surplus, missed = _line(items, ask, n, cost)
            amount = items.low[n] + (items.high[n] - items.low[n]) * share[n]
            worth, at_worth = items.slope[n] * amount, per_worth * items.slope[n]
            sums[1] += missed
        else:
            amount, slack, worth = _curve(items, ask, n, cost)
            surplus, at_worth = per_worth * worth - cost * amount, cost
        rate = bits * amount + items.offset[n]
        sums[0] += surplus - items.offset[n] * bit_w - items.offset_w[n]
        sums[2] += worth
        sums[3] += rate * hz
        sums[4] += rate * watt
        sums[5] += items.gpu[n] * amount
        bend = rate * hz * hz * gain / (LN2 * level * (1.0 + more) * mu)
        at = at_worth / per_worth
        _add(sums, bits * hz, bits * watt, items.gpu[n], slack, bend, ratio, at)
        out[0, n], out[1, n], out[2, n], out[3, n] = amount, hz, watt, slack
