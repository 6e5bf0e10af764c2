"""From prices to an allocation that keeps every limit exactly."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np

from tree6g.optimise.allocation import joint
from tree6g.optimise.allocation.items import worth
from tree6g.optimise.allocation.joint import Joint, State
from tree6g.optimise.allocation.prices import Setting, newton
from tree6g.optimise.allocation.problem import FloatArray
from tree6g.optimise.allocation.response import LN2, Ask, Response


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What each item of a cell gets. [item].

    Attributes:
        amount: Of its unit.
        bandwidth_hz: Bandwidth.
        power_w: Radiated power.
        total_w: Electrical power of the cell, its accelerators and what it takes of pools.
        worth: Worth of all.
        excess_frac: By how much a limit is exceeded, as a share of it: rounding.
    """

    amount: FloatArray
    bandwidth_hz: FloatArray
    power_w: FloatArray
    total_w: float
    worth: float
    excess_frac: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What all get.

    Attributes:
        parts: Of each cell.
        total_w: Electrical power of everything.
        worth: Worth of all.
        excess_frac: By how much a limit is exceeded, as a share of it: rounding.
    """

    parts: tuple[Part, ...]
    total_w: float
    worth: float
    excess_frac: float

    @property
    def ratio(self) -> float:
        """Worth per joule."""
        return self.worth / self.total_w


def recovered(whole: Joint, state: State) -> Allocation:
    """The allocation at the prices, brought exactly within the limits.

    First the amounts go on by Newton's last, linear step; then bandwidth is scaled at the same
    rates, and what exceeds power or accelerators is taken from all that is above its least. Once
    the prices are right all this is rounding; before, it gives an allocation that is less good.
    """
    over = 0.0
    if len(whole.limit):
        amounts = _stepped(whole, state)
        over = _within_pools(whole, amounts)
        parts = tuple(map(_part, whole.cells, state.taken, amounts))
    elif importlib.util.find_spec("numba") is not None:
        parts = tuple(map(_part_fast, whole.cells, state.asks, state.taken))
    else:
        parts = tuple(map(_part, whole.cells, state.taken, _stepped(whole, state)))
    return Allocation(
        parts=parts,
        total_w=whole.pools_w + sum(part.total_w for part in parts),
        worth=sum(part.worth for part in parts),
        excess_frac=max(over, *(part.excess_frac for part in parts)),
    )


def _stepped(whole: Joint, state: State) -> list[FloatArray]:
    """Amounts after one more step of all prices, within what each item may have. [cell][item]."""
    steps = [
        newton(cell, ask.price, taken)
        for cell, ask, taken in zip(whole.cells, state.asks, state.taken, strict=True)
    ]
    change = np.zeros(len(whole.limit))
    if len(change):
        change = joint.newton(whole, state, whole.limit - joint.use_now(whole, state))
        follow = joint.moved(whole, state, change)
        steps = [(step + more).tolist() for step, more in zip(steps, follow, strict=True)]
    amounts = []
    for cell, shared, taken, step in zip(
        whole.cells, whole.shared, state.taken, steps, strict=True
    ):
        items = cell.items
        dearer = items.bits * (taken.hz_per_bps * step[0] + taken.w_per_bps * step[1])
        dearer += items.gpu * step[2]
        if len(shared.item):
            dearer[shared.item] += change[shared.pool] * shared.gpu
        amount = taken.amount - taken.stiffness * dearer
        amount = np.minimum(np.maximum(amount, items.low), items.high)
        amounts.append(_within(amount, items.low, items.gpu, cell.limit[2]))
    return amounts


def _within_pools(whole: Joint, amounts: list[FloatArray]) -> float:
    """Take what is too much for a pool from its users; returns what is still too much: rounding."""
    lows = [cell.items.low for cell in whole.cells]
    use, least = joint.use_of_pools(whole, amounts), joint.use_of_pools(whole, lows)
    too_much = (use > whole.limit) & (use > least)
    part = np.divide(whole.limit - least, use - least, out=np.ones(len(use)), where=too_much)
    part = np.maximum(part, 0.0)
    for shared, low, amount in zip(whole.shared, lows, amounts, strict=True):
        at = shared.item
        amount[at] = low[at] + part[shared.pool] * (amount[at] - low[at])
    over = joint.use_of_pools(whole, amounts) - whole.limit
    return float(np.divide(over, whole.limit, out=over, where=whole.limit > 0.0).max())


def _within(amount: FloatArray, low: FloatArray, each: FloatArray, limit: float) -> FloatArray:
    """Amounts that use no more than a limit, less of all that is above its least."""
    use, least = float(each @ amount), float(each @ low)
    if use <= limit or use <= least:
        return amount
    return low + max(0.0, (limit - least) / (use - least)) * (amount - low)


def _part(setting: Setting, taken: Response, amount: FloatArray) -> Part:
    """A cell within its bandwidth and its power."""
    items = setting.items
    rate = items.bits * amount + items.offset
    hz = rate * taken.hz_per_bps
    squeeze = min(1.0, setting.limit[0] / max(float(hz.sum()), 1e-300))
    each_hz, watt = taken.hz_per_bps, taken.w_per_bps
    if squeeze < 1.0:
        each_hz = squeeze * each_hz
        watt = each_hz * np.expm1(LN2 / each_hz) / items.gain
    amount = _within(amount, items.low, items.bits * watt, setting.limit[1] - items.offset @ watt)
    return _summed(setting, amount, each_hz, watt)


def _part_fast(setting: Setting, ask: Ask, taken: Response) -> Part:
    """A cell without pools one step on and within all its limits, compiled."""
    from tree6g.optimise.allocation import recovery_kernel

    given, sums = recovery_kernel.recovered(setting, ask.price, taken)
    return _counted(setting, given[:3], sums)


def _summed(setting: Setting, amount: FloatArray, hz: FloatArray, watt: FloatArray) -> Part:
    items = setting.items
    rate = items.bits * amount + items.offset
    bandwidth, power = rate * hz, rate * watt
    sums = [
        float(bandwidth.sum()),
        float(power.sum()),
        float(worth(items, amount).sum()),
        float(items.gpu @ amount),
        float(items.energy @ amount),
        float(items.offset_w.sum()),
    ]
    return _counted(setting, (amount, bandwidth, power), sums)


def _counted(
    setting: Setting, given: FloatArray | tuple[FloatArray, ...], sums: list[float]
) -> Part:
    """A cell by amounts, bandwidths and powers, and sums as those of `recovery_kernel`."""
    amount, bandwidth, power = given
    hz, watt, earned, gpu, amount_w, offset_w = sums
    limits = zip((hz, watt, gpu), setting.limit.tolist(), strict=True)
    over = [(use - most) / most if most > 0.0 else use for use, most in limits]
    radio_w = hz * float(setting.floor[0]) + watt * float(setting.floor[1])
    return Part(
        amount=amount,
        bandwidth_hz=bandwidth,
        power_w=power,
        total_w=setting.fixed_w + radio_w + amount_w + offset_w,
        worth=setting.beside + earned,
        excess_frac=max(0.0, *over),
    )
