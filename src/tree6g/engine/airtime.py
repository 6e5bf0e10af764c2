"""The messages that wait for a carrier, and their passage through it step by step."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from tree6g.engine.crowd import IntArray, Paces
from tree6g.radio import airtime
from tree6g.radio.pathloss import FloatArray

# One message: ready to be sent, the time from which the cell may send it (later than `ready_s` if
# it comes to a sleeping cell, see `engine.sleep`), bits that are still to be sent, all its bits,
# its terminal among those of its service, the request it belongs to (-1: none), number of its last
# token and tokens in it (0: none), and when its terminal can be told of it and whether that is
# known (later than `ready_s` if the terminal sleeps, see `engine.listening`). The airtime that its
# bits take is known when they are sent.
MESSAGE: Final = np.dtype(
    {
        "names": [
            "ready_s", "open_s", "left_bit", "bit", "terminal", "ref", "number", "tok", "heard_s",
            "told",
        ],
        "formats": ["f8", "f8", "f8", "f8", "i8", "i8", "i8", "i8", "f8", "?"],
    }
)  # fmt: skip
Messages = npt.NDArray[np.void]
_BYTES: Final = np.dtype((np.void, MESSAGE.itemsize))


def messages(
    ready_s: FloatArray,
    bit: npt.ArrayLike,
    terminal: npt.ArrayLike,
    *,
    ref: npt.ArrayLike = -1,
    number: npt.ArrayLike = 0,
    tok: npt.ArrayLike = 0,
) -> Messages:
    """Messages in order of readiness."""
    batch = np.empty(len(ready_s), dtype=MESSAGE)
    columns = {
        "ready_s": ready_s, "open_s": ready_s, "left_bit": bit, "bit": bit, "terminal": terminal,
        "ref": ref, "number": number, "tok": tok, "heard_s": ready_s, "told": False,
    }  # fmt: skip
    for name, column in columns.items():
        batch[name] = column
    if (ready_s[1:] >= ready_s[:-1]).all():
        return batch
    return picked(batch, np.argsort(ready_s, kind="stable"))


def picked(batch: Messages, rows: npt.NDArray[Any]) -> Messages:
    """Some messages, by number or mask: as bytes, which is much faster than field by field."""
    return batch.view(_BYTES)[rows].view(MESSAGE)


def joined(first: Messages, second: Messages) -> Messages:
    """Messages one after the other: as bytes, for NumPy would compare their fields one by one."""
    both = np.concatenate([first.view(_BYTES), second.view(_BYTES)])
    return both.view(MESSAGE)


def by_cell(serving: IntArray, batch: Messages) -> Iterator[tuple[int, Messages]]:
    """Messages by the cells that serve their terminals, in their order."""
    if not len(batch):
        return
    if (serving == serving[0]).all():
        yield int(serving[0]), batch
        return
    order = np.argsort(serving, kind="stable")
    serving, batch = serving[order], picked(batch, order)
    edges = np.flatnonzero(np.diff(serving, prepend=-1, append=-1))
    for first, last in itertools.pairwise(edges.tolist()):
        yield int(serving[first]), batch[first:last]


def all_joined(batches: Sequence[Messages]) -> Messages:
    """Messages of all batches one after the other, a copy."""
    return np.concatenate([batch.view(_BYTES) for batch in batches]).view(MESSAGE)


NOTHING: Final = messages(np.empty(0), 0.0, 0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What a service sent during a step.

    Attributes:
        sent: Messages that went out whole.
        end_s: When each was out. [message]
        used_s: Airtime of the whole pool that was used, unfinished messages included.
        sender_s: Time that terminals sent or received; more where they fill a part of the pool.
        begun: Messages that were on the air in the step, sent ones included. [transmission]
        data_s: Time that the terminal of each sent or received of it. [transmission]
        start_s: Start of each transmission of the step. [transmission]
        stop_s: Its end, at most the end of the step. [transmission]
    """

    sent: Messages
    end_s: FloatArray
    used_s: float
    sender_s: float
    begun: Messages
    data_s: FloatArray
    start_s: FloatArray
    stop_s: FloatArray


