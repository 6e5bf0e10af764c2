"""Cells with their users: mild ones, where a conic solver converges, and wild ones, where it fails.

Half of the users ask a model, with logarithmic utility, half move data, worth as many bits. What
limits a cell grows with its users; the power limit is slack or binds. Path loss is uniform: 95 to
115 dB in mild cells, 80 to 125 dB in wild ones. The largest cells are for us alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

LOSS_DB = {"mild": (95.0, 115.0), "wild": (80.0, 125.0)}
POWER_W = {"slack": 0.4, "binding": 0.008}  # per user
SEEDS = {100: 5, 1_000: 3}  # else one
COUNTS = {"mild": (100, 1_000, 10_000), "wild": (100, 1_000, 10_000, 1_000_000)}


def main(out: Path) -> None:
    out.mkdir(parents=True)
    for family, counts in COUNTS.items():
        for count in counts:
            for power in POWER_W:
                for seed in range(SEEDS.get(count, 1)):
                    name = f"{family}-{count}-{power}-{seed}.npz"
                    np.savez(out / name, **cell(family, count, power, seed))


def cell(family: str, count: int, power: str, seed: int) -> dict[str, object]:
    """All numbers of one cell in SI units."""
    random = np.random.default_rng([seed, count])
    users = count // 2
    loss_db = random.uniform(*LOSS_DB[family], count)
    return {
        "gain_hz_per_w": 10.0 ** ((30.0 - loss_db + 165.0) / 10.0),  # noise figure 9 dB
        "weight": random.uniform(0.5, 2.0, count),
        "rate_max_bps": random.uniform(2e6, 2e7, count - users),
        "bit_per_tok": random.uniform(1e3, 4e3, users),
        "rate_min_bps": 1e4,
        "alpha_bit_per_tok": 4e5,
        "t0_tps": 20.0,
        "delay_s": 0.2,
        "energy_j_per_tok": 0.1,
        "rate_min_tps": 1.0,
        "rate_max_tps": 200.0,
        "tokens_limit_tps": 15.0 * count,
        "bandwidth_hz": 2e5 * count,
        "power_limit_w": POWER_W[power] * count,
        "amplifier_frac": 0.3,
        "fixed_power_w": 3.5 * count,
        "power_w_per_hz": 1e-7,
        "transport_j_per_bit": 1e-8,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
