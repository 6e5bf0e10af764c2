"""Joules of the terminals' radios: by cause, and as each node's total. See `engine.listening`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tree6g.engine.crowd import DOWN, UP, Crowd, IntArray
from tree6g.engine.listening import TERMINAL, Listeners, Listening, Sent
from tree6g.engine.world import Tick, World
from tree6g.radio import connection
from tree6g.radio.pathloss import FloatArray


def draw(world: World, tick: Tick) -> None:
    """Energy of all terminals' radios in the step."""
    known = world.listening
    if known is None:
        return
    for who in known.listeners:
        sent = [*who.sent, *_waiting(world, known, who, tick)]
        who.sent.clear()
        _draw(world, known, who, _joined(sent), tick)


def _waiting(world: World, known: Listening, who: Listeners, tick: Tick) -> Iterator[Sent]:
    """Messages that are not out at the end of the step: their terminals stay awake."""
    for cell in world.cells:
        for kind in (UP, DOWN):
            rates = world.radio.rate_bps[kind]
            for pool in cell.carrier(kind).pools:
                for service, queue in pool.queues.items():
                    number = known.names.index(service)
                    if number not in who.services or not len(queue):
                        continue
                    terminal = queue["terminal"]
                    left_s = queue["left_bit"] / rates[service][terminal]
                    np.maximum.at(who.expected_s, terminal, tick.t1_s + left_s)
                    yield Sent(
                        service=np.full(len(queue), number),
                        terminal=terminal,
                        uplink=np.full(len(queue), kind == UP),
                        start_s=np.maximum(queue["heard_s"], tick.t0_s),
                        stop_s=np.full(len(queue), tick.t1_s),
                        data_s=np.zeros(len(queue)),
                        power_w=np.zeros(len(queue)),
                    )


def _joined(parts: Sequence[Sent]) -> Sent:
    """All transmissions in one."""
    if not parts:
        none, nobody = np.empty(0), np.empty(0, dtype=np.int64)
        return Sent(nobody, nobody, np.empty(0, dtype=np.bool_), none, none, none, none)
    return Sent(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _draw(world: World, known: Listening, who: Listeners, sent: Sent, tick: Tick) -> None:
    """Joules of one crowd."""
    did = connection.connected(
        known.drx,
        known.release_s,
        tick.t0_s,
        tick.t1_s,
        terminal=sent.terminal,
        start_s=sent.start_s,
        stop_s=sent.stop_s,
        ended_s=who.ended_s,
        offset_s=who.offset_s,
    )
    if not len(did.terminal):
        return
    cause = who.tail[did.terminal]
    began = did.packet >= 0
    cause[began] = sent.service[did.packet[began]]
    who.tail[did.terminal] = cause  # in order of time: the last piece stays
    np.maximum.at(who.ended_s, sent.terminal, sent.stop_s)
    drawn = connection.energy(
        known.power,
        known.drx,
        did,
        control_w=known.control_w[who.crowd.serving],
        terminal=sent.terminal,
        data_s=sent.data_s,
        data_w=sent.power_w,
    )
    nodes = _Nodes(world, known, who.crowd)
    nodes.spend("active", sent.terminal, sent.service, sent.power_w * sent.data_s)
    nodes.spend("idle", did.terminal, cause, drawn.listening_j)
    nodes.spend("sleep", did.terminal, cause, drawn.asleep_j)
    nodes.spend("transition", did.terminal, cause, drawn.transition_j)
    nodes.integrate(drawn.total_j)
    known.connected_s += float(did.connected_s.sum())
    known.listened_s += float(did.listening_s.sum())


class _Nodes:
    """The nodes of the ledger of a crowd's terminals: that of the site that serves each."""

    def __init__(self, world: World, known: Listening, crowd: Crowd) -> None:
        self.book, self.services = world.book, known.names
        self.names = list(dict.fromkeys(cell.terminals for cell in world.cells))
        place = {node: n for n, node in enumerate(self.names)}
        of_cell = np.array([place[cell.terminals] for cell in world.cells])
        self.node = of_cell[crowd.serving]

    def spend(self, state: str, terminal: IntArray, service: IntArray, joules: FloatArray) -> None:
        """Joules of a state, by node and service."""
        key = self.node[terminal] * len(self.services) + service
        total_j = np.bincount(key, weights=joules)
        for at in np.flatnonzero(total_j).tolist():
            node, number = divmod(at, len(self.services))
            self.book.spend(
                self.names[node],
                "terminal",
                state,
                float(total_j[at]),
                source=TERMINAL,
                service=self.services[number],
            )

    def integrate(self, joules: FloatArray) -> None:
        """Total of each terminal, to the power integrals of the nodes."""
        for node, total_j in enumerate(np.bincount(self.node, weights=joules).tolist()):
            if total_j:
                self.book.integrate(self.names[node], total_j)
