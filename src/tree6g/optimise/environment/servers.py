"""Servers within a step, as a fluid: prompts first, then the answers of all who wait at once.

A server reads waiting prompts at the pace of a mean one, all in equal parts, and gives what is left
of the step to answers: n of them share iterations of n sequences (`compute.roofline.iteration`),
more than the most take turns. Tokens are not whole. How many sequences there are is taken from the
beginning of the step, so a batch that empties within it is reckoned too efficient; steps much
shorter than an answer keep that small.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.optimise.environment.network import BoolArray, IntArray, Network
from tree6g.optimise.environment.state import SERVER_PARTS, State
from tree6g.radio.pathloss import FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Made:
    """What the servers did in a step.

    Attributes:
        bit: Bits of the tokens made. [episode, cell, AI user]
        part_j: Energy by part. [episode, server, part]
        check_j: Energy of each server from powers and times. [episode, server]
    """

    bit: FloatArray
    part_j: FloatArray
    check_j: FloatArray


class Fleet:
    """The servers of a network, with the sums over their users worked out beforehand."""

    def __init__(self, network: Network, step_s: float) -> None:
        self._servers = network.servers
        self._step_s = step_s
        ai = network.ai
        self._slices = tuple(stream.users for stream in ai)
        width = max((s.users.stop for s in ai), default=0)
        self._service = np.zeros(width, dtype=np.int64)
        for number, stream in enumerate(ai):
            self._service[stream.users] = number
        self._bit_per_tok = network.by_user("bit_per_tok")[:width]
        flat = network.servers.of.reshape(-1)
        self._order = np.argsort(flat, kind="stable")
        self._first = np.searchsorted(flat[self._order], np.arange(len(network.servers.node)))

    def work(self, state: State, share: FloatArray) -> Made:
        """Read prompts and make tokens for the users who have a share; changes the state."""
        episodes, step_s, s = len(state.step), self._step_s, self._servers
        if not self._slices:
            nothing = np.zeros((episodes, 0, len(SERVER_PARTS)))
            return Made(bit=state.unmade_bit, part_j=nothing, check_j=np.zeros((episodes, 0)))
        on = share[..., : len(self._service)] > 0.0
        reading_s, prompt_j = self._read(state, on)
        left_s = step_s - reading_s
        decoding = on & (state.unmade_bit > 0.0)
        waiting = self._by_server(decoding.astype(np.float64))
        many = np.minimum(waiting, s.most)
        at = np.arange(len(s.node)), many.astype(np.int64)
        turn = np.divide(many, waiting, out=np.zeros_like(many), where=waiting > 0.0)
        each_tok = left_s / s.token_s[at] * turn
        most_bit = self._by_user(each_tok) * self._bit_per_tok
        made = np.where(decoding, np.minimum(state.unmade_bit, most_bit), 0.0)
        state.unmade_bit -= made
        state.sequences[:] = waiting
        tokens = self._by_server(made / self._bit_per_tok)
        decode_j = tokens * s.token_j[at]
        busy_s = reading_s + tokens / np.maximum(many, 1.0) * s.token_s[at]
        gpu_j = np.broadcast_to(s.gpu_w * step_s, waiting.shape)
        host_j = np.broadcast_to(s.host_w * step_s, waiting.shape)
        busy_j = prompt_j + decode_j + s.gpu_w * busy_s
        return Made(
            bit=made,
            part_j=np.stack([gpu_j, prompt_j, decode_j, host_j], axis=-1),
            check_j=busy_j + s.gpu_w * (step_s - busy_s) + s.host_w * step_s,
        )

    def _read(self, state: State, on: BoolArray) -> tuple[FloatArray, FloatArray]:
        """Read prompts; time that it takes and energy above idle. [episode, server]."""
        s = self._servers
        waiting_s = self._by_server(np.where(on, state.prompt_tok, 0.0)) * s.prompt_s
        reading_s = np.minimum(waiting_s, self._step_s)
        part = np.divide(reading_s, waiting_s, out=np.zeros_like(waiting_s), where=waiting_s > 0.0)
        done = np.where(on, self._by_user(part), 0.0)
        state.prompt_tok -= state.prompt_tok * done
        read_bit = state.unread_bit * done
        state.unread_bit -= read_bit
        state.unmade_bit += read_bit
        return reading_s, reading_s / s.prompt_s * s.prompt_j

    def joules_per_bit(self, sequences: FloatArray) -> FloatArray:
        """Energy of a bit yet to be made, site overhead included. [episode, cell, AI user]."""
        s = self._servers
        many = np.clip(sequences, 1.0, s.most).astype(np.int64)
        token_j = s.pue * s.token_j[np.arange(len(s.node)), many]
        return self._by_user(token_j) / self._bit_per_tok

    def _by_server(self, values: FloatArray) -> FloatArray:
        """Sums over the users of each server. [episode, server]."""
        sums = np.stack([values[..., at].sum(axis=-1) for at in self._slices], axis=-1)
        flat = sums.reshape(len(values), -1)[:, self._order]
        return np.add.reduceat(flat, self._first, axis=1)

    def _by_user(self, values: FloatArray) -> FloatArray:
        """What the server of each user has. [episode, cell, AI user]."""
        at_service: FloatArray = values[:, self._servers.of]
        return at_service[..., self._service]


def cell_parts(network: Network) -> tuple[IntArray, FloatArray]:
    """Servers of each cell, each once, and the part of their joules that is the cell's.

    Cells that have a server together have equal parts of it. Both [cell, AI service].
    """
    of, cells = network.servers.of, network.servers.cells
    part = np.zeros(of.shape)
    for column in range(of.shape[1]):
        again = (of[:, :column] == of[:, column : column + 1]).any(axis=1)
        part[:, column] = np.where(again, 0.0, 1.0 / cells[of[:, column]])
    return of, part
