"""Pieces of a tick as rows of the ledger, column by column."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tree6g.ledger.schema import BIT_KINDS, TOKEN_KINDS
from tree6g.meter.agent.config import UNASSIGNED, Config
from tree6g.meter.agent.pieces import Blocks, Deed, Joules, Wait

MAX_REMEMBERED: Final = 20_000
RADIO_TIERS: Final = ("ran", "transport", "core")
DEFAULT_TIER: Final = "edge"
INSIDE: Final[Mapping[str, str]] = {
    "ran": "ran network operator full",
    "transport": "network operator full",
    "core": "network operator full",
    "edge": "operator full",
    "cloud": "operator full",
    "device": "full",
}
_WORSE: Final = {"measured": 0, "modelled": 1, "estimated": 2}
_ENERGY: Final = (
    "t0_s", "t1_s", "node", "tier", "component", "state", "energy_j", "origin", "source",
    "service", "u95_frac",
)  # fmt: skip
_WORK: Final = (
    "t0_s", "t1_s", "node", "tier", "service", "model", "kind", "amount", "sessions", "demand",
    "demand_unit", "origin", "source",
)  # fmt: skip
_LATENCY: Final = ("t0_s", "t1_s", "node", "service", "kind", "le_s", "count", "sum_s")
_PRB: Final = ("t0_s", "t1_s", "node", "kind", "used_s", "available_s")

Columns = dict[str, list[Any]]


class Services:
    """Which service work is of: the first rule that matches, else `unassigned`."""

    def __init__(self, config: Config) -> None:
        self._rules = config.services
        self._known: dict[tuple[str, str, str, str], str] = {}

    def of(self, tenant: str, model: str, target: str, node: str) -> str:
        """The service of work."""
        key = (tenant, model, target, node)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            found = self._known[key] = self._find(*key)
        return found

    def holding(self, tenant: str, target: str, node: str) -> str | None:
        """The service of what a tenant holds alone: one that names tenants, else nobody's own."""
        for rule in self._rules:
            if tenant and {"tenant"} <= set(rule.patterns) <= {"tenant", "target", "node"}:
                have = {"tenant": tenant, "target": target, "node": node}
                if all(fnmatch.fnmatchcase(have[k], text) for k, text in rule.patterns.items()):
                    return rule.name
        return None

    def _find(self, tenant: str, model: str, target: str, node: str) -> str:
        have = {"tenant": tenant, "model": model, "target": target, "node": node}
        for rule in self._rules:
            if all(fnmatch.fnmatchcase(have[k], text) for k, text in rule.patterns.items()):
                return rule.name
        return UNASSIGNED


