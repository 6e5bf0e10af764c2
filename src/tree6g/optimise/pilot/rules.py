"""Which server takes a request: all of them in the order in which they are to be tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tree6g.optimise.pilot.offer import Offer


def by_tree(offers: Sequence[Offer], price_beq_per_j: float) -> list[str]:
    """Greatest w U - price E first; servers that would miss a budget after all that meet them.

    What is worth the same goes where it costs fewer joules, then where fewer requests are.
    """
    ranked = sorted(
        offers, key=lambda o: (not o.fits, -o.gain_beq(price_beq_per_j), o.energy_j, o.busy)
    )
    return [offer.server for offer in ranked]


class InTurn:
    """Round robin, a turn of its own for every set of servers, as services differ in theirs."""

    def __init__(self) -> None:
        """Begin with the first server."""
        self._next: dict[tuple[str, ...], int] = {}

    def order(self, names: Sequence[str]) -> list[str]:
        """The next server, then those after it."""
        key = tuple(names)
        at = self._next.get(key, 0)
        self._next[key] = (at + 1) % len(key)
        return [*key[at:], *key[:at]]


def by_load(names: Sequence[str], busy: Mapping[str, int], slots: Mapping[str, int]) -> list[str]:
    """The server with the smallest share of its slots in use first, in the given order if equal."""
    return sorted(names, key=lambda name: busy[name] / slots[name])
