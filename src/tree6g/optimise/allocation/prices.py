"""The prices at which users take what there is: Dinkelbach's iteration about Newton's.

For given watts per worth, D(z) = surplus(z) + (z - floor) . limit - P_fixed is convex in the prices
z and bounds the best of (worth in watts - power) from above, whatever z >= floor. At its least, use
is within the limits, and a price above its floor has a limit that binds. It is found by Newton
steps in at most three prices, each along its line by false position; linear items have ramps that
are narrowed and centred anew (a proximal method), so that no corner stops the steps and the end is
exact.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
from typing import Final

import numpy as np

from tree6g.optimise.allocation.items import Items, packed
from tree6g.optimise.allocation.problem import Cell, Clock, FloatArray
from tree6g.optimise.allocation.response import SMALL_FRAC, Ask, Response, response

GAIN_FRAC: Final = 1e-2  # of what a bound lacks: what another Newton step may be worth
USE_FRAC: Final = 1e-2  # of the same: worth of what use may differ from its limit
WIDEST: Final = 0.3  # of ramps, relative: where they begin
NARROWING: Final = 0.1  # of ramps from stage to stage
NARROWEST: Final = 1e-6  # of ramps; centring does the rest
FEW: Final = 8  # linear items on ramps, or equations, that are looked after one by one
STAGES: Final = 60
ENERGY_ROW: Final = Items._fields.index("energy")  # of the table of packed items
RIDGE: Final = 1e-8  # of the fixed power: curvature over logarithms of prices at least
NEWTON_STEPS: Final = 40
SECANTS: Final = 12


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A cell with one choice of accelerators, as the prices see it.

    Attributes:
        items: What can be given.
        limit: Bandwidth, power, GPU seconds per second. [3]
        floor: Least prices: what using each costs in watts by itself. [3]
        fixed_w: Power whatever is given.
        beside: Worth per second whatever is given.
    """

    items: Items
    limit: FloatArray
    floor: FloatArray
    fixed_w: float
    beside: float


def setting_of(items: Items, cell: Cell, count: int, clock: Clock, beside: float = 0.0) -> Setting:
    """A cell with so many accelerators in this state."""
    capacity = count * clock.speed_frac
    fixed_w = cell.fixed_power_w + count * clock.idle_power_w
    room = np.divide(2.0 * capacity, items.gpu, out=items.high.copy(), where=items.gpu > 0.0)
    high = np.maximum(items.low, np.minimum(items.high, room))
    least_w_per_hz = 1e-15 * fixed_w / cell.bandwidth_hz  # a price of 0 has no best density
    energy = items.energy + clock.energy_frac * items.gpu_energy
    return Setting(
        items=packed(items._replace(high=high, energy=energy)),
        limit=np.array([cell.bandwidth_hz, cell.power_limit_w, capacity]),
        floor=np.array([max(cell.power_w_per_hz, least_w_per_hz), 1.0 / cell.amplifier_frac, 0.0]),
        fixed_w=fixed_w,
        beside=beside,
    )


def surplus_w(setting: Setting, ask: Ask, taken: Response) -> float:
    """D: worth less power of the best allocation at most, as the ramps see it."""
    scarce_w = float((ask.price - setting.floor) @ setting.limit)
    return taken.surplus_w + scarce_w + ask.w_per_worth * setting.beside - setting.fixed_w


def moved_w(setting: Setting, amount: FloatArray) -> float:
    """Power of a full carrier and of some amounts."""
    return float(setting.limit[:2] @ setting.floor[:2] + amount @ setting.items.energy)


def start(setting: Setting, amount: FloatArray, w_per_worth: float) -> Ask:
    """Prices to begin with, at some amounts and watts per worth."""
    items, fixed_w = setting.items, setting.fixed_w
    k = items.first[1]
    span = items.high[:k] - items.low[:k]
    share = np.divide(amount[:k] - items.low[:k], span, out=np.zeros(k), where=span > 0.0)
    scarce = np.array([0.5, 0.05, 0.05 if setting.limit[2] > 0.0 else 0.0]) * fixed_w
    above = np.divide(scarce, setting.limit, out=np.zeros(3), where=setting.limit > 0.0)
    return Ask(
        price=setting.floor + above,
        w_per_worth=w_per_worth,
        width=WIDEST,
        centre=np.minimum(np.maximum(share, 0.0), 1.0),
    )


