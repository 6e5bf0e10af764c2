"""Small ledgers for tests, written with the package's own writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import Profile, data_profile, service_meta
from tree6g.metric.utility import Curve

Rows = Sequence[Mapping[str, Any]]
ENERGY = {
    "t0_s": 0.0, "t1_s": 1.0, "node": "n", "tier": "edge", "component": "gpu", "state": "active",
    "service": None, "origin": "modelled", "source": "model", "u95_frac": None,
}  # fmt: skip
WORK = {
    "t0_s": 0.0, "t1_s": 1.0, "node": "n", "tier": "edge", "model": None, "sessions": None,
    "demand": None, "demand_unit": "s", "origin": "modelled", "source": "model", "u95_frac": None,
}  # fmt: skip


def ai(
    *, alpha: float = 1e4, unit: str = "service", interval_s: float = 1.0, k_in: float = 0.2,
    weight: float = 1.0, curve: Mapping[str, Any] | None = None, **extra: Any,
) -> dict[str, Any]:  # fmt: skip
    """Header entry of an AI service."""
    shape = Curve(alpha_bit_per_tok=alpha, **(curve or {}))
    profile = Profile(id="test", curve=shape, unit=unit, interval_s=interval_s, k_in=k_in)
    return service_meta("ai", profile, weight=weight, **extra)


def data(*, weight: float = 1.0, **extra: Any) -> dict[str, Any]:
    """Header entry of a data service."""
    return service_meta("data", data_profile(), weight=weight, **extra)


def ledger(
    path: Path,
    *,
    services: Mapping[str, Mapping[str, Any]],
    energy: Rows = (),
    work: Rows = (),
    request: Rows = (),
    entity: Rows | None = None,
    coverage: Rows | None = None,
    grid_s: float = 1.0,
    **meta: Any,
) -> Ledger:
    """Write and open a ledger; entities and full coverage are filled in unless they are given."""
    rows = {
        "energy": [{**ENERGY, **r} for r in energy],
        "work": [{**WORK, **r} for r in work],
        "request": list(request),
    }
    nodes = {r["node"]: r["tier"] for table in ("energy", "work") for r in rows[table]}
    if entity is None:
        entity = [
            {"node": n, "tier": t, "site": n, "boundaries": "network operator full"
             + (" ran" if t == "ran" else "")} for n, t in nodes.items()
        ]  # fmt: skip
    if coverage is None:
        both = rows["energy"] + rows["work"]
        coverage = [
            {"t0_s": min(r["t0_s"] for r in both), "t1_s": max(r["t1_s"] for r in both),
             "source": s, "quantity": q, "status": "ok", "node": None, "reason": None}
            for s in sorted({r["source"] for r in both}) for q in ("energy", "work")
        ]  # fmt: skip
    rows |= {"entity": list(entity), "coverage": list(coverage)}
    rows["service"] = [{"service": s, "kind": b["kind"], "slice": b["slice"]}
                       for s, b in services.items()]  # fmt: skip
    header = Meta(services=services, attribution_interval_s=grid_s, **meta)
    with LedgerWriter(path, header) as writer:
        for table, body in rows.items():
            if body:
                writer.append(table, {c: [r.get(c) for r in body] for c in body[0]})
    return open_ledger(path)
