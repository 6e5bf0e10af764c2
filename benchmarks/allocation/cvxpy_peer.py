"""The cells by CVXPY and Clarabel, in one solve after Charnes and Cooper.

With z = 1/P and all amounts times z, the ratio is a concave objective and P <= 1/z one constraint;
logarithms become relative entropies. Bandwidth in MHz, power in mW, rates in Mbit/s, z over the
fixed power: of the scalings tried, with the sum as objective, the one that converges most often.
Counted are CPU seconds from arrays to the solution, and beside them the time that Clarabel states.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import cvxpy as cp
import numpy as np

REPEATS = 3
MHZ, MW, MBPS = 1e6, 1e-3, 1e6
LN2 = np.log(2.0)


def built(row: dict[str, np.ndarray]) -> cp.Problem:
    """The problem; its value is the figure times the fixed power, in Mbit-equivalents."""
    data, users = len(row["rate_max_bps"]), len(row["bit_per_tok"])
    count = data + users
    fixed_w, mbit_per_tok = float(row["fixed_power_w"]), row["bit_per_tok"] / MBPS
    band, watt, z = cp.Variable(count), cp.Variable(count), cp.Variable()
    rate, tokens = cp.Variable(data), cp.Variable(users)
    gain = row["gain_hz_per_w"] * MW / MHZ
    bits = cp.hstack([rate, cp.multiply(mbit_per_tok, tokens + z / float(row["delay_s"]))])
    carried = -cp.rel_entr(band, band + cp.multiply(gain, watt)) / LN2
    t0, alpha = float(row["t0_tps"]), float(row["alpha_bit_per_tok"]) / MBPS
    earned = -alpha * t0 * cp.rel_entr(z * np.ones(users), z + tokens / t0)
    power = (
        z
        + cp.sum(watt) * (MW / float(row["amplifier_frac"]) / fixed_w)
        + cp.sum(band) * (MHZ * float(row["power_w_per_hz"]) / fixed_w)
        + cp.sum(bits) * (MBPS * float(row["transport_j_per_bit"]) / fixed_w)
        + cp.sum(tokens) * (float(row["energy_j_per_tok"]) / fixed_w)
    )
    weight = row["weight"]
    return cp.Problem(
        cp.Maximize(weight[:data] @ rate + weight[data:] @ earned),
        [
            bits <= carried,
            power <= 1.0,
            cp.sum(band) <= z * (float(row["bandwidth_hz"]) / MHZ),
            cp.sum(watt) <= z * (float(row["power_limit_w"]) / MW),
            cp.sum(tokens) <= z * float(row["tokens_limit_tps"]),
            rate >= z * (float(row["rate_min_bps"]) / MBPS),
            rate <= z * (row["rate_max_bps"] / MBPS),
            tokens >= z * float(row["rate_min_tps"]),
            tokens <= z * float(row["rate_max_tps"]),
            band >= 0.0,
            watt >= 0.0,
        ],
    )


def solved(path: Path) -> dict[str, object]:
    """What a solve says and takes, the fastest of some; a solver that gives up has no value."""
    row = dict(np.load(path))
    runs = [once(row) for _ in range(REPEATS if len(row["weight"]) <= 1_000 else 1)]
    return min(runs, key=lambda run: run["cpu_s"])


def once(row: dict[str, np.ndarray]) -> dict[str, object]:
    """One solve, with how long it takes."""
    start = time.process_time()
    problem = built(row)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a solution may be inaccurate; its status says so
            problem.solve(solver="CLARABEL")
    except cp.SolverError:
        return {"cpu_s": time.process_time() - start, "status": "failed", "value": None}
    spent = time.process_time() - start
    scale = MBPS / float(row["fixed_power_w"])
    return {
        "cpu_s": spent,
        "solver_s": float(problem.solver_stats.solve_time),
        "status": problem.status,
        "value": None if problem.value is None else float(problem.value) * scale,
    }


if __name__ == "__main__":
    paths = sorted(p for p in Path(sys.argv[1]).glob("*.npz") if "-1000000-" not in p.name)
    solved(next(p for p in paths if "-100-" in p.name))  # imports are not counted
    Path(sys.argv[2]).write_text(json.dumps({path.stem: solved(path) for path in paths}))
