"""What an episode has come to so far: the sums that `info` has, one number per episode."""

from __future__ import annotations

import numpy as np

from tree6g.optimise.environment.slots import Slots
from tree6g.radio.pathloss import FloatArray

# Keys of `info`: joules by component with site overhead apart, work, and the two ratios.
KEYS = (
    "utility_beq",
    "energy_j",
    "radio_unit_j",
    "gpu_j",
    "host_j",
    "cooling_j",
    "bits_bit",
    "tokens_out_tok",
    "late_bit",
    "tree_beq_per_j",
    "ee_bit_per_j",
    "served_frac",
)


def figures(slots: Slots) -> dict[str, FloatArray]:
    """Sums since the episodes began, by `KEYS`. [episode].

    Ratios are 0 before the first step, when there are neither work nor joules. `served_frac` is the
    least share of any service's bits asked for so far that was delivered, 1 where nobody asked: any
    ratio rises by refusing work, so figures are of the same service only where this is alike.
    """
    totals, network = slots.totals, slots.network
    station_j = totals.station_j.sum(axis=-1) + totals.active_j.sum(axis=-1)
    server_j = totals.server_j.sum(axis=-1)
    host_j = totals.server_j[..., -1]
    cooling_j = (station_j * (network.stations.pue - 1.0)).sum(axis=-1)
    cooling_j = cooling_j + (server_j * (network.servers.pue - 1.0)).sum(axis=-1)
    bits = totals.sent_bit.sum(axis=1)
    late = totals.late_bit.sum(axis=1)
    ai = len(network.ai)
    bit_per_tok = np.array([stream.bit_per_tok for stream in network.ai])
    sums = {
        "utility_beq": totals.utility_beq.sum(axis=-1),
        "radio_unit_j": station_j.sum(axis=-1),
        "gpu_j": (server_j - host_j).sum(axis=-1),
        "host_j": host_j.sum(axis=-1),
        "cooling_j": cooling_j,
        "late_bit": late.sum(axis=-1),
        "bits_bit": bits.sum(axis=-1),
        "tokens_out_tok": (bits[:, :ai] / bit_per_tok).sum(axis=-1),
    }
    energy_j = sums["radio_unit_j"] + sums["gpu_j"] + sums["host_j"] + cooling_j
    safe_j = np.where(energy_j > 0.0, energy_j, 1.0)
    on_time = sums["bits_bit"] - _worthless(slots, late)
    sums |= {
        "energy_j": energy_j,
        "tree_beq_per_j": sums["utility_beq"] / safe_j,
        "ee_bit_per_j": on_time / safe_j,
        "served_frac": _served_frac(slots, bits),
    }
    return {key: sums[key] for key in KEYS}


def _served_frac(slots: Slots, sent_bit: FloatArray) -> FloatArray:
    """Least share of a service's bits that was delivered. [episode]."""
    waiting = slots.state.waiting_bit()
    left = [waiting[..., s.users].sum(axis=-1).sum(axis=-1) for s in slots.network.streams]
    offered = sent_bit + np.stack(left, axis=-1)
    share = np.divide(sent_bit, offered, out=np.ones_like(offered), where=offered > 0.0)
    return share.min(axis=-1)


def _worthless(slots: Slots, late_bit: FloatArray) -> FloatArray:
    """Late bits as far as they are worth nothing. [episode]."""
    lateness = np.array([1.0 - stream.late_frac for stream in slots.network.streams])
    return (late_bit * lateness).sum(axis=-1)