@dataclasses.dataclass(slots=True)
class Pool:
    """Spectrum that some services share: a queue for each.

    Attributes:
        band_frac: Its part of the band.
        services: Who shares it.
        in_turn: Whether messages of a queue share its time, or the first one goes first.
        queues: Messages by service.
    """

    band_frac: float
    services: tuple[str, ...]
    in_turn: bool = False
    queues: dict[str, Messages] = dataclasses.field(default_factory=dict)

    def push(self, service: str, batch: Messages) -> None:
        """Add messages that become ready in the coming step."""
        if len(batch):
            waiting = self.queues.get(service)
            self.queues[service] = batch if waiting is None else joined(waiting, batch)

    def air_s(self, service: str, paces: Paces) -> FloatArray:
        """Airtime of the whole pool that waiting messages of a service still need. [message]."""
        queue = self.queues[service]
        air_s: FloatArray = queue["left_bit"] / paces.rate_bps[service][queue["terminal"]]
        return air_s

    def advance(self, t0_s: float, t1_s: float, paces: Paces) -> dict[str, Passage]:
        """Send for one step; services share by `radio.airtime.speed_frac`.

        Args:
            t0_s: Start of the step.
            t1_s: Its end.
            paces: How fast each terminal sends.
        """
        busy = [s for s in self.services if s in self.queues]
        if not busy:
            return {}
        air_s = {s: self.air_s(s, paces) for s in busy}
        part = {s: paces.part_frac[s][self.queues[s]["terminal"]] for s in busy}
        demand_s = [self._demand_s(air_s[s], part[s], t1_s - t0_s) for s in busy]
        speeds = airtime.speed_frac(demand_s, t1_s - t0_s)
        passages = {}
        for name, speed in zip(busy, speeds, strict=True):
            queue = self.queues.pop(name)
            if self.in_turn:
                sent = _share(queue, air_s[name], part[name], float(speed), t0_s, t1_s)
            else:
                sent = _pass(queue, air_s[name], float(speed), t0_s, t1_s)
            passages[name], rest = sent
            if len(rest):
                self.queues[name] = rest
        return passages

    def _demand_s(self, air_s: FloatArray, part_frac: FloatArray, step_s: float) -> float:
        """Airtime that a service can use in a step."""
        return float((np.minimum(air_s, part_frac * step_s) if self.in_turn else air_s).sum())


def _pass(
    queue: Messages, air_s: FloatArray, speed: float, t0_s: float, t1_s: float
) -> tuple[Passage, Messages]:
    """One queue through one step at constant speed, and what is left of it."""
    start_s, end_s = airtime.fifo_departure_s(queue["open_s"], air_s / speed, t0_s)
    out = int(np.searchsorted(end_s, t1_s, side="right"))
    on_air = int(np.searchsorted(start_s, t1_s, side="left"))
    rest = queue[out:].copy()
    used_s, data_s = float(air_s[:out].sum()), air_s[:on_air].copy()
    if on_air > out:
        part_s = min((t1_s - float(start_s[out])) * speed, float(air_s[out]))
        if part_s > 0.0:
            rest["left_bit"][0] *= 1.0 - part_s / float(air_s[out])
        used_s += part_s
        data_s[out] = max(part_s, 0.0)
    passage = Passage(
        sent=queue[:out],
        end_s=end_s[:out],
        used_s=used_s,
        sender_s=used_s,
        begun=queue[:on_air],
        data_s=data_s,
        start_s=start_s[:on_air],
        stop_s=np.minimum(end_s[:on_air], t1_s),
    )
    return passage, rest


def _share(
    queue: Messages,
    air_s: FloatArray,
    part_frac: FloatArray,
    speed: float,
    t0_s: float,
    t1_s: float,
) -> tuple[Passage, Messages]:
    """One queue through one step, its messages in turn, and what is left of it.

    Messages share the time equally, but none goes faster than its part of the pool allows: what one
    cannot use in the step goes to the others.
    """
    start_s = np.maximum(queue["open_s"], t0_s)
    most_s = np.maximum(t1_s - start_s, 0.0) * part_frac
    useful_s = np.minimum(air_s, most_s)
    end_s, left_s = airtime.sharing_departure_s(queue["open_s"], useful_s / speed, t0_s, t1_s)
    used_s = useful_s - left_s * speed
    end_s = np.maximum(end_s, start_s + air_s / part_frac)  # no sooner than alone
    begun = start_s < t1_s
    done = (end_s <= t1_s) & begun
    rest = _rest(queue, air_s, used_s, ~done)
    at = np.flatnonzero(done)
    at = at[np.argsort(end_s[at], kind="stable")]
    passage = Passage(
        sent=queue[at],
        end_s=end_s[at],
        used_s=float(used_s.sum()),
        sender_s=float((used_s / part_frac).sum()),
        begun=queue[begun],
        data_s=(used_s / part_frac)[begun],
        start_s=start_s[begun],
        stop_s=np.minimum(end_s[begun], t1_s),
    )
    return passage, rest


def _rest(
    queue: Messages, air_s: FloatArray, used_s: FloatArray, left: npt.NDArray[np.bool_]
) -> Messages:
    """Messages that are left, with the bits that are left of them."""
    rest = queue[left]  # a copy
    if len(rest):
        need_s = air_s[left]
        used_frac = np.divide(used_s[left], need_s, out=np.zeros_like(need_s), where=need_s > 0.0)
        rest["left_bit"] *= np.minimum(np.maximum(1.0 - used_frac, 0.0), 1.0)
    return rest
