"""Energy of many cells of one kind over a time: `radio.sleep.station_energy` as arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import StationPower


class CellDuties(NamedTuple):
    """What cells did, as `sleep.Duty`. Arrays are [cell] or [cell, state]."""

    duration_s: FloatArray
    asleep_s: FloatArray
    entries: npt.NDArray[np.int64]
    send_s: FloatArray
    listen_s: FloatArray

    def of(self, rows: npt.NDArray[np.int64], states: int) -> CellDuties:
        """Some of the cells, whose stations have so many sleep states."""
        asleep_s, entries = self.asleep_s[rows, :states], self.entries[rows, :states]
        send_s, listen_s = self.send_s[rows], self.listen_s[rows]
        return CellDuties(self.duration_s[rows], asleep_s, entries, send_s, listen_s)


class StationsEnergy(NamedTuple):
    """Parts as in `sleep.StationEnergy`, and the total from the power of each state. [cell]."""

    asleep_j: FloatArray
    awake_j: FloatArray
    transition_j: FloatArray
    broadcast_j: FloatArray
    downlink_j: FloatArray
    uplink_j: FloatArray
    total_j: FloatArray


def stations_energy(
    station: StationPower, did: CellDuties, *, downlink_s: FloatArray, uplink_s: FloatArray
) -> StationsEnergy:
    """`sleep.station_energy` and `sleep.station_total_j` of many cells that are alike. [cell].

    Args:
        station: Their power states.
        did: When they slept and sent their common signals.
        downlink_s: Time in which the whole band was sent with full power.
        uplink_s: Time in which the whole band was received.
    """
    lasts_s = did.duration_s
    here = np.where(lasts_s > 0.0, lasts_s, 1.0)
    alone = np.where(lasts_s > 0.0, np.maximum(0.0, 1.0 - downlink_s / here), 1.0)
    silent = np.where(lasts_s > 0.0, np.maximum(0.0, 1.0 - did.send_s / here), 1.0)
    hears = alone * silent if station.fdd else np.ones_like(alone)
    power_w = np.array([state.power_w for state in station.sleep])
    transition_j = np.array([state.transition_j for state in station.sleep])
    receive_w, slept_s = station.uplink_w - station.awake_w, did.asleep_s.sum(axis=1)
    sending_s, hearing_s = did.send_s * alone, did.listen_s * (alone if station.fdd else 1.0)
    received_s = hearing_s + uplink_s * hears
    waiting_s = lasts_s - slept_s - sending_s - received_s - downlink_s
    total_j = (
        (did.asleep_s * power_w + did.entries * transition_j).sum(axis=1)
        + station.awake_w * waiting_s
        + station.downlink_w * downlink_s
        + station.uplink_w * received_s
        + station.broadcast_w * sending_s
    )
    return StationsEnergy(
        asleep_j=(did.asleep_s * power_w).sum(axis=1),
        awake_j=station.awake_w * (lasts_s - slept_s),
        transition_j=(did.entries * transition_j).sum(axis=1),
        broadcast_j=(station.broadcast_w - station.awake_w) * sending_s + receive_w * hearing_s,
        downlink_j=(station.downlink_w - station.awake_w) * downlink_s,
        uplink_j=receive_w * uplink_s * hears,
        total_j=total_j,
    )
