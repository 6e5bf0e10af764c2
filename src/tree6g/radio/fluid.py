"""What the schedulers of a cell come to in the long run, and delays of a shared cell.

Slots are gone: a cell is a server whose time is shared. Between arrivals, `airtime_frac` gives the
shares and `long_run` the rates under fading; over arrivals, a cell that shares equally is an
M/G/1 queue with processor sharing, whose mean delays depend on sizes through their mean alone.
"""

from __future__ import annotations

import dataclasses
import heapq
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import InfeasibleError
from tree6g.radio.airtime import fair_share_s
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.scheduling import Scheduler

STATES: Final = 100_000  # longest queue that is summed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LongRun:
    """Rates that users with full buffers reach.

    Attributes:
        rate_bps: Throughput. [user]
        time_frac: Share of slots. [user]
        gap_frac: Bound on how far the sum of logarithms is from its greatest, per user; 0 for
            schedulers whose rates need no search.
    """

    rate_bps: FloatArray
    time_frac: FloatArray
    gap_frac: float


def airtime_frac(
    scheduler: Scheduler, demand_frac: npt.ArrayLike, rate_bps: npt.ArrayLike
) -> FloatArray:
    """Airtime that each user gets while nothing changes. [user].

    Round robin and proportional fair share airtime equally among those who still want some
    (max-min), which also maximises the sum of the logarithms of rates when rates are constant;
    maximum rate serves the fastest first.

    Args:
        scheduler: Rule.
        demand_frac: Airtime that would empty each user's queue; inf for a full buffer. [user]
        rate_bps: Rate with the whole cell; who has none gets no airtime. [user]
    """
    rate = np.asarray(rate_bps, dtype=np.float64)
    demand = np.where(rate > 0.0, np.minimum(np.asarray(demand_frac, dtype=np.float64), 1.0), 0.0)
    if scheduler != "maximum-rate":
        return fair_share_s(demand, 1.0)
    share, left = np.zeros(len(demand)), 1.0
    for level in np.unique(rate)[::-1]:
        same = rate == level
        share[same] = fair_share_s(demand[same], left)
        left = max(left - float(share[same].sum()), 0.0)
    return share


def long_run(
    scheduler: Scheduler, sample_bps: FloatArray, *, tolerance: float = 1e-3, most: int = 5000
) -> LongRun:
    """Rates of full buffers under fading, the limit of the slot scheduler over many slots.

    Round robin: each sample evenly to all. Maximum rate: to its fastest, ties shared. As in slots,
    nobody gets a sample in which he has no rate.
    Proportional fair: the rates that maximise the sum of their logarithms over all ways to share
    the samples (Kushner and Whiting, IEEE Trans. Wireless Comm. 3(4), 2004), found by Frank-Wolfe;
    its duality gap, sum(vertex rate / rate) - users, bounds the distance from the best.
    Against 200,000 slots of `scheduling` (8 users, Rayleigh fading): rates of round robin and
    proportional fair within 0.4 % per user, the sum of maximum rate within 0.1 %.

    Args:
        scheduler: Rule.
        sample_bps: Rates that users would have with the whole cell, in equally likely samples of
            the fading of all of them. [sample, user]
        tolerance: Gap per user at which the search stops.
        most: Steps after which it stops anyhow; the gap reached is returned.
    """
    can = sample_bps > 0.0
    if scheduler == "proportional-fair":
        return _proportional_fair(sample_bps, np.flatnonzero(can.any(axis=0)), tolerance, most)
    if scheduler == "maximum-rate":
        can &= sample_bps == sample_bps.max(axis=1, keepdims=True, initial=0.0)
    share = can / np.maximum(can.sum(axis=1, keepdims=True), 1)
    rate = (sample_bps * share).mean(axis=0)
    return LongRun(rate_bps=rate, time_frac=share.mean(axis=0), gap_frac=0.0)


