"""Fifty services of one model each, of five, at fifty sites and a cloud: `generate.py FOLDER`.

Services and sites lie at random in a square of 5 km; the three nearest sites may serve. A model is
on the terminal, at the site or in the cloud behind it, cut after any of 30 layers. Numbers are of
the usual size and not measured: the time of a token is its bytes over the memory's bandwidth, its
energy power times that time over a batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

SEED = 7
SERVICES, SITES, NEAR, CUTS = 50, 50, 3, 30
IDLE_W = (40.0, 150.0)

# Billions of parameters, bytes per parameter, width, quality.
MODELS = (
    (0.5, 1.0, 896, 0.35),
    (1.5, 1.0, 1536, 0.5),
    (3.0, 0.5, 2048, 0.56),
    (3.0, 1.0, 2048, 0.6),
    (8.0, 0.5, 4096, 0.8),
)
BANDWIDTH_BYTE_PER_S = np.array([60e9, 300e9, 2e12])  # terminal, edge, cloud
BATCH = np.array([1.0, 8.0, 32.0])
ACTIVE_W = np.array([8.0, 60.0, 400.0])
SHARE = (0.1, 0.2, 0.25, 0.3, 0.45)  # of an accelerator at the edge, held by a replica


def arrays() -> dict[str, np.ndarray]:
    """All that the problem is made of."""
    rng = np.random.default_rng(SEED)
    billions, byte, width, quality = (np.array(column) for column in zip(*MODELS, strict=True))
    weights = billions * 1e9 * byte
    s_per_tok = weights[:, None] / BANDWIDTH_BYTE_PER_S
    at, site = rng.uniform(0.0, 5e3, (SERVICES, 2)), rng.uniform(0.0, 5e3, (SITES, 2))
    distance_m = np.hypot(*(at[:, None] - site[None]).transpose(2, 0, 1))
    near = np.argsort(distance_m, axis=1)[:, :NEAR]
    far_m = np.take_along_axis(distance_m, near, axis=1)
    air_bps = 20e6 * np.log2(1.0 + 10.0 ** (2.5 - 3.5 * np.log10(np.maximum(far_m, 50.0) / 200.0)))
    return {
        "worth_bit_per_tok": 1e6 * quality,
        "memory_byte": 1.2 * weights,
        "handed_on_bit_per_tok": 8.0 * width,
        "s_per_tok": s_per_tok,
        "j_per_tok": ACTIVE_W * s_per_tok / BATCH,
        "accelerators": np.outer(SHARE, [0.0, 1.0, 0.25]),
        "rate_tps": rng.uniform(100.0, 1000.0, SERVICES),
        "weight": rng.uniform(0.5, 2.0, SERVICES),
        "latency_limit_s": rng.uniform(0.03, 0.15, SERVICES),
        "terminal_memory_byte": rng.choice([2e9, 4e9, 6e9], SERVICES),
        "near": near,
        "air_bps": air_bps,
        "air_j_per_bit": 20.0 / air_bps,
        "site_accelerators": np.append(rng.choice([1.0, 2.0], SITES), 2.0),
        "site_memory_byte": np.append(rng.choice([16e9, 24e9], SITES), 40e9),
        "site_uplink_bps": np.append(rng.uniform(1e6, 2e7, SITES), np.inf),
        "cuts": np.arange(CUTS) / CUTS,
        "fixed_power_w": np.array(100.0),
        "fixed_data_bps": np.array(0.0),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir()
    np.savez(folder / "problem.npz", **arrays())
