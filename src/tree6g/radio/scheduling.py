"""Resource blocks per slot: round robin, proportional fair and maximum rate.

One cell and one direction; a user is a queue of bits. Rates per block are given per slot and, if
wanted, per subband, so that any link model can stand before it. What these schedulers come to in
the long run is in `fluid`; the same loop over slots, compiled, is in `link.slots`.
Left out: spatial multiplexing of users on one block, limits of control channels, and block error
(take it out of the rates, as `adaptation` does).
"""

from __future__ import annotations

import dataclasses
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError, nearest
from tree6g.radio.pathloss import FloatArray

Scheduler = Literal["round-robin", "proportional-fair", "maximum-rate"]
SCHEDULERS: Final[tuple[Scheduler, ...]] = get_args(Scheduler)
# Averaging window of proportional fair. 1000 slots is usual; any long one has the same limit.
WINDOW_SLOTS: Final = 1000.0
LEAST_AVERAGE_BIT: Final = 1e-9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a scheduler remembers from slot to slot.

    Attributes:
        average_bit: Bits per slot of each user, exponentially averaged. [user]
        first: User who comes first in this slot's round.
    """

    average_bit: FloatArray
    first: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What a run of slots gave to each user.

    Attributes:
        sent_bit: Bits sent. [slot, user]
        prbs: Resource blocks granted. [slot, user]
        backlog_bit: Bits left after the last slot, inf for full buffers. [user]
    """

    sent_bit: FloatArray
    prbs: FloatArray
    backlog_bit: FloatArray


def grant_prbs(
    scheduler: Scheduler,
    bit_per_prb: FloatArray,
    backlog_bit: FloatArray,
    subband_prbs: npt.ArrayLike,
    turn: Turn,
) -> tuple[FloatArray, Turn]:
    """Blocks of one slot for each user. [user, subband].

    Round robin deals the blocks out one by one to those who have data, in turn, until their
    queues are empty. Proportional fair gives each subband to the greatest rate / average,
    maximum rate to the greatest rate, until the queue is empty, then to the next. Ties go in turn,
    which after each slot begins behind the user served last.

    Args:
        scheduler: Rule.
        bit_per_prb: Bits that a block would carry; 0 where a user cannot be served, such as
            outside its bandwidth part. [user, subband]
        backlog_bit: Bits waiting. [user]
        subband_prbs: Blocks of each subband. [subband]
        turn: Memory of the slots before.

    Raises:
        DataError: No such scheduler.
    """
    _check(scheduler)
    left = np.asarray(backlog_bit, dtype=np.float64).copy()
    grant = np.zeros(bit_per_prb.shape)
    first, users = turn.first, len(left)
    for band, prbs in enumerate(np.asarray(subband_prbs, dtype=np.float64)):
        rate = bit_per_prb[:, band]
        need = _needed(left, rate, prbs)
        if scheduler == "round-robin":
            order = (np.arange(users) + first) % users
        else:
            fair = scheduler == "proportional-fair"
            metric = rate / np.maximum(turn.average_bit, LEAST_AVERAGE_BIT) if fair else rate
            order = np.lexsort(((np.arange(users) - turn.first) % users, -metric))
        deal = _dealt if scheduler == "round-robin" else _in_order
        grant[order, band], last = deal(need[order], prbs)
        # Whoever got nothing keeps the turn: else slots and users that send nothing shift it.
        first = int(order[last] + 1) % users if last >= 0 else first
        left = np.maximum(left - grant[:, band] * rate, 0.0)
    return grant, dataclasses.replace(turn, first=first)


