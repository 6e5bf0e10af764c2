"""The loop over slots of `radio.scheduling`, compiled: same rules, same order, flat arrays.

Its oracle is `scheduling.run`. No fast mathematics: a block more or less would follow from a last
bit.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.link.compiler import compiled

Array = npt.NDArray[np.float64]
ROUND_ROBIN: Final = 0
PROPORTIONAL_FAIR: Final = 1
LEAST_AVERAGE_BIT: Final = 1e-9  # as in `scheduling`, whose constants the compiler would not follow


@compiled
def deal(need: Array, prbs: float, first: int, grant: Array) -> int:
    """Blocks dealt in turn from `first` on; who is first next. `grant` is filled."""
    users, left, last = len(need), prbs, -1
    while left >= 1.0:
        hungry = 0
        for user in range(users):
            hungry += need[user] > grant[user]
        if hungry == 0:
            break
        each = max(np.floor(left / hungry), 1.0)
        room = min(hungry, int(left))
        for step in range(users):
            user = (first + step) % users
            if need[user] > grant[user] and room > 0:
                given = min(need[user] - grant[user], each)
                grant[user] += given
                left -= given
                room -= 1
                last = user
    return first if last < 0 else (last + 1) % users


@compiled
def best_first(metric: Array, need: Array, prbs: float, first: int, grant: Array) -> int:
    """Blocks to the greatest metric until it needs no more, then to the next.

    `grant` is filled. Who got the last block, -1: nobody.
    """
    users, left, last = len(need), prbs, -1
    while left > 0.0:
        best = -1
        for step in range(users):
            user = (first + step) % users
            open_ = need[user] > 0.0 and grant[user] == 0.0
            if open_ and (best < 0 or metric[user] > metric[best]):
                best = user
        if best < 0:
            break
        grant[best] = min(need[best], left)
        left -= grant[best]
        last = best
    return last


@compiled
def one_slot(
    rule: int, rate: Array, bands: Array, average: Array, first: int, backlog: Array,
    sent: Array, prbs: Array,
) -> int:  # fmt: skip
    """One slot: `sent` and `prbs` [user] are filled, both zero before. Who is first next."""
    users, start = len(backlog), first
    left, need, grant = backlog.copy(), np.empty(users), np.empty(users)
    metric = np.empty(users)
    for band in range(len(bands)):
        for user in range(users):
            speed = rate[user, band]
            grant[user], metric[user], need[user] = 0.0, speed, 0.0
            if rule == PROPORTIONAL_FAIR:
                metric[user] = speed / max(average[user], LEAST_AVERAGE_BIT)
            if left[user] > 0.0 and speed > 0.0:
                need[user] = min(np.ceil(left[user] / speed), bands[band])
        if rule == ROUND_ROBIN:
            first = deal(need, bands[band], first, grant)
        else:
            last = best_first(metric, need, bands[band], start, grant)
            first = first if last < 0 else (last + 1) % users
        for user in range(users):
            prbs[user] += grant[user]
            sent[user] += grant[user] * rate[user, band]
            left[user] = max(left[user] - grant[user] * rate[user, band], 0.0)
    return first


@compiled
def slots(
    rule: int, rate: Array, bands: Array, arrival: Array, window: float, average: Array,
    backlog: Array, sent: Array, prbs: Array,
) -> None:  # fmt: skip
    """All slots: `sent`, `prbs`, `backlog` and `average` are filled.

    Args:
        rule: 0 round robin, 1 proportional fair, 2 maximum rate.
        rate: Bits per block. [slot, user, subband]
        bands: Blocks of each subband. [subband]
        arrival: Bits that arrive before each slot; no rows: none do. [slot, user]
        window: Averaging window in slots.
        average: Bits per slot of each user, at the start and then at the end. [user]
        backlog: Bits waiting, at the start and then at the end. [user]
        sent: Bits sent, zero at the start. [slot, user]
        prbs: Blocks granted, zero at the start. [slot, user]
    """
    first = 0
    for slot in range(rate.shape[0]):
        if len(arrival):
            backlog += arrival[slot]
        gone = sent[slot]
        first = one_slot(rule, rate[slot], bands, average, first, backlog, gone, prbs[slot])
        for user in range(len(backlog)):
            gone[user] = min(gone[user], backlog[user])
            if backlog[user] > 0.0:
                average[user] += (gone[user] - average[user]) / window
            backlog[user] -= gone[user]
