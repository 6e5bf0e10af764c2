"""The relaxation at its own TREE: an upper bound on all placements, ways added as they pay.

Dinkelbach's step on the relaxation: at a price l the program gives the shares with the greatest
N - l P, and their N / P is the next l. Only some ways are in the program; a look at all others by
their reduced gain tells which would help, and the same numbers bound what all of them together can
reach: for every l, TREE <= l + max(0, bound of N - l P) / P_min. Nothing of it rests on what the
solver says of itself.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.errors import InfeasibleError
from tree6g.optimise.placement.master import Master, Relaxed
from tree6g.optimise.placement.problem import FloatArray, IntArray
from tree6g.optimise.placement.rows import Rows

CLOSE: Final = 1e-7  # of N: surplus at which the relaxation counts as solved
STEPS: Final = 60
ROUNDS: Final = 200
PER_SITE: Final = 2  # ways added per service and first site in one round
UNSERVED: Final = 1e-6  # share of a service that counts as not served


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What the relaxation proves.

    Attributes:
        value: No placement has a greater ratio.
        price: At which the prices of rows were found.
        dual: Prices of rows. [row]
        relaxed: Its solution.
        programs: Relaxations solved.
    """

    value: float
    price: float
    dual: FloatArray
    relaxed: Relaxed
    programs: int


def upper_bound(rows: Rows, master: Master, price: float, names: list[str]) -> Bound:
    """The bound of the relaxation, from a price of power that some placement reaches, or from 0.

    Raises:
        InfeasibleError: Services that have to be served and cannot be, even in parts.
    """
    best, programs = np.inf, 0
    for _ in range(STEPS):
        relaxed, surplus, used = priced_out(rows, master, price)
        programs += used
        _refuse_unserved(relaxed, names)
        best = min(best, price + max(surplus, 0.0) / rows.power_min_w)
        fresh = relaxed.utility_bps / relaxed.power_w
        if surplus <= CLOSE * max(relaxed.utility_bps, 1e-300) or fresh <= price:
            break
        price = fresh
    return Bound(value=best, price=price, dual=relaxed.dual, relaxed=relaxed, programs=programs)


def priced_out(rows: Rows, master: Master, price: float) -> tuple[Relaxed, float, int]:
    """The relaxation at a price with all ways that matter, a bound of N - price P, and programs."""
    surplus, used = np.inf, 0
    while used < ROUNDS:
        relaxed = master.relaxed(price)
        used += 1
        bound, reduced, _ = rows.surplus_bound(price, relaxed.dual)
        surplus = min(surplus, bound)
        enough = 0.1 * CLOSE * abs(relaxed.utility_bps)
        if surplus - relaxed.surplus <= enough and not relaxed.unserved.any():
            break
        if not master.add(helpful(rows, reduced)):
            break
    return relaxed, surplus, used


def helpful(rows: Rows, reduced: FloatArray, per_site: int = PER_SITE) -> IntArray:
    """The best few ways of each service and site, of those that could earn anything."""
    key = rows.service * (rows.sites + 1) + rows.site[:, 0] + 1
    order = np.lexsort((-reduced, key))
    rank = np.arange(len(order)) - np.searchsorted(key[order], key[order])
    picked = order[rank < per_site]
    return picked[(reduced[picked] > 0.0) | rows.required[rows.service[picked]]]


def _refuse_unserved(relaxed: Relaxed, names: list[str]) -> None:
    short = np.flatnonzero(relaxed.unserved > UNSERVED)
    if not len(short):
        return
    listed = ", ".join(f"{names[s]} ({relaxed.unserved[s]:.3g} of it)" for s in short[:8])
    more = f" and {len(short) - 8} more" if len(short) > 8 else ""
    raise InfeasibleError(
        f"these services have to be served and cannot be, even if work could be cut in parts: "
        f"{listed}{more}. Give sites more room, allow more latency, or do not require them."
    )
