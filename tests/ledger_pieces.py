"""Small ledgers written by hand: a few rows, an AI service and an upload, covered throughout."""

from __future__ import annotations

from typing import Any

from random_ledgers import NODES, Small, entities, linear, statement
from tree6g.ledger.meta import Meta
from tree6g.metric.profile import data_profile, service_meta


def hand_made(**parts: Any) -> Small:
    """A ledger of the given rows, covered throughout."""
    services = {
        "chat": parts.get("chat") or linear(),
        "upload": service_meta("data", data_profile()),
    }
    end_s = max(r["t1_s"] for r in parts["energy"])
    coverage = [statement(0.0, end_s, "meter", "energy"), statement(0.0, end_s, "counter", "work")]
    tables = {
        "energy": parts["energy"],
        "work": parts["work"],
        "entity": entities(),
        "coverage": coverage,
    }
    meta = Meta(services=services, attribution_interval_s=1.0, producer="hand")
    return Small(meta=meta, tables=tables, end_s=end_s)


def joules(t0_s: float, t1_s: float, node: str, energy_j: float, **more: Any) -> dict[str, Any]:
    tier, _, _, part = NODES[node]
    row = {"t0_s": t0_s, "t1_s": t1_s, "node": node, "tier": tier, "component": part}
    row |= {"state": "active", "energy_j": energy_j, "origin": "measured", "source": "meter"}
    return row | more


def amount(
    t0_s: float, t1_s: float, node: str, service: str, kind: str, n: float, **more: Any
) -> dict[str, Any]:
    row = {"t0_s": t0_s, "t1_s": t1_s, "node": node, "tier": NODES[node][0], "service": service}
    row |= {"kind": kind, "amount": n, "origin": "measured", "source": "counter"}
    return row | more
