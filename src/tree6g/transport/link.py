"""A transport link between a site and a data centre: delay and energy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def delay_s(bit: npt.ArrayLike, *, rate_bps: float, latency_s: float) -> npt.NDArray[np.float64]:
    """One-way delay of messages: latency + bits / rate. [message].

    Queueing is not included: valid while the link carries a small part of its rate, where the mean
    wait of an M/D/1 queue, rho / (2 (1 - rho)) of a service time, is short against the latency.
    """
    return latency_s + np.asarray(bit, dtype=np.float64) / rate_bps


def energy_j(
    bit: float, duration_s: float, *, idle_power_w: float, energy_j_per_bit: float
) -> tuple[float, float]:
    """Energy of a link, idle and with traffic: P_idle t, and e per bit carried (affine model).

    Both numbers are the scenario's; per-hop figures add up. Error: that of the inputs.
    """
    return idle_power_w * duration_s, energy_j_per_bit * bit