def fair_start(setting: Setting) -> FloatArray:
    """Amounts with equal bandwidth for all, at full power density. [item]."""
    items, limit = setting.items, setting.limit
    each_hz = limit[0] / max(len(items.gain), 1)
    rate = each_hz * np.log2(1.0 + items.gain * limit[1] / limit[0]) - items.offset
    amount = np.divide(rate, items.bits, out=items.high.copy(), where=items.bits > 0.0)
    amount = np.minimum(np.maximum(amount, items.low), items.high)
    busy = float(items.gpu @ amount)
    if busy > limit[2] > 0.0:
        amount = np.where(items.gpu > 0.0, np.maximum(amount * limit[2] / busy, items.low), amount)
    return amount


def next_ask(setting: Setting, ask: Ask, taken: Response, ratio: float) -> Ask:
    """Narrower ramps about where the items are; prices of what is scarce go with worth's watts.

    Where few items are on ramps, these narrow only so far that none falls off at these prices.
    """
    inside = ((taken.share > 0.0) & (taken.share < 1.0)).nonzero()[0]
    part = NARROWING
    if 0 < len(inside) <= FEW:
        before = ask.centre[inside].tolist()
        for share, centre in zip(taken.share[inside].tolist(), before, strict=True):
            drift = share - centre
            part = max(part, 2.0 * abs(drift) / (1.0 - share if drift > 0.0 else share))
        part = min(part, 1.0)
    w_per_worth = 1.0 / ratio
    above = (ask.price - setting.floor) * (w_per_worth / ask.w_per_worth)
    return ask._replace(
        price=setting.floor + above,
        w_per_worth=w_per_worth,
        width=max(part * ask.width, NARROWEST),
        centre=taken.share,
    )


def settled_fast(setting: Setting, ask: Ask, loose: float) -> tuple[Ask, Response, int]:
    """`settled`, compiled where numba is installed."""
    if importlib.util.find_spec("numba") is None:
        return settled(setting, ask, loose)
    from tree6g.optimise.allocation import settle_kernel

    bounds = setting.floor, setting.limit, setting.fixed_w, setting.beside
    rules = np.array([loose * GAIN_FRAC, loose * USE_FRAC, NEWTON_STEPS, SECANTS, RIDGE])
    return settle_kernel.settled(setting.items, ask, bounds, rules)


def settled(setting: Setting, ask: Ask, loose: float) -> tuple[Ask, Response, int]:
    """Newton steps until the prices are right for these ramps, compared with what the bound lacks.

    Use must be right too, or items on ramps drift. Returns how often the users were asked.
    """
    taken, asked = response(setting.items, ask), 1
    for _ in range(NEWTON_STEPS):
        open_w = loose * (surplus_w(setting, ask, taken) + taken.missed_w)
        way = _direction(setting, ask.price, taken)
        if -way[1] <= max(GAIN_FRAC * open_w, 1e-14 * setting.fixed_w) and _off_w(
            setting, ask.price, taken
        ) <= max(USE_FRAC * open_w, 1e-11 * setting.fixed_w):
            break
        ask, taken, more = _along(setting, ask, taken, way)
        asked += more
    return ask, taken, asked


def _off_w(setting: Setting, price: FloatArray, taken: Response) -> float:
    """By how much use and limits differ where they should not, at their prices."""
    slope = (setting.limit - taken.use).tolist()
    return max(
        abs(s * p) if p > f or s < 0.0 else 0.0
        for s, p, f in zip(slope, price.tolist(), setting.floor.tolist(), strict=True)
    )


def newton(setting: Setting, price: FloatArray, taken: Response) -> list[float]:
    """Newton's change of the prices of a cell. [3]."""
    return newton_step(
        price.tolist(),
        setting.floor.tolist(),
        setting.limit.tolist(),
        (setting.limit - taken.use).tolist(),
        taken.curvature.tolist(),
        setting.fixed_w,
    )


