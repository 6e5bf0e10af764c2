"""Terminals with a connection: when they can be told of a packet, when they listen and sleep.

A terminal is connected from its first packet until `release_s` after the end of its last one (the
inactivity timer of the base station, after which it is released to idle mode). While connected it
follows DRX (`radio.drx`, long cycle): it listens while a packet waits or is sent, for the
inactivity timer after that, and in each on-duration; else it sleeps, as deeply as the time to the
next on-duration allows when it falls asleep. Uplink wakes it at any time, earlier than it had
planned. Unlike `radio.drx.listening`, packets take time, both directions count, and time goes on in
steps: what one step leaves behind is two times per terminal. Left out: paging and the set-up of a
connection, so that a released terminal is told in its on-durations too.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.drx import Drx, IntArray
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.terminal_power import TerminalPower, resting

BoolArray = npt.NDArray[np.bool_]
SLACK: Final = 1e-9  # of a cycle, for multiples that round down
GOLDEN_FRAC: Final = 0.6180339887498949
NOISE_S: Final = 1e-12  # what is left of differences of equal times


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Packets:
    """Packets of some terminals. Arrays are [packet].

    Attributes:
        terminal: Whose each is.
        ready_s: When it is ready at its sender.
        air_s: How long it is on the air.
        waits: Whether it waits for its terminal to listen: downlink that has not been told.
    """

    terminal: IntArray
    ready_s: FloatArray
    air_s: FloatArray
    waits: BoolArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Connected:
    """What connected terminals do in a step, piece by piece between one packet and the next.

    Arrays are [piece]. Times sum to `connected_s`: listening_s + first_s + full_s.

    Attributes:
        terminal: Whose piece.
        packet: Number of the packet that it begins with; -1: none, it began before the step.
        listening_s: Time awake, packets included.
        first_s: Sleep between the end of the inactivity timer and the next on-duration.
        first_plan_s: How long that sleep was planned to be when it began.
        first_begins: Whether it began in this piece.
        full_s: Sleep in the gaps between on-durations.
        full_begins: Number of these that began in this piece.
        connected_s: Length of the piece.
    """

    terminal: IntArray
    packet: IntArray
    listening_s: FloatArray
    first_s: FloatArray
    first_plan_s: FloatArray
    first_begins: BoolArray
    full_s: FloatArray
    full_begins: FloatArray
    connected_s: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConnectedEnergy:
    """Energy of connected terminals in a step, without what they send and receive.

    Attributes:
        listening_j: Awake without sending or receiving. [piece]
        asleep_j: Asleep. [piece]
        transition_j: Falling asleep and waking up. [piece]
        total_j: Of each terminal, with what it sends and receives, summed another way: listening
            over the whole connection, and what each state differs from that. [terminal]
    """

    listening_j: FloatArray
    asleep_j: FloatArray
    transition_j: FloatArray
    total_j: FloatArray


def spread_offset_s(drx: Drx, count: int) -> FloatArray:
    """Starts of the cycles of terminals, spread evenly: a network does not let all wake at once.

    Multiples of the golden ratio modulo the cycle (any run of terminals is spread). [terminal]
    """
    return drx.cycle_s * np.mod(np.arange(count, dtype=np.float64) * GOLDEN_FRAC, 1.0)


def heard_s(
    drx: Drx,
    packets: Packets,
    *,
    told_s: FloatArray,
    until_s: FloatArray,
    offset_s: FloatArray,
) -> FloatArray:
    """When the terminals can be told of their packets. [packet].

    At once while the terminal listens, else at the next on-duration, together with what waits for
    it already. A packet keeps its terminal listening for its time on the air and the inactivity
    timer after it, so that each answer hangs on those before it: all are taken to be heard at once
    and corrected until nothing changes. Every round settles at least one more packet of each
    terminal, in practice almost all.

    Args:
        drx: Timers, the long cycle alone.
        packets: In any order.
        told_s: When each terminal was told of its last packet, or will be. [terminal]
        until_s: Until when it listens for packets before these. [terminal]
        offset_s: Start of its first cycle. [terminal]
    """
    order = np.lexsort((packets.ready_s, packets.terminal))
    who, at_s, air_s = packets.terminal[order], packets.ready_s[order], packets.air_s[order]
    first = np.append(True, who[1:] != who[:-1])[: len(who)]
    phase_s = at_s - offset_s[who]
    cycles = np.floor(phase_s / drx.cycle_s + SLACK)
    next_s = (cycles + 1.0) * drx.cycle_s + offset_s[who]
    sure = ~packets.waits[order] | (phase_s - cycles * drx.cycle_s < drx.on_s)
    heard = at_s
    while True:
        end_s = heard + air_s + drx.inactivity_s
        beside = at_s >= _before(heard, first, told_s[who])
        beside &= at_s < _before(end_s, first, until_s[who])
        was, heard = heard, np.where(sure | beside, at_s, next_s)
        if np.array_equal(was, heard):
            break
    out_s = np.empty_like(heard)
    out_s[order] = heard
    return out_s


def connected(
    drx: Drx,
    release_s: float,
    t0_s: float,
    t1_s: float,
    *,
    terminal: IntArray,
    start_s: FloatArray,
    stop_s: FloatArray,
    ended_s: FloatArray,
    offset_s: FloatArray,
) -> Connected:
    """What connected terminals do in [t0, t1), given the packets that they know of.

    The state of a sleep is chosen when it begins, by its planned length: steps and uplink cut it
    short, but do not change it. O(packets + connected terminals), all at once.

    Args:
        drx: Timers, the long cycle alone.
        release_s: Connection after the end of the last packet, at least the inactivity timer.
        t0_s: Start of the step.
        t1_s: Its end.
        terminal: Whose each packet is. [packet]
        start_s: From when its terminal knows of it, from t0 on. [packet]
        stop_s: When it was out; the end of the step where it is not. [packet]
        ended_s: End of the last packet before the step, -inf if none. [terminal]
        offset_s: Start of the first cycle. [terminal]
    """
    going = np.flatnonzero(ended_s + release_s > t0_s)
    owner = np.concatenate([going, terminal])
    begin_s = np.concatenate([np.full(len(going), t0_s), start_s])
    end_s = np.concatenate([ended_s[going], stop_s])
    packet = np.concatenate([np.full(len(going), -1), np.arange(len(terminal))])
    order = np.lexsort((begin_s, owner))  # stable: what goes on comes first
    owner, begin_s, end_s, packet = owner[order], begin_s[order], end_s[order], packet[order]
    first = np.append(True, owner[1:] != owner[:-1])[: len(owner)]
    last = np.append(first[1:], True)[: len(owner)]
    next_s = np.minimum(np.where(last, t1_s, np.append(begin_s[1:], t1_s)[: len(owner)]), t1_s)
    over_s = _latest(end_s, first)
    quiet_s = over_s + drx.inactivity_s
    begin_s = np.minimum(begin_s, next_s)
    rest_s = np.clip(quiet_s, begin_s, next_s)
    until_s = np.clip(over_s + release_s, rest_s, next_s)
    off_s = offset_s[owner]
    sleep = _sleep(drx, rest_s - off_s, until_s - off_s, quiet_s - off_s)
    on_s, first_s, plan_s, within, full_begins = sleep
    full_s = until_s - rest_s - on_s - first_s
    return Connected(
        terminal=owner,
        packet=packet,
        listening_s=rest_s - begin_s + on_s,
        first_s=first_s,
        first_plan_s=plan_s,
        first_begins=within & (quiet_s >= begin_s) & (quiet_s < until_s),
        full_s=np.where(full_s > NOISE_S, full_s, 0.0),
        full_begins=full_begins,
        connected_s=until_s - begin_s,
    )


def energy(
    power: TerminalPower,
    drx: Drx,
    did: Connected,
    *,
    control_w: FloatArray,
    terminal: IntArray,
    data_s: FloatArray,
    data_w: FloatArray,
) -> ConnectedEnergy:
    """Energy of what connected terminals did.

    Sending and receiving take the place of listening; what is sent and received at once does so
    twice, as far as there is listening to replace.

    Args:
        power: States of the terminals.
        drx: Timers.
        did: What they did.
        control_w: What each draws while it listens. [terminal]
        terminal: Whose each transmission is. [transmission]
        data_s: Its time. [transmission]
        data_w: Its power. [transmission]
    """
    size, own_w = len(control_w), control_w[did.terminal]
    sent_s = np.bincount(terminal, weights=data_s, minlength=size)
    awake_s = np.bincount(did.terminal, weights=did.listening_s, minlength=size)
    only_s = np.maximum(awake_s - sent_s, 0.0)
    only_frac = np.divide(only_s, awake_s, out=np.zeros(size), where=awake_s > 0.0)
    first_w, first_j = resting(power, did.first_plan_s, own_w)
    full_w, full_j = resting(power, drx.cycle_s - drx.on_s, own_w)
    transition_j = first_j * did.first_begins + full_j * did.full_begins
    resting_j = first_w * did.first_s + full_w * did.full_s
    awake_j = own_w * (did.first_s * (first_w >= own_w) + did.full_s * (full_w >= own_w))
    total_j = control_w * np.maximum(sent_s - awake_s, 0.0)
    differs_w = data_w - control_w[terminal]
    total_j += np.bincount(terminal, weights=differs_w * data_s, minlength=size)
    rest_j = own_w * did.connected_s + transition_j
    rest_j += (first_w - own_w) * did.first_s + (full_w - own_w) * did.full_s
    total_j += np.bincount(did.terminal, weights=rest_j, minlength=size)
    return ConnectedEnergy(
        listening_j=own_w * did.listening_s * only_frac[did.terminal] + awake_j,
        asleep_j=resting_j - awake_j,
        transition_j=transition_j,
        total_j=total_j,
    )


def _sleep(
    drx: Drx, a_s: FloatArray, b_s: FloatArray, quiet_s: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, BoolArray, FloatArray]:
    """On-durations and gaps in [a, b) of a rest that began at `quiet_s`. All [piece].

    Time of on-durations; time of the gap that the rest began in, its planned length and whether
    there is one; number of other gaps that begin.
    """
    cycle_s = drx.cycle_s
    cycles = np.floor(quiet_s / cycle_s + SLACK)
    phase_s = quiet_s - cycles * cycle_s
    within = (phase_s >= drx.on_s - SLACK * cycle_s) & (drx.on_s < cycle_s)
    next_s = (cycles + 1.0) * cycle_s
    first_s = np.where(within, np.maximum(np.minimum(b_s, next_s) - a_s, 0.0), 0.0)
    on_s = _on_until(drx, b_s) - _on_until(drx, a_s)
    begins = _gaps_before(drx, b_s) - _gaps_before(drx, a_s)
    # A rest that begins with a gap, to the billionth, has that gap as its first one.
    begins -= within & (a_s == quiet_s) & (phase_s <= drx.on_s + SLACK * cycle_s) & (b_s > a_s)
    begins = np.maximum(begins, 0.0) * (drx.on_s < cycle_s)
    return np.maximum(on_s, 0.0), first_s, np.where(within, next_s - quiet_s, 0.0), within, begins


def _on_until(drx: Drx, at_s: FloatArray) -> FloatArray:
    """Time of on-durations since the first cycle; continuous, so that rounding does not matter."""
    whole = np.floor(at_s / drx.cycle_s)
    return whole * drx.on_s + np.minimum(at_s - whole * drx.cycle_s, drx.on_s)


def _gaps_before(drx: Drx, at_s: FloatArray) -> FloatArray:
    """Gaps that have begun before a time."""
    return np.ceil((at_s - drx.on_s) / drx.cycle_s - SLACK)


def _latest(value_s: FloatArray, first: BoolArray) -> FloatArray:
    """Largest value so far in each group, the own one included; exact. [row]."""
    by_value = np.argsort(value_s, kind="stable")
    rank = np.empty(len(value_s), dtype=np.int64)
    rank[by_value] = np.arange(len(value_s))
    group = np.cumsum(first) * len(value_s)
    return value_s[by_value[np.maximum.accumulate(rank + group) - group]]


def _before(value_s: FloatArray, first: BoolArray, start_s: FloatArray) -> FloatArray:
    """Largest value before each row in its group, and of what was before the group. [row]."""
    latest = _latest(np.where(first, np.maximum(value_s, start_s), value_s), first)
    return np.where(first, start_s, np.append(-np.inf, latest[:-1])[: len(latest)])
