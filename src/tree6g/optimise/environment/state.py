"""The state of many episodes side by side, and the sums that their figures are made of."""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.optimise.environment.network import BoolArray, IntArray, Network
from tree6g.radio.pathloss import FloatArray

STATION_STATES = ("idle", "sleep", "transition")
SERVER_PARTS = (("gpu", "idle"), ("gpu", "prefill"), ("gpu", "decode"), ("host", "idle"))


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class State:
    """Where episodes stand. Arrays are [episode, cell, user] if nothing else is said.

    Attributes:
        step: Steps done. [episode]
        shadow: Shadowing over its standard deviation.
        sinr_db: SINR at full power.
        phase: Where in their period users with fixed times began.
        prompt_tok: Prompt tokens that wait for a server; AI users.
        unread_bit: Answers whose prompts wait.
        unmade_bit: Answers whose prompts are read, yet to be made.
        backlog_bit: Bits that wait for the air.
        owed_tok: Prompt tokens whose answers are not delivered yet; AI users.
        coming_bit: Bits whose due time has begun, for those that are due one by one.
        overdue_bit: Bits that are due less those sent; below 0: ahead of time.
        mean_bps: Moving average of the rate.
        off: Whether the cell is off. [episode, cell]
        off_s: For how long. [episode, cell]
        waking_s: Time until it is back. [episode, cell]
        load_frac: Share of its power that it sent in the last step. [episode, cell]
        sequences: Sequences at each server in the last step. [episode, server]
    """

    step: IntArray
    shadow: FloatArray
    sinr_db: FloatArray
    phase: FloatArray
    prompt_tok: FloatArray
    unread_bit: FloatArray
    unmade_bit: FloatArray
    backlog_bit: FloatArray
    owed_tok: FloatArray
    coming_bit: FloatArray
    overdue_bit: FloatArray
    mean_bps: FloatArray
    off: BoolArray
    off_s: FloatArray
    waking_s: FloatArray
    load_frac: FloatArray
    sequences: FloatArray

    def waiting_bit(self) -> FloatArray:
        """All bits that were asked for and not sent yet. [episode, cell, user]."""
        waiting = self.backlog_bit.copy()
        waiting[..., : self.unmade_bit.shape[-1]] += self.unread_bit + self.unmade_bit
        return waiting


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Totals:
    """Sums since an episode began. Arrays are [episode, ...].

    Attributes:
        utility_beq: Worth. [cell]
        station_j: Energy by state. [cell, state]
        active_j: Energy of sending above rest, by service. [cell, service]
        server_j: Energy by part. [server, part]
        check_j: The energy of each cell and server once more, from powers and times. [node]
        sent_bit: Bits delivered. [cell, service]
        late_bit: Of these, late ones. [cell, service]
        sent_s: Airtime of them. [cell, service]
        prompt_tok: Prompt tokens whose answers are delivered. [cell, AI service]
        late_prompt_tok: Of these, late ones. [cell, AI service]
    """

    utility_beq: FloatArray
    station_j: FloatArray
    active_j: FloatArray
    server_j: FloatArray
    check_j: FloatArray
    sent_bit: FloatArray
    late_bit: FloatArray
    sent_s: FloatArray
    prompt_tok: FloatArray
    late_prompt_tok: FloatArray

    def copy_of(self, episode: int) -> Totals:
        """The sums of one episode, without its axis."""
        return Totals(**{f.name: getattr(self, f.name)[episode].copy() for f in _fields(Totals)})


def empty_state(network: Network, episodes: int) -> State:
    """Episodes that have not begun."""
    shape = (episodes, network.cells, network.users)
    ai = max((s.users.stop for s in network.ai), default=0)
    by_ai = (*shape[:2], ai)
    return State(
        step=np.zeros(episodes, dtype=np.int64),
        shadow=np.zeros(shape),
        sinr_db=np.zeros(shape),
        phase=np.zeros(shape),
        prompt_tok=np.zeros(by_ai),
        unread_bit=np.zeros(by_ai),
        unmade_bit=np.zeros(by_ai),
        backlog_bit=np.zeros(shape),
        owed_tok=np.zeros(by_ai),
        coming_bit=np.zeros(shape),
        overdue_bit=np.zeros(shape),
        mean_bps=np.zeros(shape),
        off=np.zeros(shape[:2], dtype=bool),
        off_s=np.zeros(shape[:2]),
        waking_s=np.zeros(shape[:2]),
        load_frac=np.zeros(shape[:2]),
        sequences=np.zeros((episodes, len(network.servers.node))),
    )


def empty_totals(network: Network, episodes: int) -> Totals:
    """Sums of nothing."""
    cells, servers = network.cells, len(network.servers.node)
    services, ai = len(network.streams), len(network.ai)
    return Totals(
        utility_beq=np.zeros((episodes, cells)),
        station_j=np.zeros((episodes, cells, len(STATION_STATES))),
        active_j=np.zeros((episodes, cells, services)),
        server_j=np.zeros((episodes, servers, len(SERVER_PARTS))),
        check_j=np.zeros((episodes, cells + servers)),
        sent_bit=np.zeros((episodes, cells, services)),
        late_bit=np.zeros((episodes, cells, services)),
        sent_s=np.zeros((episodes, cells, services)),
        prompt_tok=np.zeros((episodes, cells, ai)),
        late_prompt_tok=np.zeros((episodes, cells, ai)),
    )


def forget(record: State | Totals, rows: IntArray) -> None:
    """Set some episodes to nothing."""
    for field in _fields(type(record)):
        getattr(record, field.name)[rows] = 0


def _fields(kind: type) -> tuple[dataclasses.Field[object], ...]:
    return dataclasses.fields(kind)