def run(
    scheduler: Scheduler,
    bit_per_prb: FloatArray,
    *,
    subband_prbs: npt.ArrayLike,
    arrival_bit: FloatArray | None = None,
    share_frac: npt.ArrayLike = 1.0,
    window_slots: float = WINDOW_SLOTS,
) -> Served:
    """Slot after slot, from empty queues.

    Args:
        scheduler: Rule.
        bit_per_prb: Bits that a block carries in a whole slot. [slot, user] or
            [slot, user, subband]
        subband_prbs: Blocks of each subband. [subband]
        arrival_bit: Bits that arrive before each slot; full buffers if absent. [slot, user]
        share_frac: Share of each slot that this direction has, as `SlotPattern.share_frac`
            gives it. [slot]
        window_slots: Averaging window of proportional fair. Users without data keep their average.

    Raises:
        DataError: No such scheduler, or arrays that do not fit each other.
    """
    rate, bands = prepared(scheduler, bit_per_prb, subband_prbs, arrival_bit, share_frac)
    slots, users, _ = rate.shape
    sent, prbs = np.zeros((slots, users)), np.zeros((slots, users))
    backlog = np.full(users, np.inf if arrival_bit is None else 0.0)
    turn = Turn(average_bit=first_average_bit(rate, bands))
    for slot in range(slots):
        if arrival_bit is not None:
            backlog = backlog + arrival_bit[slot]
        grant, turn = grant_prbs(scheduler, rate[slot], backlog, bands, turn)
        sent[slot] = np.minimum((grant * rate[slot]).sum(axis=1), backlog)
        prbs[slot] = grant.sum(axis=1)
        average = turn.average_bit + (sent[slot] - turn.average_bit) / window_slots
        turn = dataclasses.replace(
            turn, average_bit=np.where(backlog > 0.0, average, turn.average_bit)
        )
        backlog = backlog - sent[slot]
    return Served(sent_bit=sent, prbs=prbs, backlog_bit=backlog)


def prepared(
    scheduler: Scheduler,
    bit_per_prb: FloatArray,
    subband_prbs: npt.ArrayLike,
    arrival_bit: FloatArray | None,
    share_frac: npt.ArrayLike,
) -> tuple[FloatArray, FloatArray]:
    """Bits per block with the direction's share [slot, user, subband], and blocks [subband].

    Raises:
        DataError: As `run`.
    """
    _check(scheduler)
    rate = bit_per_prb if bit_per_prb.ndim == 3 else bit_per_prb[:, :, None]
    bands = np.atleast_1d(np.asarray(subband_prbs, dtype=np.float64))
    slots, users, count = rate.shape
    given = rate.shape[:2] if arrival_bit is None else arrival_bit.shape
    if len(bands) != count or given != (slots, users) or not slots:
        raise DataError(
            f"expected blocks of {count} subbands and arrivals of {slots} slots x {users} users; "
            f"got {len(bands)} subbands and arrivals of {given}. Give arrays that fit, of one "
            "slot or more."
        )
    share = np.broadcast_to(np.asarray(share_frac, dtype=np.float64), slots)
    return np.ascontiguousarray(rate * share[:, None, None], dtype=np.float64), bands


def first_average_bit(rate: FloatArray, bands: FloatArray) -> FloatArray:
    """Average that proportional fair starts from: an even share of the first slot. [user]."""
    return (rate[0] @ bands) / rate.shape[1]


def _check(scheduler: str) -> None:
    if scheduler not in SCHEDULERS:
        raise DataError(
            f"expected a scheduler ({', '.join(SCHEDULERS)}); got {scheduler!r}. "
            f"{nearest(scheduler, SCHEDULERS)}"
        )


def _needed(left_bit: FloatArray, rate: FloatArray, prbs: float) -> FloatArray:
    """Blocks that would empty each queue, at most all of them. [user]."""
    wants = (left_bit > 0.0) & (rate > 0.0)
    blocks = np.divide(left_bit, rate, out=np.zeros_like(rate), where=wants)
    return np.minimum(np.ceil(blocks), prbs)


def _in_order(need: FloatArray, prbs: float) -> tuple[FloatArray, int]:
    """Blocks to the first until it needs no more, then to the next; who got the last one."""
    grant = np.clip(prbs - (np.cumsum(need) - need), 0.0, need)
    served = np.flatnonzero(grant)
    return grant, int(served[-1]) if served.size else -1


def _dealt(need: FloatArray, prbs: float) -> tuple[FloatArray, int]:
    """Blocks dealt in turn, and who got the last one (-1: nobody)."""
    grant, left, last = np.zeros(len(need)), prbs, -1
    while left >= 1.0 and (open_ := np.flatnonzero(need > grant)).size:
        each = np.floor(left / open_.size)
        if each < 1.0:
            open_, each = open_[: int(left)], 1.0
        given = np.minimum(need[open_] - grant[open_], each)
        grant[open_] += given
        left -= float(given.sum())
        last = int(open_[-1])
    return grant, last
