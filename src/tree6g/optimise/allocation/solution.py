"""What a best allocation is, and what proves it."""

from __future__ import annotations

import dataclasses

from tree6g.optimise.allocation.items import Objective
from tree6g.optimise.allocation.problem import Clock, FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Shadow prices: by how much the figure rises with one more unit of what is scarce; 0: slack.

    Attributes:
        per_hz: Of bandwidth.
        per_w: Of the limit on radiated power.
        per_accelerator: Of one more accelerator at full speed, idle power not counted.
    """

    per_hz: float
    per_w: float
    per_accelerator: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """The best allocation of a cell and what proves it.

    Attributes:
        objective: `tree` or `ee`.
        value: Its figure, bit-equivalents or bits per joule.
        upper_bound: No allocation has a greater one, whatever number of accelerators and clock.
        tree_beq_per_j: TREE of this allocation.
        ee_bit_per_j: EE of this allocation: bits of all users per joule.
        power_w: Electrical power of everything.
        rate_bps: Of data users. [data user]
        rate_tps: Of AI users. [AI user]
        bandwidth_hz: Of data users, then AI users. [user]
        radiated_w: Of data users, then AI users. [user]
        accelerators: How many are on.
        clock: Their state.
        prices: Shadow prices.
        excess_frac: By how much a limit is exceeded, as a share of it: rounding.
        asked: How often the users were asked, all settings together.
    """

    objective: Objective
    value: float
    upper_bound: float
    tree_beq_per_j: float
    ee_bit_per_j: float
    power_w: float
    rate_bps: FloatArray
    rate_tps: FloatArray
    bandwidth_hz: FloatArray
    radiated_w: FloatArray
    accelerators: int
    clock: Clock
    prices: Prices
    excess_frac: float
    asked: int

    @property
    def gap_frac(self) -> float:
        """Upper bound over value, less 1."""
        return self.upper_bound / self.value - 1.0 if self.value > 0.0 else 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CellShare:
    """What the users of one cell of a network get; attributes as those of `Solution`."""

    rate_bps: FloatArray
    rate_tps: FloatArray
    bandwidth_hz: FloatArray
    radiated_w: FloatArray
    accelerators: int
    clock: Clock
    prices: Prices


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PoolShare:
    """A pool in the best allocation.

    Attributes:
        accelerators: How many are on.
        clock: Their state.
        per_accelerator: Shadow price of one more, idle power not counted.
    """

    accelerators: int
    clock: Clock
    per_accelerator: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSolution:
    """The best allocation of a network and what proves it; attributes as those of `Solution`.

    Attributes:
        cells: What each cell gives.
        pools: What is on of the shared pools.
    """

    objective: Objective
    value: float
    upper_bound: float
    tree_beq_per_j: float
    ee_bit_per_j: float
    power_w: float
    cells: tuple[CellShare, ...]
    pools: tuple[PoolShare, ...]
    excess_frac: float
    asked: int

    @property
    def gap_frac(self) -> float:
        """Upper bound over value, less 1."""
        return self.upper_bound / self.value - 1.0 if self.value > 0.0 else 0.0

    @property
    def of_one(self) -> Solution:
        """The solution of a network of one cell as that of the cell."""
        (cell,) = self.cells
        return Solution(
            objective=self.objective,
            value=self.value,
            upper_bound=self.upper_bound,
            tree_beq_per_j=self.tree_beq_per_j,
            ee_bit_per_j=self.ee_bit_per_j,
            power_w=self.power_w,
            rate_bps=cell.rate_bps,
            rate_tps=cell.rate_tps,
            bandwidth_hz=cell.bandwidth_hz,
            radiated_w=cell.radiated_w,
            accelerators=cell.accelerators,
            clock=cell.clock,
            prices=cell.prices,
            excess_frac=self.excess_frac,
            asked=self.asked,
        )
