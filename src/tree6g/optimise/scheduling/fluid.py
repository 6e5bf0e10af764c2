"""The greatest TREE of any schedule that knows all that comes: a concave fluid relaxation.

Work comes as items, taken in any part z_i between 0 and 1:

    N(z)    = sum_i w_i z_i
    P(z, X) = E_fixed + sum_i e_i z_i + c X(end)
    X(d_i) - X(a_i) >= n_i z_i                        X(t) iterations so far, does not decrease
    sum_i t_i z_i <= T                                time of each resource

e_i is what an item costs at least, however it is served: its airtime, its own FLOP, keys and
values. An iteration costs c, whoever takes part, and every token of an answer needs one of its own
between arrival a_i and the deadline of its last token d_i. Batches, queues, wake-ups, the order of
messages and integers are left out, so no schedule does better; N and P are linear, so that the
ratio has one optimum.

**Certificate.** For a price l, prices m of the resources, and a flow f of l c units over time,

    F(l) = sum_i max(0, w_i - l e_i - n_i f_i - m t_i) + m T - l E_fixed  >=  max N - l P

whatever f and m are: f_i is what passes along the window of item i, and windows that one path uses
do not overlap. Where F(l) = 0, no schedule has a TREE above l. All of f on the chain of disjoint
windows with the most tokens is the count of iterations that nobody can do without; a mixture of
chains, found by conditional gradients (Frank and Wolfe 1956), is the optimum where single answers
are not worth an iteration of their own. Nothing has to converge for the bound to hold.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
TOLERANCE: Final = 1e-12  # of a price
MOST_HALVINGS: Final = 200
RESOURCE_STEPS: Final = 30  # of the search for the price of a resource
MIXTURES: Final = 20  # chains in a flow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Work:
    """All that is offered, and what it costs at least. Arrays are [item].

    Attributes:
        worth_beq: Worth of an item if all of it is on time.
        energy_j: Joules that it causes at least.
        iterations: Iterations of the server that it needs, each another one; 0: none.
        from_s: From when on.
        until_s: Until when.
        use_s: Time of each resource that it takes. [resource, item]
        room_s: Time of each resource that there is. [resource]
        iteration_j: Joules of an iteration, whoever takes part.
        fixed_j: Joules that are there without any work.
    """

    worth_beq: FloatArray
    energy_j: FloatArray
    iterations: FloatArray
    from_s: FloatArray
    until_s: FloatArray
    use_s: FloatArray
    room_s: FloatArray
    iteration_j: float
    fixed_j: float

    def __post_init__(self) -> None:
        """Refuse what no price is defined for."""
        if not self.fixed_j > 0.0:
            raise DataError(f"expected fixed joules above 0; got {self.fixed_j:g} J.")
        if (
            min(self.energy_j.min(initial=0.0), self.iteration_j, self.worth_beq.min(initial=0.0))
            < 0
        ):
            raise DataError("expected worth and joules of at least 0.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bound:
    """No schedule has more.

    Attributes:
        tree_beq_per_j: Upper bound on TREE.
        least_iterations: Iterations that all work on time takes at least.
        flow_frac: Share of the flow along the window of each item. [item]
        price_beq_per_s: Price of each resource. [resource]
        most_share_frac: Share of the worth that is taken at this price.
    """

    tree_beq_per_j: float
    least_iterations: float
    flow_frac: FloatArray
    price_beq_per_s: FloatArray
    most_share_frac: float


def bound(work: Work) -> Bound:
    """The least upper bound that the flows and prices tried give.

    Args:
        work: What is offered.
    """
    flow, prices = chain(work, work.iterations), np.zeros(len(work.room_s))
    least = float(work.iterations @ flow)
    best = _price(work, flow, prices)
    kept = flow, prices
    for k in range(MIXTURES):
        prices = _resource_prices(work, flow, prices, best)
        pays = gain(work, flow, prices, best) > 0.0
        flow = flow + 2.0 / (k + 3.0) * (chain(work, np.where(pays, work.iterations, 0.0)) - flow)
        found = _price(work, flow, prices)
        if found < best:
            best, kept = found, (flow, prices)
    taken = gain(work, *kept, best) > 0.0
    offered_beq = float(work.worth_beq.sum())
    return Bound(
        tree_beq_per_j=best,
        least_iterations=least,
        flow_frac=kept[0],
        price_beq_per_s=kept[1],
        most_share_frac=float(work.worth_beq[taken].sum()) / offered_beq if offered_beq else 0.0,
    )


def gain(work: Work, flow: FloatArray, prices: FloatArray, price: float) -> FloatArray:
    """What taking each item brings beyond its cost at some prices. [item]."""
    shared_j = work.energy_j + work.iteration_j * work.iterations * flow
    return np.asarray(work.worth_beq - price * shared_j - prices @ work.use_s)


def excess_beq(work: Work, flow: FloatArray, prices: FloatArray, price: float) -> float:
    """F(l): at least what any schedule brings beyond l times its joules."""
    taken = np.maximum(gain(work, flow, prices, price), 0.0)
    return float(taken.sum() + prices @ work.room_s - price * work.fixed_j)


def chain(work: Work, weight: FloatArray) -> FloatArray:
    """Of the chains of disjoint windows that of the greatest sum of weights: 1 for each in it.

    The longest path over time, by end of window.
    """
    some = np.flatnonzero(weight > 0.0)
    some = some[np.argsort(work.until_s[some], kind="stable")]
    until_s = work.until_s[some]
    before = np.searchsorted(until_s, work.from_s[some], side="right").tolist()
    total, used = [0.0], []
    for n, (own, first) in enumerate(zip(weight[some].tolist(), before, strict=True)):
        better = own + total[min(first, n)] > total[-1]
        used.append(better)
        total.append(own + total[min(first, n)] if better else total[-1])
    flow, n = np.zeros(len(weight)), len(some)
    while n > 0:
        if used[n - 1]:
            flow[some[n - 1]] = 1.0
            n = min(before[n - 1], n - 1)
        else:
            n -= 1
    return flow


def _price(work: Work, flow: FloatArray, prices: FloatArray) -> float:
    """Where F falls through 0, from above: F decreases with the price."""
    low, high = 0.0, (float(work.worth_beq.sum()) + float(prices @ work.room_s)) / work.fixed_j
    for _ in range(MOST_HALVINGS):
        if high - low <= TOLERANCE * high:
            break
        middle = 0.5 * (low + high)
        if excess_beq(work, flow, prices, middle) > 0.0:
            low = middle
        else:
            high = middle
    return high


def _resource_prices(
    work: Work, flow: FloatArray, prices: FloatArray, price: float
) -> FloatArray:  # fmt: skip
    """Prices of the resources, one after the other, where F is least: F is convex in each."""
    prices = prices.copy()
    for n, room_s in enumerate(work.room_s.tolist()):
        use_s = work.use_s[n]
        prices[n] = 0.0
        taken_s = float(use_s[gain(work, flow, prices, price) > 0.0].sum())
        if taken_s <= room_s:
            continue
        some = use_s > 0.0
        low, high = 0.0, float((work.worth_beq[some] / use_s[some]).max())
        for _ in range(RESOURCE_STEPS):
            prices[n] = 0.5 * (low + high)
            taken_s = float(use_s[gain(work, flow, prices, price) > 0.0].sum())
            low, high = (prices[n], high) if taken_s > room_s else (low, prices[n])
        prices[n] = high
    return prices