class Tick:
    """Rows of one tick: pieces go in, columns come out; pieces of one key are one row."""

    def __init__(self, config: Config, services: Services, *, since_s: float = -math.inf) -> None:
        """Nothing yet; energy that begins before `since_s` is left out and counted."""
        self._since_s, self.too_old = since_s, 0
        self._tiers, self._idle_w, self._services = tiers_of(config), config.idle_w, services
        self._default = {t.name: t.tier or DEFAULT_TIER for t in config.targets}
        self._energy: dict[tuple[Any, ...], list[Any]] = {}
        self._work: dict[tuple[Any, ...], list[Any]] = {}
        self._latency: dict[tuple[Any, ...], list[Any]] = {}
        self._prb: dict[tuple[Any, ...], tuple[float, float]] = {}
        self.nodes: dict[str, tuple[str, str]] = {}
        self.energy_j: dict[str, float] = {}  # by node, beside the rows

    def joules(self, source: str, pieces: Iterable[Joules]) -> None:
        """Energy; what is known to be that of rest is told apart, and the sum is kept."""
        for p in pieces:
            if p.t0_s < self._since_s:
                self.too_old += 1
                continue
            service = self._services.holding(p.tenant, source, p.node) if p.tenant else None
            key = (p.t0_s, p.t1_s, p.node, p.component, source, service)
            row = self._energy.setdefault(key, [0.0, None, "measured", p.u95_frac])
            row[0] += p.energy_j
            if p.idle_j is not None:
                row[1] = (row[1] or 0.0) + p.idle_j
            row[2] = max(row[2], p.origin, key=_WORSE.__getitem__)
            row[3] = p.u95_frac
            self.energy_j[p.node] = self.energy_j.get(p.node, 0.0) + p.energy_j
            self.name(p.node, source)

    def deeds(self, source: str, pieces: Iterable[Deed], *, by: str | None = None) -> None:
        """Work; `by` is the target that told whose it is, empty for nobody's."""
        for p in pieces:
            service = (
                UNASSIGNED
                if by == ""
                else self._services.of(p.tenant, p.model, by or source, p.node)
            )
            key = (p.t0_s, p.t1_s, p.node, service, p.model, p.kind, source)
            row = self._work.setdefault(key, [0.0, "measured", None])
            row[0] += p.amount
            row[1] = max(row[1], p.origin, key=_WORSE.__getitem__)
            self.name(p.node, source)

    def running(self, source: str, mean: Mapping[tuple[str, str], float]) -> None:
        """Mean of requests at work, for models of which one service alone has made tokens."""
        for (node, model), value in mean.items():
            mine = [
                (key, row)
                for key, row in self._work.items()
                if (key[2], key[4], key[6]) == (node, model, source) and key[5] in TOKEN_KINDS
            ]
            if value > 0.0 and len({key[3] for key, _ in mine}) == 1:
                for _, row in mine:
                    row[2] = value

    def waits(self, source: str, pieces: Iterable[Wait], *, by: str | None = None) -> None:
        """Waiting times."""
        for p in pieces:
            service = (
                UNASSIGNED
                if by == ""
                else self._services.of(p.tenant, p.model, by or source, p.node)
            )
            row = self._latency.setdefault(
                (p.t0_s, p.t1_s, p.node, service, p.kind, p.le_s), [0.0, 0.0]
            )
            row[0] += p.events
            self.name(p.node, source)
            row[1] = None if row[1] is None or p.sum_s is None else row[1] + p.sum_s

    def blocks(self, pieces: Iterable[Blocks], source: str) -> None:
        """Use of carriers."""
        for p in pieces:
            key = (p.t0_s, p.t1_s, p.node, p.kind)
            used_s, available_s = self._prb.get(key, (0.0, 0.0))  # carriers of one node add up
            self._prb[key] = (used_s + p.used_s, available_s + p.available_s)
            self.name(p.node, source)

    def columns(self) -> dict[str, Columns]:
        """All rows, by table."""
        found = {
            "energy": _columns(_ENERGY, self._energy_rows()),
            "work": _columns(_WORK, self._work_rows()),
            "latency": _columns(_LATENCY, [(*k, *row) for k, row in self._latency.items()]),
            "prb": _columns(_PRB, [(*k, *row) for k, row in self._prb.items()]),
        }
        return {table: columns for table, columns in found.items() if columns["t0_s"]}

    def _energy_rows(self) -> list[tuple[Any, ...]]:
        rows = []
        whole: dict[tuple[Any, ...], float] = {}
        for (*place, _), row in self._energy.items():
            whole[tuple(place)] = whole.get(tuple(place), 0.0) + row[0]
        for (t0_s, t1_s, node, component, source, service), row in self._energy.items():
            energy_j, idle_j, origin, u95_frac = row
            if idle_j is None:
                idle_j = self._idle_w.get((node, component), 0.0) * (t1_s - t0_s)
                all_j = whole[t0_s, t1_s, node, component, source]
                idle_j *= energy_j / all_j if all_j > 0.0 else 1.0  # of all holders, by energy
            idle_j = min(idle_j, energy_j)
            tier = self._tier(node, source)
            for state, part_j in (("idle", idle_j), ("active", energy_j - idle_j)):
                if part_j > 0.0:
                    rows.append(
                        (t0_s, t1_s, node, tier, component, state, part_j, origin, source, service,
                         u95_frac)
                    )  # fmt: skip
        return rows

    def _work_rows(self) -> list[tuple[Any, ...]]:
        rows = []
        for (t0_s, t1_s, node, service, model, kind, source), row in self._work.items():
            amount, origin, sessions = row
            tier = self._tier(node, source)
            unit = "tok" if kind in TOKEN_KINDS else None
            if kind in BIT_KINDS and tier in RADIO_TIERS:
                unit = "bit"  # elsewhere bits say nothing of how long a machine worked
            rows.append(
                (t0_s, t1_s, node, tier, service, model or None, kind, amount, sessions,
                 amount if unit else None, unit, origin, source)
            )  # fmt: skip
        return rows

    def _tier(self, node: str, source: str) -> str:
        return self._tiers.get(node) or self._default[source]

    def name(self, node: str, source: str) -> None:
        """Rows speak of a node."""
        if node not in self.nodes:
            self.nodes[node] = (self._tier(node, source), source)


def tiers_of(config: Config) -> Mapping[str, str]:
    """Tier of each node that a target names."""
    return {t.node: t.tier for t in config.targets if t.node and t.tier}


def entity_rows(nodes: Mapping[str, tuple[str, str]]) -> Columns:
    """Rows of `entity` for nodes with their tier and the target that spoke of them first."""
    return {
        "node": list(nodes),
        "tier": [tier for tier, _ in nodes.values()],
        "boundaries": [INSIDE[tier] for tier, _ in nodes.values()],
        "what": ["metered" for _ in nodes],
        "record": [f"first by {source}" for _, source in nodes.values()],
    }


def _columns(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Columns:
    if not rows:
        return {name: [] for name in names}
    return dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
