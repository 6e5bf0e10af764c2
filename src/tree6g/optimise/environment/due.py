"""When bits are due, and which of those that are sent are late.

Both are sums per user: bits due so far less bits sent so far. What is sent while that is above 0 is
late, which is exact for queues that are served in order. An answer's bits are due one token after
the other; two answers of one user at once are due one after the other, which is lenient.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from tree6g.optimise.environment.network import IntArray, Network, Stream
from tree6g.optimise.environment.state import State
from tree6g.radio.pathloss import FloatArray

LEAST_BIT: Final = 1e-3  # less is rounding of the sums


class Due:
    """Offers on their way to being due: a ring of steps for each service that has a budget."""

    def __init__(self, network: Network, step_s: float, steps: int, episodes: int) -> None:
        self._step_s = step_s
        self._rings: list[tuple[Stream, FloatArray]] = []
        for stream in network.streams:
            ahead = stream.wait_s / step_s
            if ahead >= steps:
                continue  # the episode is over before anything is due
            width = stream.users.stop - stream.users.start
            length = max(1, math.floor(ahead * (1.0 + 1e-9)))
            self._rings.append((stream, np.zeros((episodes, length, network.cells, width))))

    def forget(self, rows: IntArray) -> None:
        """Episodes begin anew."""
        for _, ring in self._rings:
            ring[rows] = 0.0

    def advance(self, state: State, rows: IntArray, offered_bit: FloatArray) -> None:
        """The next step begins: what was offered a budget ago begins to be due. [row, cell, user].

        A budget below one step counts as one.
        """
        for stream, ring in self._rings:
            users, at = stream.users, state.step[rows] % ring.shape[1]
            coming = state.coming_bit[rows, :, users] + ring[rows, at]
            ring[rows, at] = offered_bit[..., users]
            due = coming
            if stream.token_s > 0.0:
                due = np.minimum(coming, stream.bit_per_tok * self._step_s / stream.token_s)
            state.coming_bit[rows, :, users] = coming - due
            state.overdue_bit[rows, :, users] += due

    def sent(self, state: State, bit: FloatArray) -> FloatArray:
        """Late bits among those that are sent. [episode, cell, user]."""
        late = np.minimum(bit, state.overdue_bit)
        late = np.where(late > LEAST_BIT, late, 0.0)
        for stream, _ in self._rings:
            state.overdue_bit[..., stream.users] -= bit[..., stream.users]
        return late
