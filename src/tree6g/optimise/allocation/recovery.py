"""From prices to an allocation that keeps every limit exactly."""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.optimise.allocation.items import worth
from tree6g.optimise.allocation.prices import Setting, Stage, newton
from tree6g.optimise.allocation.problem import FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """What each item gets. [item].

    Attributes:
        amount: Of its unit.
        bandwidth_hz: Bandwidth.
        power_w: Radiated power.
        total_w: Electrical power of everything.
        worth: Worth of all.
        excess_frac: By how much a limit is exceeded, as a share of it: rounding.
    """

    amount: FloatArray
    bandwidth_hz: FloatArray
    power_w: FloatArray
    total_w: float
    worth: float
    excess_frac: float

    @property
    def ratio(self) -> float:
        """Worth per joule."""
        return self.worth / self.total_w


def recovered(setting: Setting, stage: Stage) -> Allocation:
    """The allocation at the prices, brought exactly within the limits.

    First the amounts go on by Newton's last, linear step; then bandwidth is scaled at the same
    rates, and what exceeds power or accelerators is taken from all that is above its least. Once
    the prices are right all this is rounding; before, it gives an allocation that is less good.
    """
    items, taken = setting.items, stage.response
    step = newton(setting, stage.ask.price, taken)
    dearer = items.bits * (taken.hz_per_bps * step[0] + taken.w_per_bps * step[1])
    amount = taken.amount - taken.stiffness * (dearer + items.gpu * step[2])
    amount = np.minimum(np.maximum(amount, items.low), items.high)
    amount = _within(amount, items.low, items.gpu, setting.limit[2])
    rate = items.bits * amount + items.offset
    hz = rate * taken.hz_per_bps
    squeeze = min(1.0, setting.limit[0] / max(float(hz.sum()), 1e-300))
    nats = np.log(2.0) / taken.hz_per_bps / squeeze
    watt = squeeze * taken.hz_per_bps * np.expm1(nats) / items.gain
    amount = _within(amount, items.low, items.bits * watt, setting.limit[1] - items.offset @ watt)
    return _allocation(setting, amount, squeeze * taken.hz_per_bps, watt)


def _within(amount: FloatArray, low: FloatArray, each: FloatArray, limit: float) -> FloatArray:
    """Amounts that use no more than a limit, less of all that is above its least."""
    use, least = float(each @ amount), float(each @ low)
    if use <= limit or use <= least:
        return amount
    return low + max(0.0, (limit - least) / (use - least)) * (amount - low)


def _allocation(
    setting: Setting, amount: FloatArray, hz: FloatArray, watt: FloatArray
) -> Allocation:
    items = setting.items
    rate = items.bits * amount + items.offset
    bandwidth, power = rate * hz, rate * watt
    use = np.array([bandwidth.sum(), power.sum(), items.gpu @ amount])
    over = np.divide(use - setting.limit, setting.limit, out=use.copy(), where=setting.limit > 0.0)
    price = setting.floor[:2]
    total_w = setting.fixed_w + float(
        price @ use[:2] + amount @ items.energy + items.offset_w.sum()
    )
    return Allocation(
        amount=amount,
        bandwidth_hz=bandwidth,
        power_w=power,
        total_w=total_w,
        worth=setting.beside + float(worth(items, amount).sum()),
        excess_frac=float(max(over.max(), 0.0)),
    )
