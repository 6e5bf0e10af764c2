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
def _take(items: Items, ask: Ask, out: Any, share: Any, sums: Any) -> None:  # noqa: PLR0915
    """Fill amounts, shares and sums in one loop, so that nothing is read twice."""
    nu, mu, pi = ask.price[0], ask.price[1], ask.price[2]
    ratio = nu / mu
    per_worth = ask.w_per_worth
    for n in range(len(items.gain)):
        gain = items.gain[n]
        a = gain * ratio
        level = math.log1p(math.sqrt(2.0 * a) + 0.4 * a / (1.0 + 0.21 * math.log1p(a)))
        for _ in range(2):
            step = 1.0 + (math.expm1(-level) - a * math.exp(-level)) / level
            level = level - step / (1.0 - 0.5 * step * (1.0 + 1.0 / level))
        more = math.expm1(level)
        hz = LN2 / level
        watt = more / gain * hz
        bit_w = nu * hz + mu * watt
        bits = items.bits[n]
        cost = bits * bit_w + ask.per_unit_j[n] + pi * items.gpu[n]
        low, high = items.low[n], items.high[n]
        slack, at_worth = 0.0, cost
        if n < items.first[1]:
            span = high - low
            margin = per_worth * items.slope[n] - cost
            ramp = ask.width * per_worth * items.scale[n]
            wanted = ask.centre[n] + margin / ramp
            part = min(max(wanted, 0.0), 1.0)
            if part == wanted:
                slack = span / ramp
            amount = low + span * part
            got = span * (margin * part - 0.5 * ramp * (part - ask.centre[n]) ** 2)
            share[n] = part
            worth = items.slope[n] * amount
            at_worth = per_worth * items.slope[n]
            sums[0] += low * margin + got
            sums[1] += span * max(margin, 0.0) - got
        else:
            t0, order = items.scale[n], items.order[n]
            best = per_worth * items.slope[n] / cost
            if n < items.first[2]:
                log = abs(1.0 - order) < 1e-12
                wanted = t0 * ((best if log else best ** (1.0 / order)) - 1.0)
                amount = min(max(wanted, low), high)
                ln = math.log1p(amount / t0)
                shape = ln if log else math.expm1((1.0 - order) * ln) / (1.0 - order)
                worth = items.slope[n] * t0 * shape
                free = (wanted + t0) / (order * cost)
            elif n < items.first[3]:
                wanted = t0 * math.log(max(best, 1e-300))
                amount = min(max(wanted, low), high)
                worth = -items.slope[n] * t0 * math.expm1(-amount / t0)
                free = t0 / cost
            else:
                wanted = t0 * best ** (1.0 / (1.0 - order))
                amount = min(max(wanted, low), high)
                worth = items.slope[n] / order * t0 * (amount / t0) ** order
                free = wanted / ((1.0 - order) * cost)
            if amount == wanted:
                slack = free
            sums[0] += per_worth * worth - cost * amount
        rate = bits * amount + items.offset[n]
        sums[0] -= items.offset[n] * bit_w + items.offset_w[n]
        sums[2] += worth
        sums[3] += rate * hz
        sums[4] += rate * watt
        sums[5] += items.gpu[n] * amount
        bend = rate * hz * hz * gain / (LN2 * level * (1.0 + more) * mu)
        x, y, z = bits * hz, bits * watt, items.gpu[n]
        sums[6] += slack * x * x + bend
        sums[7] += slack * x * y - bend * ratio
        sums[8] += slack * x * z
        sums[9] += slack * y * y + bend * ratio * ratio
        sums[10] += slack * y * z
        sums[11] += slack * z * z
        pull = slack * at_worth / per_worth
        sums[12] += x * pull
        sums[13] += y * pull
        sums[14] += z * pull
        out[0, n] = amount
        out[1, n] = hz
        out[2, n] = watt
        out[3, n] = slack
