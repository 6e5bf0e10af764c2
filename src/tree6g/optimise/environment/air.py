"""The downlink within a step: rates, who sends for how long, and what the cells draw.

A user's share is the part of the step's downlink time that it may fill; shares of those who have
bits waiting that sum to more than 1 are scaled down, what sums to less leaves the cell silent. A
user sends until its queue is empty or its time is over. Nobody takes what another leaves.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.optimise.environment.network import (
    POWER_FRAC,
    SINR_STEP_DB,
    IntArray,
    Network,
)
from tree6g.optimise.environment.state import State
from tree6g.radio.pathloss import FloatArray

MODE_DB: Final = np.array([0.0, *(10.0 * np.log10(part) for part in POWER_FRAC[1:])])
MEAN_STEPS: Final = 100.0  # of the moving average of rates, as a time constant


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sent:
    """What the cells did in a step.

    Attributes:
        bit: Bits sent. [episode, cell, user]
        sent_s: Time of the whole band that they took. [episode, cell, user]
        lost_s: Time that cells were still waking up. [episode, cell]
        entered: Cells that went off. [episode, cell]
    """

    bit: FloatArray
    sent_s: FloatArray
    lost_s: FloatArray
    entered: FloatArray


class Air:
    """The cells of a network."""

    def __init__(self, network: Network, step_s: float) -> None:
        self._network = network
        self._step_s = step_s
        self._kind = network.kind[None, :, None]
        self._one_kind = len(network.rate_bps) == 1
        self._present = network.present.astype(np.float64)
        self._last = network.rate_bps.shape[1] - 1

    def rate_bps(self, sinr_db: FloatArray) -> FloatArray:
        """Rate of the whole carrier, from the table of each cell. [episode, cell, user]."""
        entry = (sinr_db - (self._network.floor_db - 0.5 * SINR_STEP_DB)) * (1.0 / SINR_STEP_DB)
        at = np.clip(entry, 0.0, self._last).astype(np.int32)
        table = self._network.rate_bps
        found: FloatArray = table[0].take(at) if self._one_kind else table[self._kind, at]
        return found * self._present

    def update_sinr(self, state: State, std_db: float) -> None:
        """SINR at full power, with this step's shadowing and the last step's interference."""
        coupling = self._network.coupling
        if coupling is None:
            np.multiply(state.shadow, std_db, out=state.sinr_db)
            state.sinr_db += self._network.sinr_db
            return
        disturbed = np.broadcast_to(coupling.noise_w[None, :, None], state.shadow.shape).copy()
        for cell in range(self._network.cells):
            disturbed += coupling.others_w[..., cell] * state.load_frac[:, cell, None, None]
        own_w = np.maximum(coupling.own_w, 1e-300)
        state.sinr_db[:] = 10.0 * np.log10(own_w / disturbed) + std_db * state.shadow

    def send(self, state: State, share: FloatArray, mode: IntArray) -> Sent:
        """Send what waits; changes the state of cells and queues."""
        stations, step_s = self._network.stations, self._step_s
        lost_s, entered = self._switch(state, mode > 0)
        ready_s = np.where(state.off, 0.0, step_s - lost_s)
        asked = np.where(state.backlog_bit > 0.0, share, 0.0)
        scale = ready_s / np.maximum(asked.sum(axis=-1), 1.0)
        rate = self.rate_bps(state.sinr_db + MODE_DB[mode][..., None])
        bit = np.minimum(state.backlog_bit, rate * (asked * scale[..., None]))
        used_s = np.divide(bit, rate, out=np.zeros_like(bit), where=bit > 0.0)
        state.backlog_bit -= bit
        state.mean_bps += (bit / step_s - state.mean_bps) / MEAN_STEPS
        sent_s = used_s * stations.time_frac[:, None]
        state.load_frac[:] = used_s.sum(axis=-1) / step_s * np.array(POWER_FRAC)[mode]
        return Sent(bit=bit, sent_s=sent_s, lost_s=lost_s, entered=entered)

    def _switch(self, state: State, on: np.ndarray) -> tuple[FloatArray, FloatArray]:
        """Put cells off and on; a cell that still goes off finishes that before it wakes."""
        wake_s = self._network.stations.wake_s
        wakes = on & state.off
        needed_s = wake_s + np.maximum(0.0, wake_s - state.off_s)
        left_s = np.where(wakes, needed_s, state.waking_s)
        left_s = np.where(on, left_s, 0.0)
        lost_s = np.minimum(left_s, self._step_s)
        entered = (~on & ~state.off).astype(np.float64)
        state.waking_s[:] = left_s - lost_s
        state.off_s[:] = np.where(on, 0.0, state.off_s + self._step_s)
        state.off[:] = ~on
        return lost_s, entered

    def energy(
        self, sent: Sent, off: np.ndarray, mode: IntArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Energy of the cells, site overhead apart.

        Returns:
            By state [episode, cell, state], watts of sending above rest [episode, cell], and the
            sum once more from powers and times [episode, cell].
        """
        s, step_s = self._network.stations, self._step_s
        cells = np.arange(self._network.cells)
        rest_w, send_w = s.rest_w[cells, mode], s.send_w[cells, mode]
        slept_s = np.where(off, step_s, sent.lost_s)
        awake_s = step_s - slept_s
        transition_j = s.off_j * sent.entered
        parts = np.stack([rest_w * awake_s, s.off_w * slept_s, transition_j], axis=-1)
        sending_s = sent.sent_s.sum(axis=-1)
        check_j = rest_w * (awake_s - sending_s) + send_w * sending_s
        check_j += s.off_w * slept_s + transition_j
        return parts, send_w - rest_w, check_j