def newton_step(
    at: list[float],
    floor: list[float],
    limit: list[float],
    slope: list[float],
    bent: list[list[float]],
    fixed_w: float,
) -> list[float]:
    """Newton's change of some prices.

    Of prices that would fall below their floor the one that would be there first falls to it, and
    the others change with it; and so on.

    Args:
        at: The prices. [price]
        floor: The least they may be. [price]
        limit: How much there is of what they are of. [price]
        slope: Derivative of D. [price]
        bent: Second derivative of D. [price, price]
        fixed_w: Power that sets the scale.
    """
    count, scale = len(at), scales(fixed_w, at, limit)
    free = [i for i in range(count) if limit[i] > 0.0 and (at[i] > floor[i] or slope[i] < 0.0)]
    change = [0.0] * count
    while free:
        matrix = [[bent[i][j] * scale[i] * scale[j] for j in free] for i in free]
        for i, row in enumerate(matrix):
            row[i] += RIDGE * fixed_w
        held = [i for i in range(count) if i not in free]
        right = [-scale[i] * (slope[i] + sum(bent[i][j] * change[j] for j in held)) for i in free]
        step = [scale[i] * x for i, x in zip(free, _solve(matrix, right), strict=True)]
        for i, x in zip(free, step, strict=True):
            change[i] = x
        below = [i for i in free if at[i] + change[i] < floor[i]]
        if not below:
            break
        soonest = min(below, key=lambda i: (floor[i] - at[i]) / change[i])
        change[soonest] = floor[soonest] - at[soonest]
        free.remove(soonest)
    return change


def _solve(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Linear equations, positive definite; few of them are faster here than in a library."""
    size = len(right)
    if size > FEW:
        return [float(x) for x in np.linalg.solve(np.array(matrix), np.array(right))]
    for k in range(size):
        for i in range(k + 1, size):
            part = matrix[i][k] / matrix[k][k]
            for j in range(k, size):
                matrix[i][j] -= part * matrix[k][j]
            right[i] -= part * right[k]
    for k in reversed(range(size)):
        known = sum(matrix[k][j] * right[j] for j in range(k + 1, size))
        right[k] = (right[k] - known) / matrix[k][k]
    return right


def scales(fixed_w: float, price: list[float], limit: list[float]) -> list[float]:
    """What counts as a large change of each price: itself, or what is much for the resource."""
    return [
        max(p, SMALL_FRAC * fixed_w / max(m, 1e-300)) for p, m in zip(price, limit, strict=True)
    ]


def _direction(setting: Setting, price: FloatArray, taken: Response) -> tuple[FloatArray, float]:
    """Where the prices should go, within bounds all the way, and the slope of D along it.

    Newton's change, no price by more than to a tenth or tenfold, and no further than its floor;
    where that leads uphill, the way down of the logarithms.
    """
    at, floor = price.tolist(), setting.floor.tolist()
    slope = (setting.limit - taken.use).tolist()
    scale = scales(setting.fixed_w, at, setting.limit.tolist())
    down = [-math.copysign(z, s) if s else 0.0 for z, s in zip(scale, slope, strict=True)]
    for change in (newton(setting, price, taken), down):
        far = [
            c / z / (9.0 if c > 0.0 else -0.9)
            for i, (c, z) in enumerate(zip(change, scale, strict=True))
            if i == 0 or at[i] + c > floor[i]  # to their floor, all but bandwidth's may go at once
        ]
        part = 1.0 / max(1.0, *far)
        kept = [max(part * c, f - p) for c, f, p in zip(change, floor, at, strict=True)]
        downhill = sum(s * k for s, k in zip(slope, kept, strict=True))
        if downhill <= 0.0:
            return np.array(kept), downhill
    return np.zeros(3), 0.0


def _along(
    setting: Setting, ask: Ask, taken: Response, way: tuple[FloatArray, float]
) -> tuple[Ask, Response, int]:
    """The least of D on the way from the prices in a direction, roughly.

    D is convex, so its slope along the way rises, at corners of ramps by steps: false position
    after Illinois, until the slope is a third of what it was.
    """
    direction, low_slope = way
    enough, low, high, high_slope, at = -0.3 * low_slope, 0.0, 1.0, np.inf, 1.0
    side = 0
    trial, answer = ask, taken
    for asked in range(1, SECANTS + 1):
        trial = ask._replace(price=np.maximum(ask.price + at * direction, setting.floor))
        answer = response(setting.items, trial)
        here = float((setting.limit - answer.use) @ direction)
        if abs(here) <= enough or (at == 1.0 and here < 0.0):
            return trial, answer, asked
        if here < 0.0:
            low, low_slope, high_slope = at, here, high_slope * (0.5 if side < 0 else 1.0)
            side = -1
        else:
            high, high_slope, low_slope = at, here, low_slope * (0.5 if side > 0 else 1.0)
            side = 1
        part = -low_slope / (high_slope - low_slope)
        at = low + (high - low) * min(max(part, 0.02), 0.98)
    return trial, answer, SECANTS
