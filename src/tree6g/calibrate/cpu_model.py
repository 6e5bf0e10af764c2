"""Power of a processor from its busy share and its clock, and the fit of its constants.

    P = idle + (full - idle) * u^c * (f / f_full)^p

u is the busy share of all hardware threads, f their mean clock and f_full the clock at full load.
The exponent c is below 1 where the second thread of a core adds little or the first busy core wakes
the package; p is 1 at constant voltage and up to 3 where voltage follows the clock. Where no clock
is known the last factor is left out.

Not included: what the machine draws beside the package (boards, disks, fans, losses of the power
supply), turbo limits by temperature, and what kinds of instructions a load has. Valid between the
loads of the fit. How far off: `tree6g validate cpu-power`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.cpu_rows import Machine
from tree6g.calibrate.least_squares import least_squares

FloatArray = NDArray[np.float64]

# Logarithms of usual values, how far real ones lie from them, and what they cannot exceed.
USUAL: Final = np.log([0.6, 1.0])
SPREAD: Final = 0.5
MOST: Final = np.log([3.0, 3.0])
RESIDUAL_FRAC: Final = 0.1  # usual error of a row, against which the usual values weigh


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Constants of a processor.

    Attributes:
        idle_w: Power at rest.
        full_w: Power with all threads busy, at the clock `full_hz`.
        exponent: c, of the busy share.
        clock_exponent: p, of the clock; 0 where it does not count.
        full_hz: Clock at full load; NaN where no clock counts.
    """

    idle_w: float
    full_w: float
    exponent: float
    clock_exponent: float = 0.0
    full_hz: float = np.nan

    def power_w(self, load_frac: FloatArray, clock_hz: FloatArray) -> FloatArray:
        """Watts at busy shares and clocks `[row]`; clocks do not matter where p is 0.

        >>> p = Power(idle_w=10.0, full_w=50.0, exponent=0.5)
        >>> p.power_w(np.array([0.0, 0.25, 1.0]), np.full(3, np.nan)).tolist()
        [10.0, 30.0, 50.0]
        """
        spread = load_frac**self.exponent
        if self.clock_exponent > 0.0:
            spread = spread * (clock_hz / self.full_hz) ** self.clock_exponent
        return self.idle_w + (self.full_w - self.idle_w) * spread


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedPower:
    """Constants of a machine with the error of their logarithms.

    Attributes:
        power: The constants.
        log_error: Standard errors of the logarithms of (full - idle), c and p, as far as fitted.
    """

    power: Power
    log_error: FloatArray


def fit_power(machine: Machine, *, clocked: bool) -> FittedPower:
    """Constants of one machine: idle is the mean at rest, the others by least squares.

    Residuals are logarithms of watts above rest, with usual values of the exponents as weak
    knowledge (0.6 and 1, each within a factor of 1.65): loads of one shape hardly tell them apart.

    Args:
        machine: Its rows, some of them at rest.
        clocked: Whether clocks count; needs them in every row.
    """
    idle_w = float(machine.power_w[~machine.busy].mean())
    rows = machine.rows(machine.busy)
    top = rows.load_frac >= rows.load_frac.max()
    full_hz = float(rows.clock_hz[top].mean()) if clocked else np.nan
    count = 2 if clocked else 1
    start = np.concatenate([[np.log(rows.power_w.max() / 2.0)], USUAL[:count]])
    most = np.concatenate([[np.log(10.0 * rows.power_w.max())], MOST[:count]])
    weight = RESIDUAL_FRAC / SPREAD
    load, clock = np.log(rows.load_frac), np.log(rows.clock_hz / full_hz)

    def residuals(at: FloatArray) -> FloatArray:
        """Weighted differences of the logarithms, and of the constants from what is usual."""
        shape = np.exp(at[:, 1:2]) * load
        if clocked:
            shape = shape + np.exp(at[:, 2:3]) * clock
        told_w = idle_w + np.exp(at[:, :1] + shape)
        known = weight * (at[:, 1:] - USUAL[:count])
        return np.concatenate([np.log(told_w / rows.power_w), known], axis=1)

    found = least_squares(residuals, start, most=most)
    free = max(1, len(load) - count - 1)
    spread = np.linalg.inv(found.jacobian.T @ found.jacobian) * found.cost / free
    more = np.exp(found.at)
    power = Power(
        idle_w=idle_w,
        full_w=idle_w + float(more[0]),
        exponent=float(more[1]),
        clock_exponent=float(more[2]) if clocked else 0.0,
        full_hz=full_hz,
    )
    return FittedPower(power=power, log_error=np.sqrt(np.diag(spread)))


def default_power(machines: Sequence[Machine]) -> Power:
    """Constants per watt of design power, linear in the load, from machines that were measured.

    Each machine weighs the same. For a machine of which nothing is known but its design power.
    """
    parts = []
    for machine in machines:
        busy = machine.busy
        share = machine.power_w / machine.tdp_w
        line = np.stack([np.ones(int(busy.sum())), machine.load_frac[busy]], axis=1)
        # Relative errors count, as they are judged.
        relative = line / share[busy][:, None]
        parts.append((relative / np.sqrt(len(line)), np.full(len(line), 1 / np.sqrt(len(line)))))
    matrix = np.concatenate([m for m, _ in parts])
    least = np.linalg.lstsq(matrix, np.concatenate([v for _, v in parts]), rcond=None)[0]
    idle, more = (float(v) for v in least)
    return Power(idle_w=idle, full_w=idle + more, exponent=1.0)


def has_clocks(machine: Machine) -> bool:
    """Whether every row has a clock."""
    return bool(np.isfinite(machine.clock_hz).all())


def scaled(power: Power, tdp_w: float) -> Power:
    """Constants per watt of design power, for a machine of that design power."""
    return dataclasses.replace(power, idle_w=power.idle_w * tdp_w, full_w=power.full_w * tdp_w)
