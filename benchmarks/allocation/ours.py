"""All cells by our price decomposition: CPU seconds of each, figure, bound and limits."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.problem import (
    Accelerators,
    AiUsers,
    Cell,
    Clock,
    DataUsers,
    Problem,
)
from tree6g.optimise.allocation.solve import allocate

REPEATS = 5


def problem(row: dict[str, np.ndarray]) -> Problem:
    """A cell as our records."""
    data = len(row["rate_max_bps"])
    return Problem(
        cell=Cell(
            **{
                name: float(row[name])
                for name in (
                    "bandwidth_hz",
                    "power_limit_w",
                    "amplifier_frac",
                    "fixed_power_w",
                    "power_w_per_hz",
                    "transport_j_per_bit",
                )
            }
        ),
        data=DataUsers(
            gain_hz_per_w=row["gain_hz_per_w"][:data],
            weight=row["weight"][:data],
            rate_min_bps=row["rate_min_bps"],
            rate_max_bps=row["rate_max_bps"],
        ),
        ai=AiUsers(
            gain_hz_per_w=row["gain_hz_per_w"][data:],
            weight=row["weight"][data:],
            curves=(
                Curve(
                    family="log",
                    alpha_bit_per_tok=float(row["alpha_bit_per_tok"]),
                    t0_tps=float(row["t0_tps"]),
                ),
            ),
            curve=0,
            gpu_s_per_tok=1.0 / float(row["tokens_limit_tps"]),
            **{
                name: row[name]
                for name in (
                    "bit_per_tok",
                    "delay_s",
                    "energy_j_per_tok",
                    "rate_min_tps",
                    "rate_max_tps",
                )
            },
        ),
        accelerators=Accelerators(counts=(1,), clocks=(Clock(idle_power_w=0.0),)),
    )


def solved(path: Path) -> dict[str, object]:
    """The fastest of some runs, from arrays to the solution."""
    row = dict(np.load(path))
    spent = []
    for _ in range(1 if len(row["weight"]) > 10_000 else REPEATS):
        start = time.process_time()
        solution = allocate(problem(row))
        spent.append(time.process_time() - start)
    return {
        "cpu_s": min(spent),
        "value": solution.value,
        "upper_bound": solution.upper_bound,
        "excess_frac": solution.excess_frac,
    }


if __name__ == "__main__":
    paths = sorted(Path(sys.argv[1]).glob("*.npz"))
    solved(paths[0])  # compiles, or loads what is compiled
    Path(sys.argv[2]).write_text(json.dumps({path.stem: solved(path) for path in paths}))
