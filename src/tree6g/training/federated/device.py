"""Time and energy of training a small model on an accelerator, above its idle.

    t = hypot(FLOP / F, bytes / BW) + 3 L n t_layer
    E = (P_static - P_idle) t + e_B bytes + e_F FLOP

with the constants that inference engines reach (`compute.accelerator`), F in 16 bits. Each of the n
steps reads the 32-bit weights on both ways and writes them, and launches the L layers three times:
forward, backward and for the update. t is stretched until power is within the device's limit.
Valid as an estimate: the constants were fitted to inference, nothing here was held against measured
training on these devices. Small models are bound by the launches: then E is nearly static power
times time.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.compute.accelerator import Accelerator

PASSES: Final = 3  # over the weights in a step
WEIGHT_BYTE: Final = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What training takes: time, and energy above idle."""

    time_s: float
    energy_j: float

    @property
    def power_w(self) -> float:
        """Mean power above idle; 0 where there is nothing to do."""
        return self.energy_j / self.time_s if self.time_s else 0.0


def work(device: Accelerator, *, flop: float, steps: int, values: int, layers: int) -> Work:
    """Time and energy of training.

    Args:
        device: What computes.
        flop: FLOP of all steps.
        steps: Steps of gradient descent.
        values: Weights that every step reads and writes.
        layers: Layers of the model.
    """
    byte = float(PASSES * WEIGHT_BYTE * steps * values)
    busy_s = np.hypot(
        flop / device.reached_flop_per_s("fp16"),
        byte / (device.bandwidth_byte_per_s * device.weight_efficiency_frac),
    )
    time_s = float(busy_s) + PASSES * layers * steps * device.layer_s
    moved_j = device.energy_j_per_byte * byte + device.energy_j_per_flop * flop
    static_w = device.static_w - device.idle_context_w
    limit_w = device.tdp_w - device.idle_context_w
    time_s = max(time_s, moved_j / (limit_w - static_w)) if limit_w > static_w else time_s
    return Work(time_s=time_s, energy_j=static_w * time_s + moved_j)