def _proportional_fair(
    sample_bps: FloatArray, heard: npt.NDArray[np.intp], tolerance: float, most: int
) -> LongRun:
    """Frank-Wolfe among those who have a rate in some sample; the others get nothing."""
    rates, times = np.zeros((2, sample_bps.shape[1]))
    sample_bps = sample_bps[:, heard]
    samples, users = sample_bps.shape
    if not users:
        return LongRun(rate_bps=rates, time_frac=times, gap_frac=0.0)
    rate, gap = sample_bps.mean(axis=0) / users, np.inf
    time = (sample_bps > 0.0).mean(axis=0) / users
    for step in range(most):
        chosen = np.argmax(sample_bps / rate, axis=1)
        sent = sample_bps[np.arange(samples), chosen]
        time_to = np.bincount(chosen, sent > 0.0, minlength=users) / samples
        rate_to = np.bincount(chosen, sent, minlength=users) / samples
        gap = float((rate_to / rate).sum()) / users - 1.0
        if gap < tolerance:
            break
        pace = 2.0 / (step + 4.0)
        rate, time = rate + pace * (rate_to - rate), time + pace * (time_to - time)
    rates[heard], times[heard] = rate, time
    return LongRun(rate_bps=rates, time_frac=times, gap_frac=max(gap, 0.0))


def diversity_gain(users: npt.ArrayLike, sinr_db: float) -> FloatArray:
    """How much faster proportional fair serves users whose fading it can choose from. [users].

    E[log2(1 + g max X_i)] / E[log2(1 + g X)] for n users with independent Rayleigh fading (X
    exponential) around the same mean SINR g: with alike users each gets 1/n of this.
    As g falls to 0 it becomes 1 + 1/2 + ... + 1/n. Per resource block and slot; a real scheduler
    with old or wideband channel knowledge gets less.

    Args:
        users: Number of users with data.
        sinr_db: Mean SINR.
    """
    count = np.atleast_1d(np.asarray(users, dtype=np.float64))
    mean = 10.0 ** (sinr_db / 10.0)
    # E f(max) = integral of f'(x) P(max > x), on a grid even in the logarithm of x.
    x = np.geomspace(1e-9, 60.0, 20_001)
    slope = mean / (1.0 + mean * x)
    exceeds = -np.expm1(count[:, None] * np.log1p(-np.exp(-x)))
    value = np.trapezoid(slope * exceeds, x, axis=1)
    return value / np.trapezoid(slope * np.exp(-x), x)


def sharing_delay_s(service_s: npt.ArrayLike, load_frac: float) -> FloatArray:
    """Mean time that a transfer spends in a cell that shares its time equally. [transfer].

    E[T(s)] = s / (1 - rho): M/G/1 with processor sharing, whatever the distribution of sizes
    (Kleinrock, Queueing Systems II, 1976, section 4.4). Users with different rates are covered:
    s is size over the rate that the user has alone, rho the sum of arrival rate times mean s.
    Against 5 x 200,000 drawn transfers (`departure_s`; constant, uniform, exponential and two
    sizes): means within 0.2 % at load 0.3 and 0.6 % at load 0.7.

    Args:
        service_s: Airtime that each transfer needs. [transfer]
        load_frac: Load rho.

    Raises:
        InfeasibleError: The load is 1 or more, so that the queue grows without end.
    """
    if not 0.0 <= load_frac < 1.0:
        raise InfeasibleError(
            f"expected a load below 1; got {load_frac:g}. A cell cannot carry it: no mean exists."
        )
    return np.asarray(service_s, dtype=np.float64) / (1.0 - load_frac)


