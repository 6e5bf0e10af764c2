"""How few bits of AI take how much of a cell's energy, over load and attribution rule."""

from __future__ import annotations

from collections.abc import Sequence

from charts import Scale, bars, lines
from study import Bench, Design, Found, figures_of

import tree6g
from tree6g.metric.figure import Query
from tree6g.report.canvas import Drawing

LOADS = (1, 5, 20, 60)  # AI requests per user and hour, both services together
RULES = ("proportional", "shapley", "marginal", "data_volume")
AI = ("assistant", "video-analysis")
KEYS = ("bit_share_frac", "energy_share_frac", "utility_share_frac")


def run(bench: Bench) -> Found:
    """Four loads of `hybrid-cell`; shares of both AI services together, by attribution rule."""
    designs = {
        str(load): Design("hybrid-cell", (f"population.ai_requests_per_user_hour={load}",))
        for load in LOADS
    }
    ledgers = bench.ledgers(designs, quick=["duration=2 min", "drain=1 min"])
    rows = []
    for load, ledger in ledgers.items():
        for rule in RULES:
            flat = figures_of(tree6g.figure(ledger, Query(rule=rule)))
            rows.append({"load": int(load), "rule": rule, **_together(flat)})
    return {"rows": rows}


def _together(flat: Found) -> Found:
    return {key: sum(flat[name][key] or 0.0 for name in AI) for key in KEYS}


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Shares over load, and the energy share by rule."""
    own = [row for row in found["rows"] if row["rule"] == "proportional"]
    series = {
        label: [row[key] for row in own]
        for key, label in zip(KEYS, ("of the bits", "of the energy", "of the worth"), strict=True)
    }
    return [
        lines(
            "shares", "Share of AI in bits, energy and worth",
            "The share of AI in bits, energy and worth over the load.", stamp,
            x=Scale(key="load_per_user_hour", label="AI requests per user and hour", log=True),
            at=LOADS, y=Scale(key="share_frac", label="share of AI", unit="frac", log=True),
            series=series,
        ),
        bars(
            "rules", "Share of AI in the energy by attribution rule",
            "The energy share of AI by rule and load.", stamp,
            groups=[f"{load} per hour" for load in LOADS],
            y=Scale(key="energy_share_frac", label="share of AI in energy", unit="frac", zero=True),
            series={
                rule: [r["energy_share_frac"] for r in found["rows"] if r["rule"] == rule]
                for rule in RULES
            },
        ),
    ]  # fmt: skip
