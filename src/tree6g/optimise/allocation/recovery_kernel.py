"""From prices to an allocation within the limits, in one compiled call per cell.

What is done is what `recovery` does in plain NumPy, and says why; for some hundred users most of
the time there is not arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tree6g.optimise.allocation.prices import RIDGE, Setting
from tree6g.optimise.allocation.problem import FloatArray
from tree6g.optimise.allocation.response import LN2, Response
from tree6g.optimise.allocation.response_kernel import family_of, worth_of
from tree6g.optimise.allocation.settle_kernel import newton
from tree6g.radio.link.compiler import compiled


def recovered(
    setting: Setting, price: FloatArray, taken: Response
) -> tuple[FloatArray, list[float]]:
    """A cell one Newton step on and within its limits.

    Args:
        setting: The cell, without shared pools.
        price: Its prices. [3]
        taken: What its users take there.

    Returns:
        Amount, bandwidth, radiated power and worth of each item [4, item]; then sums: bandwidth,
        radiated power, worth, GPU seconds per second, electrical power by amounts, that of offsets.
    """
    items = setting.items
    out, sums = np.empty((4, len(items.gain))), np.zeros(3)
    _recover(
        items.table, items.first, setting.limit, setting.floor, setting.fixed_w, price,
        taken.use, taken.curvature, taken.amount, taken.stiffness, taken.hz_per_bps,
        taken.w_per_bps, out, sums,
    )  # fmt: skip
    return out, [*out[1:].sum(axis=1).tolist(), *sums.tolist()]


@compiled
def _within(amount: Any, low: Any, each: Any, limit: float) -> None:
    """Take what is too much for a limit from all that is above its least."""
    use, least = 0.0, 0.0
    for n in range(len(amount)):
        use += each[n] * amount[n]
        least += each[n] * low[n]
    if use <= limit or use <= least:
        return
    part = max(0.0, (limit - least) / (use - least))
    for n in range(len(amount)):
        amount[n] = low[n] + part * (amount[n] - low[n])


@compiled
def _squeezed(table: Any, limit: Any, hz: Any, watt: Any, out: Any) -> None:
    """Bandwidth and power per rate, so that the amounts fit into the bandwidth; then the power."""
    amount, total_hz = out[0], 0.0
    for n in range(len(amount)):
        total_hz += (table[1, n] * amount[n] + table[2, n]) * hz[n]
    squeeze, least_w = min(1.0, limit[0] / max(total_hz, 1e-300)), 0.0
    each = np.empty(len(amount))
    for n in range(len(amount)):
        out[1, n], out[2, n] = hz[n], watt[n]
        if squeeze < 1.0:
            each_hz = squeeze * hz[n]
            out[1, n], out[2, n] = each_hz, each_hz * math.expm1(LN2 / each_hz) / table[0, n]
        least_w += table[2, n] * out[2, n]
        each[n] = table[1, n] * out[2, n]
    _within(amount, table[3], each, limit[1] - least_w)


@compiled
def _recover(  # noqa: PLR0913, PLR0917  # flat arrays, as compiled code wants them
    table: Any, first: Any, limit: Any, floor: Any, fixed_w: float, price: Any, use: Any,
    bent: Any, amount: Any, slack: Any, hz: Any, watt: Any, out: Any, sums: Any,
) -> None:  # fmt: skip
    """Amounts, bandwidths, powers and worths into `out`; sums of the rest into `sums`."""
    step = newton(price, floor, limit, limit - use, bent, fixed_w, RIDGE)
    for n in range(len(amount)):
        dearer = table[1, n] * (hz[n] * step[0] + watt[n] * step[1]) + table[8, n] * step[2]
        out[0, n] = min(max(amount[n] - slack[n] * dearer, table[3, n]), table[4, n])
    _within(out[0], table[3], table[8], limit[2])
    _squeezed(table, limit, hz, watt, out)
    for n in range(len(amount)):
        got, item = out[0, n], table[:, n]
        rate = item[1] * got + item[2]
        out[1, n] *= rate
        out[2, n] *= rate
        out[3, n] = worth_of(family_of(first, n), item, got)
        sums[0] += item[8] * got
        sums[1] += item[9] * got
        sums[2] += item[10]
