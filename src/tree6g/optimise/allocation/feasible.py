"""Whether what is owed can be given at all, and by how much it cannot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tree6g.errors import InfeasibleError
from tree6g.optimise.allocation.items import Items
from tree6g.optimise.allocation.joint import Shared
from tree6g.optimise.allocation.network import Network
from tree6g.optimise.allocation.problem import Accelerators, Cell, Problem
from tree6g.optimise.allocation.response import LN2, nats
from tree6g.units import show

ROUNDING = 1e-12


def faults(problem: Problem, items: Items, busy: float) -> list[str]:
    """What of a cell's least rates cannot be met; empty: all can be."""
    found = _too_few(busy, problem.accelerators)
    cell = problem.cell
    if _plainly(items, cell):
        return found
    need_w = least_power_w(items, cell.bandwidth_hz)
    if need_w > cell.power_limit_w * (1.0 + ROUNDING):
        found.append(
            f"least rates need {show(need_w, 'w')} in {show(cell.bandwidth_hz, 'hz')}; the cell "
            f"may radiate {show(cell.power_limit_w, 'w')}: "
            f"{show(need_w - cell.power_limit_w, 'w')} too little."
        )
    return found


def check(network: Network, items: Sequence[Items], busy: Sequence[float]) -> None:
    """Raise an InfeasibleError that says what cannot be met, where, and by how much.

    Args:
        network: Cells and pools.
        items: What their users may be given. [cell]
        busy: What least amounts take of accelerators, see `least_busy`. [cell and pool]
    """
    found, count = [], len(network.cells)
    for number, (problem, mine) in enumerate(zip(network.cells, items, strict=True)):
        where = f"Cell {number}: " if count > 1 else ""
        found += [f"{where}{fault}" for fault in faults(problem, mine, busy[number])]
    for number, pool in enumerate(network.pools):
        found += [f"Pool {number}: {fault}" for fault in _too_few(busy[count + number], pool)]
    if found:
        raise InfeasibleError(
            f"expected least rates that the {'network' if count > 1 else 'cell'} can carry; "
            + " ".join(found)
            + " Lower the least rates or served shares, or give the cell more."
        )


def least_busy(network: Network, items: Sequence[Items], shared: Sequence[Shared]) -> list[float]:
    """GPU seconds per second of least amounts, of each cell's accelerators and each pool's."""
    pools = [0.0] * len(network.pools)
    for mine, needs in zip(items, shared, strict=True):
        for pool in np.unique(needs.pool).tolist():
            here = needs.pool == pool
            pools[pool] += float(needs.gpu[here] @ mine.low[needs.item[here]])
    return [float(mine.gpu @ mine.low) for mine in items] + pools


def _too_few(busy: float, accelerators: Accelerators) -> list[str]:
    capacity = max(count * clock.speed_frac for count, clock in accelerators.choices())
    if busy <= capacity * (1.0 + ROUNDING):
        return []
    text = f"least token rates need {busy:.4g} accelerators at full speed; at most {capacity:.4g} "
    return [text + f"can be on: {busy - capacity:.3g} too few."]


def _plainly(items: Items, cell: Cell) -> bool:
    """Whether all power, spread evenly over the band, carries the least rates: most cells do."""
    density = cell.power_limit_w / cell.bandwidth_hz
    rate = items.bits * items.low + items.offset
    return float(rate @ (LN2 / np.log1p(items.gain * density))) <= cell.bandwidth_hz


def least_power_w(items: Items, bandwidth_hz: float) -> float:
    """Radiated power that the least amounts take when all bandwidth is used as best for it.

    The ratio r of the price of a hertz to that of a watt is where the bandwidths sum up to all
    there is; use falls as r rises, so r is found by bisection of its logarithm and secants.
    """
    rate = items.bits * items.low + items.offset
    on = rate > 0.0
    if not on.any():
        return 0.0
    rate, gain = rate[on], items.gain[on]

    def use_hz(log_ratio: float) -> float:
        """Bandwidth at a ratio of prices."""
        return float(rate @ (LN2 / nats(gain * np.exp(log_ratio))))

    low, high = -np.log(gain.max()) - 25.0, -np.log(gain.min()) + 25.0
    if use_hz(high) > bandwidth_hz:
        return np.inf
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if use_hz(middle) > bandwidth_hz else (low, middle)
    level = nats(gain * np.exp(high))
    return float(rate @ (LN2 / level * np.expm1(level) / gain))
