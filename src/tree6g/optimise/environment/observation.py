"""What an agent sees: two tables per cell, in SI units over stated scales.

`user` [cell, user, column] and `cell` [cell, column], both of 32 bits and not below 0; empty places
for users are 0 throughout. All is as it stands at the beginning of the step that comes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.optimise.environment.air import MODE_DB, Air
from tree6g.optimise.environment.network import MODES
from tree6g.optimise.environment.slots import Slots

Observation = dict[str, npt.NDArray[np.float32]]

# Columns with the scale that they are divided by.
USER: Final[dict[str, float]] = {
    "backlog_bit": 1e6,  # waits for the air
    "coming_bit": 1e6,  # asked for and not made yet; data: 0
    "overdue_bit": 1e6,  # of both, due already: late whenever it is sent
    "worth_beq_per_bit": 1.0,  # of a bit that is on time, its part of the prompt included
    "rate_quarter_bps": 1e8,  # of the whole carrier, by mode
    "rate_half_bps": 1e8,
    "rate_full_bps": 1e8,
    "mean_bps": 1e6,  # moving average of what was sent
    "compute_j_per_bit": 1e-6,  # energy of a bit yet to be made, at the server's present batch
    "present": 1.0,  # 1: there is a user, 0: an empty place
}
CELL: Final[dict[str, float]] = {
    "price_beq_per_j": 1e6,
    "off": 1.0,  # 1: off in the last step
    "waking_s": 1.0,  # until it can send
    "off_w": 1e3,
    "off_j": 1e3,  # of going off and coming back
    "rest_quarter_w": 1e3,  # without traffic, by mode
    "rest_half_w": 1e3,
    "rest_full_w": 1e3,
    "send_quarter_w": 1e3,  # more than that per share of the downlink's time in use, by mode
    "send_half_w": 1e3,
    "send_full_w": 1e3,
    "step_s": 1.0,
}
USER_AT: Final = {name: n for n, name in enumerate(USER)}
CELL_AT: Final = {name: n for n, name in enumerate(CELL)}


class Observer:
    """Writes observations of episodes side by side."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        network = slots.network
        shape = (len(slots.state.step), network.cells)
        self._user = np.zeros((*shape, network.users, len(USER)), dtype=np.float32)
        self._cell = np.zeros((*shape, len(CELL)), dtype=np.float32)
        self._worth = network.by_user("worth_beq_per_bit") * network.present
        self._prompt_worth = network.by_user("prompt_beq_per_tok")
        self._user[..., USER_AT["present"]] = network.present
        self._write_stations(slots)

    def observe(self) -> Observation:
        """What agents see now; the arrays are the caller's. [episode, ...]."""
        slots, state = self._slots, self._slots.state
        ai = slice(0, state.prompt_tok.shape[-1])
        coming = state.unread_bit + state.unmade_bit
        self._put("backlog_bit", state.backlog_bit)
        self._put("coming_bit", coming, ai)
        waiting = state.waiting_bit()
        self._put("overdue_bit", np.clip(state.overdue_bit, 0.0, waiting))
        worth = np.broadcast_to(self._worth, waiting.shape).copy()
        there = waiting[..., ai] > 0.0
        prompt = np.divide(state.owed_tok, waiting[..., ai], out=np.zeros_like(coming), where=there)
        worth[..., ai] += prompt * self._prompt_worth[ai]
        self._put("worth_beq_per_bit", worth)
        self._put_rates(slots.air)
        self._put("mean_bps", state.mean_bps)
        if ai.stop:
            self._put("compute_j_per_bit", slots.fleet.joules_per_bit(state.sequences), ai)
        self._cell[..., CELL_AT["off"]] = state.off
        self._cell[..., CELL_AT["waking_s"]] = state.waking_s
        return {"user": self._user.copy(), "cell": self._cell.copy()}

    def _put(self, name: str, values: npt.NDArray[np.float64], at: slice = slice(None)) -> None:
        self._user[:, :, at, USER_AT[name]] = values * (1.0 / USER[name])

    def _put_rates(self, air: Air) -> None:
        for number, mode in enumerate(MODES[1:], start=1):
            rate_bps = air.rate_bps(self._slots.state.sinr_db + MODE_DB[number])
            self._put(f"rate_{mode}_bps", rate_bps)

    def _write_stations(self, slots: Slots) -> None:
        """What does not change."""
        s = slots.network.stations
        fixed = {
            "price_beq_per_j": slots.price_beq_per_j,
            "off_w": s.pue * s.off_w,
            "off_j": s.pue * s.off_j,
            "step_s": slots.settings.step_s,
        }
        for number, mode in enumerate(MODES[1:], start=1):
            rest_w = s.rest_w[:, number]
            fixed[f"rest_{mode}_w"] = s.pue * rest_w
            fixed[f"send_{mode}_w"] = s.pue * s.time_frac * (s.send_w[:, number] - rest_w)
        for name, value in fixed.items():
            self._cell[..., CELL_AT[name]] = np.asarray(value) / CELL[name]
