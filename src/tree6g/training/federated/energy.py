"""Time and energy of a client's round by the usual closed forms.

    t_cmp = I C D / f              E_cmp = kappa I C D f^2
    r = B log2(1 + g p / (N0 B))   t_tx = s / r        E_tx = p t_tx

I epochs over D samples of C processor cycles each at f cycles per second; kappa is the effective
switched capacitance; s bits at radiated power p over a channel of gain g in bandwidth B (Yang et
al., IEEE TWC 20(3) 2021, arXiv 1911.02417, equations of the system model). Valid as order of
magnitude: dynamic energy of a processor alone, no memory, no idle power, Shannon rate, radiated
power in place of drawn power. The engine takes measured accelerators and its own radio instead.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tree6g.training.federated.models import FloatArray


def compute_s(
    epochs: float, cycles_per_sample: npt.ArrayLike, samples: npt.ArrayLike, clock_hz: npt.ArrayLike
) -> FloatArray:
    """Time of computing I C D / f."""
    work = epochs * np.asarray(cycles_per_sample, dtype=np.float64) * np.asarray(samples)
    return np.asarray(work / np.asarray(clock_hz))


def compute_j(
    kappa: float,
    epochs: float,
    cycles_per_sample: npt.ArrayLike,
    samples: npt.ArrayLike,
    clock_hz: npt.ArrayLike,
) -> FloatArray:
    """Energy of computing kappa I C D f^2; kappa in J s^2 per cycle^3, typically 1e-28."""
    cube = np.asarray(clock_hz, dtype=np.float64) ** 3
    return np.asarray(kappa * cube * compute_s(epochs, cycles_per_sample, samples, clock_hz))


def rate_bps(
    bandwidth_hz: npt.ArrayLike, gain: npt.ArrayLike, power_w: npt.ArrayLike, noise_w_per_hz: float
) -> FloatArray:
    """Shannon rate B log2(1 + g p / (N0 B))."""
    band = np.asarray(bandwidth_hz, dtype=np.float64)
    return np.asarray(
        band * np.log2(1.0 + np.asarray(gain) * np.asarray(power_w) / (noise_w_per_hz * band))
    )


def send_s(bit: npt.ArrayLike, rate_bps: npt.ArrayLike) -> FloatArray:
    """Time of sending s / r."""
    return np.asarray(np.asarray(bit, dtype=np.float64) / np.asarray(rate_bps))


def send_j(bit: npt.ArrayLike, rate_bps: npt.ArrayLike, power_w: npt.ArrayLike) -> FloatArray:
    """Energy of sending p s / r."""
    return np.asarray(np.asarray(power_w, dtype=np.float64) * send_s(bit, rate_bps))
