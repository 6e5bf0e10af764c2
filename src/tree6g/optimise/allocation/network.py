"""Many cells with fixed interference, and accelerators that serve users of several of them.

One ratio over all: worth of every cell over power of every cell and accelerator. Cells disturb one
another by what is in the gains of their users, whatever is decided; so bandwidth and power are
each cell's own matter, and cells have to do with one another only through the ratio and through
pools of accelerators that they share.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import Final

import numpy as np

from tree6g.errors import ScenarioError
from tree6g.optimise.allocation.problem import Accelerators, Clock, IntArray, Problem

MOST_CHOICES: Final = 10_000  # settings of accelerators that are tried one by one
Choice = tuple[int, Clock]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Cells and the pools of accelerators that they share.

    Attributes:
        cells: Each with its users, its fixed power, and accelerators that serve it alone.
        pools: Accelerators that serve users of any cell.
        pool: For each cell, the pool of each of its AI users; -1: accelerators of the cell. Empty:
            all are served by their cells. [cell][AI user]
    """

    cells: tuple[Problem, ...]
    pools: tuple[Accelerators, ...] = ()
    pool: tuple[IntArray, ...] = ()

    def __post_init__(self) -> None:
        """Bring pools to one entry per AI user; refuse pools that are not there."""
        if not self.cells:
            raise ScenarioError("expected a network of at least one cell; got none.")
        if self.pool:
            self._check_pools()
        else:
            own = tuple(np.full(cell.ai.count, -1, dtype=np.int64) for cell in self.cells)
            object.__setattr__(self, "pool", own)
        if self.choices_count > MOST_CHOICES:
            raise ScenarioError(
                f"expected at most {MOST_CHOICES:,} settings of accelerators, for each is solved; "
                f"got {self.choices_count:,}. Leave fewer numbers and clocks to choose."
            )

    def _check_pools(self) -> None:
        pool = tuple(np.asarray(each, dtype=np.int64) for each in self.pool)
        counts = [cell.ai.count for cell in self.cells]
        if [each.shape for each in pool] != [(count,) for count in counts]:
            raise ScenarioError(
                f"expected the pool of each AI user, {counts} of them by cell; got "
                f"{[each.shape for each in pool]}."
            )
        every = np.concatenate(pool)
        if len(every) and not -1 <= every.min() <= every.max() < len(self.pools):
            raise ScenarioError(
                f"expected pools from -1 to {len(self.pools) - 1}; got {every.min()} to "
                f"{every.max()}."
            )
        object.__setattr__(self, "pool", pool)

    @property
    def choices_count(self) -> int:
        """How many settings of accelerators there are."""
        return math.prod(len(tuple(each.choices())) for each in self._accelerators())

    def choices(self) -> Iterator[tuple[Choice, ...]]:
        """Numbers and clocks of each cell's accelerators, then of each pool's."""
        return itertools.product(*(each.choices() for each in self._accelerators()))

    def _accelerators(self) -> tuple[Accelerators, ...]:
        return (*(cell.accelerators for cell in self.cells), *self.pools)


def network_of(problem: Problem) -> Network:
    """One cell as a network."""
    return Network(cells=(problem,))
