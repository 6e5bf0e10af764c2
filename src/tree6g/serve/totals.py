"""Counters of a ledger that grows: each row is read once, and no counter falls."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Final

from tree6g.ledger.reading import Ledger, named_sql
from tree6g.metric import tree
from tree6g.metric.profile import from_meta
from tree6g.serve.follow import State
from tree6g.serve.view import View, cover, ledger_for

Key = tuple[str, ...]
ENERGY_LABELS: Final = ("component", "tier", "state", "origin", "source")
WORK_LABELS: Final = ("service", "kind", "tier")
_TABLES: Final = ("energy", "work")


class Totals:
    """Sums over a ledger since its start, kept up to date part by part.

    `energy` and `work` are sums of rows. `utility` and `attributed` are figures over covered time
    that is over (`settled_s`): each stretch of time is added once, when every source has covered
    it, so rows that come later than that are in `energy` and `work` alone.
    """

    def __init__(self, view: View) -> None:
        """Nothing counted yet; `view` names boundary and rules."""
        self.energy: dict[Key, float] = {}
        self.work: dict[Key, float] = {}
        self.utility: dict[str, float] = {}
        self.attributed: dict[str | None, float] = {}
        self.settled_s: float | None = None
        self._view = view
        self._known: set[Path] = set()
        self._state = 0

    def update(self, state: State) -> None:
        """Count what a state holds that was not counted before."""
        if state.number == self._state:
            return
        self._count_rows(state.ledger)
        self._count_figures(state)
        self._state = state.number

    def _count_rows(self, ledger: Ledger) -> None:
        now = {path for table in _TABLES for path in ledger.parts[table]}
        gone = not self._known <= now
        new = {
            **ledger.parts,
            **{
                t: tuple(p for p in ledger.parts[t] if gone or p not in self._known)
                for t in _TABLES
            },
        }
        some = dataclasses.replace(ledger, parts=new)
        boundary = self._view.boundary or ledger.meta.boundary
        for name, totals in (("energy", self.energy), ("work", self.work)):
            if not new[name]:
                continue
            found = some.query(named_sql("serve", f"counted_{name}"), [boundary])
            columns = [found.column(n).to_pylist() for n in range(found.num_columns)]
            for *key, amount in zip(*columns, strict=True):
                old = totals.get(tuple(key), 0.0)
                # Parts that are gone were merged or have aged out: what they held stays counted.
                totals[tuple(key)] = max(old, amount) if gone else old + amount
        self._known = now

    def _count_figures(self, state: State) -> None:
        """Add utility and attributed energy of the time that has settled since the last look."""
        ledger = state.ledger
        held = cover(ledger, self._view)
        services = from_meta(ledger.meta)
        step_s = max(
            [ledger.meta.attribution_interval_s]
            + [s.profile.interval_s for s in services.values() if not s.profile.curve.linear]
        )
        if not held:
            return
        start_s = self.settled_s
        if start_s is None:
            start_s = math.floor(held[0][0] / step_s + 1e-9) * step_s
        end_s = math.floor(held[-1][1] / step_s + 1e-9) * step_s
        if end_s <= start_s:
            return
        query = self._view.query(start_s, end_s)
        near = ledger_for(state, query, (start_s, end_s))
        for row in tree.series(near, query, by=("service",)).to_pylist():
            name = row["service"]
            self.attributed[name] = self.attributed.get(name, 0.0) + row["energy_j"]
            if name is not None and row["utility_beq"] is not None:
                self.utility[name] = self.utility.get(name, 0.0) + row["utility_beq"]
        self.settled_s = end_s
