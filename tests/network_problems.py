"""Random networks with shared accelerators, for tests of allocations."""

from __future__ import annotations

import dataclasses

import numpy as np

from allocation_problems import CLOCKS, CURVES, problem
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.network import Network
from tree6g.optimise.allocation.problem import Accelerators, Clock


def network(
    cells: int,
    users: int,
    seed: int,
    *,
    pools: int = 1,
    power_w_per_user: float = 0.4,
    curves: tuple[Curve, ...] = CURVES[:1],
    cards: tuple[int, ...] = (1,),
    clocks: tuple[Clock, ...] = CLOCKS[:1],
    plenty: float = 0.5,
) -> Network:
    """Cells of different load; about three in four of their AI users are served by pools.

    `plenty`: capacity of one accelerator of a pool, as a share of what all of them ask for at most.
    """
    rng = np.random.default_rng(seed)
    found = [
        problem(
            max(2, int(users * rng.uniform(0.5, 1.5))),
            int(rng.integers(1 << 30)),
            power_w_per_user=power_w_per_user,
            curves=curves,
        )
        for _ in range(cells)
    ]
    pool = [rng.integers(-1, pools, cell.ai.count) for cell in found]
    if pools:
        pool = [np.where(rng.uniform(size=len(p)) < 0.75, np.maximum(p, 0), -1) for p in pool]
    alone = [
        dataclasses.replace(cell, accelerators=Accelerators(counts=(1,), clocks=CLOCKS[:1]))
        for cell in found
    ]
    asked = sum(float(c.ai.gpu_s_per_tok @ c.ai.rate_max_tps) for c in found) / max(pools, 1)
    sized = tuple(dataclasses.replace(c, speed_frac=plenty * asked * c.speed_frac) for c in clocks)
    return Network(
        cells=tuple(alone),
        pools=(Accelerators(counts=cards, clocks=sized),) * pools,
        pool=tuple(pool),
    )