def number_frac(load_frac: float, gain: npt.ArrayLike = 1.0) -> FloatArray:
    """Probability of 0, 1, 2, ... transfers in the cell. [number].

    P(n) is proportional to rho^n / (G(1) ... G(n)), also whatever the sizes (Borst, INFOCOM 2003,
    for proportional fair; Cohen 1979). With G = 1 it is (1 - rho) rho^n. Cut where less than
    exp(-40) is left, or after 100,000 transfers, which matters above a load of 0.999.

    Args:
        load_frac: Load rho, without gain.
        gain: G(1), G(2), ..., as from `diversity_gain`; the last one holds for all longer queues.

    Raises:
        InfeasibleError: The load is not below the last gain.
    """
    gains = _carried(load_frac, gain)
    ratio = load_frac / gains[-1]
    more = int(np.ceil(-40.0 / np.log(ratio))) if ratio > 0.0 else 0  # until exp(-40)
    steps = np.concatenate([[1.0], load_frac / gains, np.full(min(more, STATES), ratio)])
    weight = np.cumprod(steps)
    return weight / weight.sum()


def mean_delay_s(mean_service_s: float, load_frac: float, gain: npt.ArrayLike = 1.0) -> float:
    """Mean time in the cell over all transfers, E[N] / arrival rate (Little's law).

    Args:
        mean_service_s: Mean airtime of a transfer that is alone in a cell of gain 1.
        load_frac: Load rho, without gain.
        gain: As in `number_frac`.

    Raises:
        InfeasibleError: The load is not below the last gain.
    """
    gains = _carried(load_frac, gain)
    if load_frac == 0.0:
        return mean_service_s / float(gains[0])
    weight = np.cumprod(np.concatenate([[1.0], load_frac / gains]))
    number = np.arange(len(weight))
    # Beyond the last gain the weights fall geometrically, by 1 - left each: summed exactly.
    left = float(gains[-1] - load_frac) / float(gains[-1])
    beyond = float(weight[-1]) * (1.0 - left) / left
    mean = (weight @ number + beyond * (number[-1] + 1.0 / left)) / (weight.sum() + beyond)
    return float(mean) * mean_service_s / load_frac


def _carried(load_frac: float, gain: npt.ArrayLike) -> FloatArray:
    """Gains of a cell that can carry the load."""
    gains = np.atleast_1d(np.asarray(gain, dtype=np.float64))
    if not 0.0 <= load_frac < gains[-1]:
        raise InfeasibleError(
            f"expected a load below the cell's {gains[-1]:g}; got {load_frac:g}. "
            "It cannot carry that: no equilibrium exists."
        )
    return gains


def departure_s(
    arrival_s: npt.ArrayLike, service_s: npt.ArrayLike, gain: npt.ArrayLike = 1.0
) -> FloatArray:
    """When transfers leave a cell that shares its time equally, event by event. [transfer].

    All transfers present advance alike, so that each leaves when the time served per transfer has
    grown by its own need. n transfers together get G(n) seconds of service per second.

    Args:
        arrival_s: Arrivals, ascending. [transfer]
        service_s: Airtime that each needs. [transfer]
        gain: G(1), G(2), ...; the last one holds for more.
    """
    gains = np.atleast_1d(np.asarray(gain, dtype=np.float64)).tolist()
    left_s = np.full(np.size(arrival_s), np.nan)
    waiting: list[tuple[float, int]] = []
    now_s = each_s = 0.0

    def serve(until_s: float) -> None:
        """Serve those in the cell until a time in s; they share it equally."""
        nonlocal now_s, each_s
        while waiting:
            pace = gains[min(len(waiting), len(gains)) - 1] / len(waiting)
            end_s = now_s + (waiting[0][0] - each_s) / pace
            if end_s > until_s:
                each_s += (until_s - now_s) * pace
                break
            now_s, each_s = end_s, waiting[0][0]
            left_s[heapq.heappop(waiting)[1]] = end_s
        now_s = max(now_s, until_s) if np.isfinite(until_s) else now_s

    needs = np.asarray(service_s, dtype=np.float64).tolist()
    for number, at_s in enumerate(np.asarray(arrival_s, dtype=np.float64).tolist()):
        serve(at_s)
        heapq.heappush(waiting, (each_s + needs[number], number))
    serve(float("inf"))
    return left_s
