"""A second metric in plain Python, written from the rules alone: what the SQL must agree with.

No database and no arrays: rows are dicts, time is lists of spans, and the Shapley value is taken
over all coalitions. Windows must start and end on the attribution grid. Slow and meant to be.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Row = Mapping[str, Any]
Span = tuple[float, float]

DYNAMIC = {"active", "prefill", "decode", "train"}
OVERHEAD = {"cooling", "power_supply"}


@dataclass
class Answer:
    """Sums by (window start, service) and by reason; the service is None where nobody answers."""

    energy_j: dict[tuple[float, str | None], float] = field(
        default_factory=lambda: defaultdict(float)
    )
    utility_beq: dict[tuple[float, str], float] = field(default_factory=lambda: defaultdict(float))
    offered_beq: dict[tuple[float, str], float] = field(default_factory=lambda: defaultdict(float))
    bits_bit: dict[tuple[float, str], float] = field(default_factory=lambda: defaultdict(float))
    unattributed_j: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    covered_s: float = 0.0
    ran_j: float = 0.0

    def total(self, name: str) -> float:
        return math.fsum(getattr(self, name).values())

    def of_service(self, name: str, service: str) -> float:
        return math.fsum(v for (_, s), v in getattr(self, name).items() if s == service)


def overlap(a: Span, spans: Iterable[Span]) -> float:
    return sum(max(0.0, min(a[1], e) - max(a[0], s)) for s, e in spans)


def covered(statements: Sequence[Row], inside: set[str]) -> list[Span]:
    """Rule 11: the time that every source which speaks of the boundary covers."""
    mine = [r for r in statements if r.get("node") is None or r["node"] in inside]
    edges = sorted({t for r in mine for t in (r["t0_s"], r["t1_s"])})
    keys = {(r["source"], r["quantity"], r.get("node")) for r in mine}
    stated = {(r["source"], r["quantity"], r.get("node")) for r in mine if r["status"] == "ok"}
    spans = []
    for a, b in itertools.pairwise(edges):
        now = [r for r in mine if r["t0_s"] <= a and b <= r["t1_s"]]
        ok = {(r["source"], r["quantity"], r.get("node")) for r in now if r["status"] == "ok"}
        gap = any(r["status"] == "gap" for r in now)
        if ok and not gap and all(key in ok for key in keys & stated):
            spans.append((a, b))
    return spans


@dataclass
class Oracle:
    """One ledger, one question."""

    tables: Mapping[str, Sequence[Row]]
    services: Mapping[str, Row]
    grid_s: float
    phase_weights: Sequence[Row] = ()
    boundary: str = "operator"
    rule: str = "proportional"
    idle: str = "unattributed"
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = self.tables["entity"]
        self.inside = {r["node"]: r for r in rows if self.boundary in r["boundaries"].split()}
        self.ran = {r["node"] for r in rows if "ran" in r["boundaries"].split()}
        self.cover = covered(self.tables.get("coverage", ()), set(self.inside))

    def answer(self, edges_s: Sequence[float]) -> Answer:
        """Sums over windows between the edges."""
        windows = list(itertools.pairwise(edges_s))
        found = Answer(covered_s=overlap((edges_s[0], edges_s[-1]), self.cover))
        times = self._times() or [0.0]
        first = math.floor(min(times) / self.grid_s)
        last = math.ceil(max(times) / self.grid_s)
        for k in range(first, last):
            cell = (k * self.grid_s, (k + 1) * self.grid_s)
            window = next((w[0] for w in windows if w[0] <= cell[0] and cell[1] <= w[1]), None)
            if window is not None:
                self._energy(cell, window, found)
                self._work(cell, window, found)
        for name, body in self.services.items():
            if body["kind"] == "ai" and not self._linear(name):
                self._curved(name, windows, found)
        return found

    def _times(self) -> list[float]:
        rows = [*self.tables.get("energy", ()), *self.tables.get("work", ())]
        return [t for r in rows for t in (r["t0_s"], r["t1_s"])]

    def _share(self, row: Row, cell: Span) -> float:
        """Part of a row that lies in a cell and in covered time."""
        a, b = max(row["t0_s"], cell[0]), min(row["t1_s"], cell[1])
        return overlap((a, b), self.cover) / (row["t1_s"] - row["t0_s"]) if a < b else 0.0

    def _w(self, name: str) -> float:
        return float(self.weights.get(name, self.services[name]["weight"]))

    # Rules 8 and 9: energy.

    def _energy(self, cell: Span, window: float, found: Answer) -> None:
        split = {n: self._equipment(n, cell) for n in self.inside}
        for node in self.inside:
            overhead = self._joules(node, cell, lambda r: r["component"] in OVERHEAD)
            base = split[node] if sum(split[node].values()) > 0 else self._site(node, split)
            whole = sum(base.values())
            parts = {k: overhead * v / whole for k, v in base.items()} if whole else {}
            if overhead and not parts:
                parts = {(None, "standby"): overhead}
            for (service, reason), joules in itertools.chain(split[node].items(), parts.items()):
                found.energy_j[window, service] += joules
                if service is None:
                    found.unattributed_j[reason] += joules
        found.ran_j += sum(self._joules(n, cell, lambda _: True) for n in self.ran)

    def _site(self, node: str, split: Mapping[str, Mapping[Any, float]]) -> dict[Any, float]:
        site = self.inside[node].get("site") or node
        total: dict[Any, float] = defaultdict(float)
        for other, parts in split.items():
            if (self.inside[other].get("site") or other) == site:
                for key, joules in parts.items():
                    total[key] += joules
        return total

    def _joules(self, node: str, cell: Span, wanted: Callable[[Row], bool]) -> float:
        rows = [r for r in self.tables.get("energy", ()) if r["node"] == node and wanted(r)]
        return math.fsum(r["energy_j"] * self._share(r, cell) for r in rows)

    def _equipment(self, node: str, cell: Span) -> dict[Any, float]:
        """Joules of a node without site overhead, by (service, reason)."""
        volume = self.rule == "data_volume" and self.inside[node]["tier"] in {"ran", "core"}
        demand = self._demand(node, cell, volume=volume)
        names = [r.get("service") for r in self.tables.get("energy", ()) if r["node"] == node]
        labelled: dict[Any, float] = {}
        caused: dict[str, float] = {}
        for name in {n for n in names if n is not None and not volume}:
            mine = self._joules(node, cell, lambda r, n=name: _it(r) and r.get("service") == n)
            hot = self._joules(node, cell, lambda r, n=name: _hot(r) and r.get("service") == n)
            labelled[name, None] = mine
            if hot > 0:
                caused[name] = hot
        users = demand or caused
        free = lambda r: _it(r) and (volume or r.get("service") is None)  # noqa: E731
        dynamic = self._joules(node, cell, lambda r: free(r) and r["state"] in DYNAMIC)
        idle = self._joules(node, cell, lambda r: free(r) and r["state"] not in DYNAMIC)
        out: dict[Any, float] = defaultdict(float, labelled)
        whole = sum(users.values())
        if not users:
            out[None, "no_demand"] += dynamic
            self._standby(node, idle, out, volume=volume)
            return out
        for name, use in users.items():
            out[name, None] += dynamic * use / whole
        on = {**dict.fromkeys(caused, 0.0), **users}  # who had the node switched on
        for key, joules in self._idle(idle, on, by_demand=volume).items():
            out[key] += joules
        return out

    def _idle(
        self, idle: float, users: Mapping[str, float], *, by_demand: bool
    ) -> dict[Any, float]:
        whole = sum(users.values())
        if by_demand or self.rule in {"proportional", "data_volume"}:
            return {(n, None): idle * use / whole for n, use in users.items()}
        cost = lambda s: idle if s else 0.0  # noqa: E731
        if self.rule == "marginal":
            everybody = frozenset(users)
            own = {(n, None): cost(everybody) - cost(everybody - {n}) for n in users}
            return {**own, (None, "shared_idle"): idle - sum(own.values())}
        if self.rule == "equal":
            return {(n, None): idle / len(users) for n in users}
        return {(n, None): v for n, v in shapley(sorted(users), cost).items()}

    def _standby(self, node: str, idle: float, out: dict[Any, float], *, volume: bool) -> None:
        always = self._demand(node, (-math.inf, math.inf), volume=volume)
        if not always and not volume:
            always = self._caused_in_any_cell(node)
        if self.idle != "spread" or not always:
            out[None, "standby"] += idle
            return
        for name, use in always.items():
            out[name, None] += idle * use / sum(always.values())

    def _caused_in_any_cell(self, node: str) -> dict[str, float]:
        out: dict[str, float] = defaultdict(float)
        for r in self.tables.get("energy", ()):
            if r["node"] == node and _hot(r) and r.get("service"):
                out[r["service"]] += r["energy_j"] * self._share(r, (-math.inf, math.inf))
        return {k: v for k, v in out.items() if v > 0}

    def _demand(self, node: str, cell: Span, *, volume: bool) -> dict[str, float]:
        use: dict[str, float] = defaultdict(float)
        for r in self.tables.get("work", ()):
            if r["node"] != node:
                continue
            if volume:
                counts = r["kind"] in {"bit_ul", "bit_dl", "bit_carried"}
                amount = r["amount"] if counts else 0.0
            else:
                amount = (r.get("demand") or 0.0) * self._phase_weight(r)
            use[r["service"]] += amount * self._share(r, cell)
        return {k: v for k, v in use.items() if v > 0}

    def _phase_weight(self, row: Row) -> float:
        fits = [
            (sum(w.get(f) is not None for f in ("kind", "node", "model")), -n, w["weight"])
            for n, w in enumerate(self.phase_weights)
            if all(w.get(f) in (None, row.get(f)) for f in ("kind", "node", "model"))
        ]
        return max(fits)[2] if fits else 1.0

    # Rules 2 to 7: work and its worth.

    def _linear(self, name: str) -> bool:
        return bool(self.services[name]["profile"]["curve"]["family"] == "linear")

    def _rows_of(self, name: str) -> list[Row]:
        rows = self.tables.get("work", ())
        return [r for r in rows if r["node"] in self.inside and r["service"] == name]

    def _work(self, cell: Span, window: float, found: Answer) -> None:
        for name, body in self.services.items():
            for r in self._rows_of(name):
                part = self._share(r, cell)
                bits, offered_bits = self.bits(r)
                on_time, offered = self.effective(r)
                found.bits_bit[window, name] += bits * part
                if body["kind"] == "data":
                    found.utility_beq[window, name] += self._w(name) * bits * part
                    found.offered_beq[window, name] += self._w(name) * offered_bits * part
                if body["kind"] == "ai" and self._linear(name):
                    alpha = body["profile"]["curve"]["alpha_bit_per_tok"]
                    found.utility_beq[window, name] += self._w(name) * alpha * on_time * part
                    found.offered_beq[window, name] += self._w(name) * alpha * offered * part

    def bits(self, row: Row) -> tuple[float, float]:
        """Bits on time and bits offered of one row."""
        keep = self.services[row["service"]]["profile"]["late_frac"]
        kind, n = row["kind"], row["amount"]
        if kind in {"bit_ul", "bit_dl"}:
            return n, n
        return {"bit_late": ((keep - 1.0) * n, 0.0), "bit_lost": (0.0, n)}.get(kind, (0.0, 0.0))

    def effective(self, row: Row) -> tuple[float, float]:
        """Effective tokens of one row on time, and offered."""
        body = self.services[row["service"]]
        profile, model, n = body["profile"], row.get("model"), row["amount"]
        scale = body["quality"].get(model, 1.0) * body["tokenizer"].get(model, 1.0) * n
        k_in, k_out, keep = profile["k_in"], profile["k_out"], profile["late_frac"]
        on_time, offered = {
            "token_in": (k_in, k_in),
            "token_in_cached": (k_in, k_in),
            "token_out": (k_out, k_out),
            "token_reasoning": (profile["k_reasoning"], profile["k_reasoning"]),
            "token_late": (-k_out * (1.0 - keep), 0.0),
            "token_in_late": (-k_in * (1.0 - keep), 0.0),
            "token_lost": (0.0, k_out),
            "token_in_lost": (0.0, k_in),
        }.get(row["kind"], (0.0, 0.0))
        return on_time * scale, offered * scale

    def _curved(self, name: str, windows: Sequence[Span], found: Answer) -> None:
        profile = self.services[name]["profile"]
        step, unit = profile["interval_s"], profile["unit"]
        rows, sessions = self._rows_of(name), unit in {"session", "user"}
        lost = self._lost_per_delivered(rows) if sessions else 0.0
        for k in sorted({k for r in rows for k in _intervals(r, step)}):
            interval = (k * step, (k + 1) * step)
            span = overlap(interval, self.cover)
            if not span:
                continue
            for part, sums in ((0, found.utility_beq), (1, found.offered_beq)):
                taken = [r for r in rows if part == 0 or not (sessions and "_lost" in r["kind"])]
                groups = [taken] if unit == "service" else _by_node(taken)
                worth = sum(self._unit_worth(g, interval, span, profile, part) for g in groups)
                worth *= 1.0 + lost * part
                for window in windows:
                    cut = (max(window[0], interval[0]), min(window[1], interval[1]))
                    if cut[0] < cut[1]:
                        share = overlap(cut, self.cover) / span
                        sums[window[0], name] += self._w(name) * worth * share

    def _lost_per_delivered(self, rows: Sequence[Row]) -> float:
        """Sessions that were lost are worth what the others are."""
        always = (-math.inf, math.inf)
        lost = delivered = 0.0
        for r in rows:
            offered = self.effective(r)[1] * self._share(r, always)
            if "_lost" in r["kind"]:
                lost += offered
            else:
                delivered += offered
        return lost / delivered if delivered else 0.0

    def _unit_worth(
        self, rows: Sequence[Row], interval: Span, span: float, profile: Row, part: int
    ) -> float:
        tokens = sum(self.effective(r)[part] * self._share(r, interval) for r in rows)
        n = 1.0
        if profile["unit"] in {"session", "user"}:
            length = [(r, r["t1_s"] - r["t0_s"]) for r in rows if r["kind"] == "token_out"]
            n = sum(r["sessions"] * s * self._share(r, interval) for r, s in length) / span
        if tokens <= 0 or n <= 0:
            return 0.0
        return n * utility(tokens / (n * span), profile["curve"]) * span


def utility(rate: float, curve: Row) -> float:
    """U(T) of the families that the random ledgers use."""
    alpha, t0, order = curve["alpha_bit_per_tok"], curve.get("t0_tps"), curve.get("order")
    x = rate / t0
    match curve["family"]:
        case "log":
            return alpha * t0 * math.log(1.0 + x)
        case "saturating":
            return alpha * t0 * (1.0 - math.exp(-x))
        case "power":
            return alpha * t0 * x**order
        case "alpha_fair":
            return alpha * t0 * ((1.0 + x) ** (1.0 - order) - 1.0) / (1.0 - order)
        case "sigmoid":
            s = lambda z: 1.0 / (1.0 + math.exp(-z))  # noqa: E731
            return alpha * t0 * (s(order * (x - 1.0)) - s(-order)) / (1.0 - s(-order))
    raise ValueError(curve["family"])


def shapley(players: Sequence[str], cost: Callable[[frozenset[str]], float]) -> dict[str, float]:
    """Shapley value over all coalitions: mean marginal cost over all orders."""
    n = len(players)
    value = dict.fromkeys(players, 0.0)
    for player in players:
        others = [p for p in players if p != player]
        for size in range(n):
            weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
            for group in itertools.combinations(others, size):
                without = frozenset(group)
                value[player] += weight * (cost(without | {player}) - cost(without))
    return value


def _it(row: Row) -> bool:
    return row["component"] not in OVERHEAD


def _hot(row: Row) -> bool:
    return _it(row) and row["state"] in DYNAMIC


def _intervals(row: Row, step: float) -> range:
    return range(math.floor(row["t0_s"] / step), math.ceil(row["t1_s"] / step))


def _by_node(rows: Sequence[Row]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for r in rows:
        groups[r["node"]].append(r)
    return list(groups.values())
