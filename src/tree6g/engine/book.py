"""What the phases of one ledger interval write down: joules by cause, work by service."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

from tree6g.engine.counters import Counters
from tree6g.engine.crowd import IntArray

EnergyKey = tuple[str, str, str, str | None, str]  # node, component, state, service, source
WorkKey = tuple[str, str, str | None, str]  # node, service, model, kind


@dataclasses.dataclass(slots=True)
class Amount:
    """Work of one kind, the demand it made, and (token_out) the time that sessions ran."""

    amount: float = 0.0
    demand: float = 0.0
    session_s: float = 0.0


def _zero() -> float:
    return 0.0


@dataclasses.dataclass(slots=True)
class Book:
    """Sums of the running ledger interval, and per node the power integral of the whole run.

    `requests` are those that were served, in this order. `control` is fed by the nodes' total
    power, `energy` by its parts: two ways to one sum.
    """

    energy: defaultdict[EnergyKey, float] = dataclasses.field(
        default_factory=lambda: defaultdict(_zero)
    )
    work: defaultdict[WorkKey, Amount] = dataclasses.field(
        default_factory=lambda: defaultdict(Amount)
    )
    control: defaultdict[str, list[float]] = dataclasses.field(
        default_factory=lambda: defaultdict(list)
    )
    sources: set[str] = dataclasses.field(default_factory=set)
    requests: list[IntArray] = dataclasses.field(default_factory=list)
    counters: Counters = dataclasses.field(default_factory=Counters)

    def spend(
        self,
        node: str,
        component: str,
        state: str,
        energy_j: float,
        *,
        source: str,
        service: str | None = None,
    ) -> None:
        """Add joules; a part that does not occur leaves no row."""
        if energy_j:
            self.energy[node, component, state, service, source] += energy_j
            self.sources.add(source)

    def do(
        self,
        node: str,
        service: str,
        kind: str,
        amount: float,
        *,
        model: str | None = None,
        demand: float = 0.0,
        session_s: float = 0.0,
    ) -> None:
        """Add work."""
        if amount or demand:
            entry = self.work[node, service, model, kind]
            entry.amount += amount
            entry.demand += demand
            entry.session_s += session_s

    def integrate(self, node: str, energy_j: float) -> None:
        """Add a step of a node's power integral."""
        self.control[node].append(energy_j)
