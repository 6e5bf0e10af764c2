"""A problem as flat columns: one item is what one user, or one piece of a utility, may be given."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.problem import Cell, FloatArray, IntArray, Problem

Objective = Literal["tree", "ee"]
LINEAR, FAIR, SATURATING, POWER = range(4)
NO_TABLE: Final = np.empty((0, 0))


class Items(NamedTuple):
    """What can be given, an amount t in [low, high] of each item; sorted by family. [item].

    Attributes:
        gain: Signal-to-noise ratio of one watt in one hertz.
        bits: Bits of an ideal link per unit of amount.
        offset: Bits/s of an ideal link besides (limit on the delay of tokens).
        low: Least amount.
        high: Most.
        slope: Worth of a unit at amount 0, weight included; of power, at its scale.
        scale: T0 of the utility; of linear ones the slope, or 1 where it is 0: their ramps' unit.
        order: a of alpha-fair (1: log), p of power.
        gpu: GPU seconds per unit.
        energy: Energy of a unit besides radio; of the accelerator once its clock is known.
        offset_w: Power of what `offset` moves, besides radio.
        gpu_energy: Energy of a unit at the accelerator, of the reference clock.
        first: First item of each family, and the end. [family + 1]
        owner: User, data users first. [item]
        table: The first columns as rows, once they are final, for compiled code. [11, item]
    """

    gain: FloatArray
    bits: FloatArray
    offset: FloatArray
    low: FloatArray
    high: FloatArray
    slope: FloatArray
    scale: FloatArray
    order: FloatArray
    gpu: FloatArray
    energy: FloatArray
    offset_w: FloatArray
    gpu_energy: FloatArray
    first: IntArray
    owner: IntArray
    table: FloatArray = NO_TABLE


_FAMILY: Final = {"linear": LINEAR, "log": FAIR, "alpha_fair": FAIR, "saturating": SATURATING}


def items_of(problem: Problem, objective: Objective) -> Items:
    """The items of a problem; for `ee` every bit is worth 1, whoever gets it."""
    blocks = [_data(problem, objective)]
    blocks += [
        block
        for number, curve in enumerate(problem.ai.curves)
        for block in _ai(problem, np.flatnonzero(problem.ai.curve == number), curve, objective)
    ]
    family = np.concatenate([np.full(len(b["gain"]), b["family"][0]) for b in blocks if b])
    columns = {
        name: np.concatenate([b[name] for b in blocks if b])
        for name in (*Items._fields[:12], "owner")
    }
    order = np.argsort(family, kind="stable")
    first = np.searchsorted(family[order], np.arange(5)).astype(np.int64)
    ordered = {name: np.ascontiguousarray(column[order]) for name, column in columns.items()}
    return _bounded(Items(first=first, **ordered), problem.cell)


def _bounded(items: Items, cell: Cell) -> Items:
    """No item may ask for twice what the whole cell could give it; what is worth nothing, for none.

    Twice, so that what is scarce keeps its price. Neither takes anything from the best allocation,
    and both keep ramps of linear items short.
    """
    alone_bps = cell.bandwidth_hz * np.log2(
        1.0 + items.gain * cell.power_limit_w / cell.bandwidth_hz
    )
    room = np.divide(
        2.0 * alone_bps - items.offset, items.bits, out=items.high.copy(), where=items.bits > 0.0
    )
    wanted = np.where(items.slope > 0.0, np.minimum(items.high, room), items.low)
    linear = np.arange(len(items.gain)) < items.first[1]
    unit = np.where(items.slope > 0.0, items.slope, 1.0)
    return items._replace(
        high=np.maximum(wanted, items.low), scale=np.where(linear, unit, items.scale)
    )


def packed(items: Items) -> Items:
    """The same items with their table."""
    return items._replace(table=np.stack(items[:11]))


def worth(items: Items, amount: FloatArray) -> FloatArray:
    """Worth of an amount of each item. [item]."""
    value = items.slope * amount
    a, b, c, d = items.first[1:]
    if b > a:
        t0, order = items.scale[a:b], items.order[a:b]
        value[a:b] = items.slope[a:b] * t0 * fair_shape(amount[a:b] / t0, order)
    if c > b:
        t0 = items.scale[b:c]
        value[b:c] = -items.slope[b:c] * t0 * np.expm1(-amount[b:c] / t0)
    if d > c:
        t0, p = items.scale[c:d], items.order[c:d]
        value[c:d] = items.slope[c:d] / p * t0 * (amount[c:d] / t0) ** p
    return value


def fair_shape(ratio: FloatArray, order: FloatArray) -> FloatArray:
    """((1 + x)^(1-a) - 1)/(1 - a), which is ln(1 + x) for a = 1."""
    ln = np.log1p(ratio)
    rest = 1.0 - order
    log = np.abs(rest) < 1e-12
    if log.all():
        return ln
    return np.where(log, ln, np.expm1(rest * ln) / np.where(log, 1.0, rest))


Block = dict[str, npt.NDArray[Any]]


def _data(problem: Problem, objective: Objective) -> Block:
    data, cell = problem.data, problem.cell
    one = np.ones(data.count)
    return {
        "family": np.full(max(data.count, 1), LINEAR),
        "gain": data.gain_hz_per_w,
        "bits": one / cell.attenuation_frac,
        "offset": 0.0 * one,
        "low": data.rate_min_bps,
        "high": data.rate_max_bps,
        "slope": data.weight if objective == "tree" else one,
        "scale": one,
        "order": one,
        "gpu": 0.0 * one,
        "gpu_energy": 0.0 * one,
        "energy": cell.transport_j_per_bit * one,
        "offset_w": 0.0 * one,
        "owner": np.arange(data.count),
    }


def _ai(problem: Problem, users: IntArray, curve: Curve, objective: Objective) -> Iterator[Block]:
    """Items of the AI users of one curve; a line with corners is one item per piece."""
    ai, cell = problem.ai, problem.cell
    if not len(users):
        return
    one = np.ones(len(users))
    bits = ai.bit_per_tok[users]
    base: Block = {
        "gain": ai.gain_hz_per_w[users],
        "bits": bits / cell.attenuation_frac,
        "offset": bits / ai.delay_s[users] / cell.attenuation_frac,
        "low": ai.rate_min_tps[users],
        "high": ai.rate_max_tps[users],
        "order": one,
        "gpu": ai.gpu_s_per_tok[users],
        "gpu_energy": ai.energy_j_per_tok[users],
        "energy": cell.transport_j_per_bit * bits,
        "offset_w": cell.transport_j_per_bit * bits / ai.delay_s[users],
        "owner": users + problem.data.count,
    }
    if objective == "ee":
        yield base | {"family": np.full(len(users), LINEAR), "slope": bits, "scale": one}
        return
    worth_of = curve.alpha_bit_per_tok * ai.weight[users]
    if curve.family == "piecewise":
        yield from _pieces(base, curve, worth_of)
        return
    yield base | _shape(curve, worth_of)


def _shape(curve: Curve, slope: FloatArray) -> Block:
    """Family, slope, scale and order of a smooth or linear utility."""
    one = np.ones(len(slope))
    family, order = _FAMILY.get(curve.family, POWER), 1.0
    if curve.linear:
        family = LINEAR
    elif curve.family in ("alpha_fair", "power"):
        order = float(curve.order or 1.0)
    factor = order if family == POWER else 1.0
    t0 = curve.t0_tps or 1.0
    return {
        "family": np.full(len(slope), family),
        "slope": factor * slope,
        "scale": t0 * one,
        "order": order * one,
    }


def _pieces(base: Block, curve: Curve, worth_of: FloatArray) -> Iterator[Block]:
    """The pieces of a concave line: the steeper ones fill first by themselves."""
    knots = np.array([(0.0, 0.0), *curve.knots])
    ends = np.append(knots[1:, 0], np.inf)
    slopes = np.append(np.diff(knots[:, 1]) / np.diff(knots[:, 0]), 0.0)
    for number, (start, end, slope) in enumerate(zip(knots[:, 0], ends, slopes, strict=True)):
        block = base | {
            "family": np.full(len(worth_of), LINEAR),
            "low": np.clip(base["low"] - start, 0.0, end - start),
            "high": np.clip(base["high"] - start, 0.0, end - start),
            "slope": slope * worth_of,
            "scale": np.ones(len(worth_of)),
        }
        if number:
            block |= {"offset": 0.0 * worth_of, "offset_w": 0.0 * worth_of}
        yield block
