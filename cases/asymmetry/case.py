"""How few bits of AI take how much of a cell's energy, over load and attribution rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from charts import Scale, bars, lines
from study import Bench, Design, Found, figures_of, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Figure, Query
from tree6g.metric.robustness import line
from tree6g.report import numerals
from tree6g.report.canvas import Drawing

CELL: Final = "hybrid-cell"
RATE: Final = "population.ai_requests_per_user_hour"
BASE: Final = ("duration=30 min", "step=10 s")
LOADS: Final = (0.2, 1, 5, 20, 60)  # AI requests per user and hour, both services together
BUSY: Final = 5  # load at which designs are compared
RULES: Final = {
    "proportional": Query(rule="proportional"),
    "proportional, standby spread": Query(rule="proportional", idle="spread"),
    "shapley": Query(rule="shapley"),
    "marginal": Query(rule="marginal"),
    "data volume": Query(rule="data_volume"),
}
AI: Final = ("assistant", "video-analysis")
KEYS: Final = ("bit_share_frac", "energy_share_frac", "utility_share_frac")
SMALL: Final = (
    "sites.mast.servers.llm.accelerator=l4",
    "sites.mast.servers.llm.host_power=60 W",
)
TWO: Final = (*SMALL, "sites.mast.servers.llm.count=2")
BURSTS: Final = (
    "sites.mast.base_station.sleep=deep",
    "sites.mast.base_station.ssb_period=160 ms",
    "sites.mast.base_station.rach_period=160 ms",
)
DESIGNS: Final = {
    "as it is": (),
    "two small cards": TWO,
    "rarer bursts": BURSTS,
    "cards and bursts": (*TWO, *BURSTS),
}
# A service needs a host in the scenario: phones, which policy edge-only never asks.
WITHOUT: Final = (
    "sites.mast.servers=[]",
    "policy=edge-only",
    "devices={accelerator: snapdragon-8-gen3, model: llama-3.2-1b}",
)
OFF: Final = "without AI"
FEW_BITS, MUCH_ENERGY = 0.05, 1 / 3  # "a few percent of the bits, a third of the energy"


def run(bench: Bench) -> Found:
    """Shares of both AI services together by load and rule, and designs of the cell at one load."""
    loads = (BUSY,) if bench.quick else LOADS
    over = {_key(load): _design(load) for load in loads}
    designs = {name: _design(BUSY, extra) for name, extra in list(DESIGNS.items())[1:]}
    other = {"one small card": _design(BUSY, SMALL), OFF: _design(BUSY, WITHOUT)}
    ledgers = bench.ledgers(over | designs | other, quick=["duration=1 min", "drain=30 s"])
    rows = [
        {"load": load, "rule": rule, **_shares(tree6g.figure(ledgers[_key(load)], query))}
        for load in loads
        for rule, query in RULES.items()
    ]
    busy = {"as it is": ledgers[_key(BUSY)], **{name: ledgers[name] for name in designs}}
    by_load = [_load(load, ledgers[_key(load)]) for load in loads]
    return {
        "rows": rows,
        "loads": by_load,
        "holds": _holds(rows),
        "busy_load": BUSY,
        "range_at_busy": _range(rows, BUSY),
        "verdict": verdict(busy),
        "power": _powers(busy | {name: ledgers[name] for name in other}),
        "without": _without(tree6g.figure(busy["as it is"]), tree6g.figure(ledgers[OFF])),
        "falls": _falls(by_load),
    }


def _key(load: float) -> str:
    return f"{load:g} per hour"


def _design(load: float, extra: Sequence[str] = ()) -> Design:
    return Design(CELL, (*BASE, f"{RATE}={load}", *extra))


def _shares(f: Figure) -> Found:
    """Shares of all AI services together."""
    flat = figures_of(f)
    return {key: sum(flat[name][key] or 0.0 for name in AI) for key in KEYS}


def _load(load: float, ledger: Ledger) -> Found:
    """The figures at one load by the rule of the scenario."""
    f = tree6g.figure(ledger)
    own = _shares(f)
    return {
        "load": load,
        **own,
        "ee_bit_per_j": f.ee_bit_per_j,
        "tree_beq_per_j": f.tree_beq_per_j,
        "power_w": f.energy_j / f.covered_s,
        "j_per_tok": f.service("assistant").j_per_tok,
        "standby_frac": sum(f.unattributed_j.values()) / f.energy_j,
        "fair_bit_per_tok": _fair(f, own),
    }


def _fair(f: Figure, own: Mapping[str, float]) -> float | None:
    """Worth of a token of both services at which AI's share of the worth is that of the energy.

    With x the worth of AI in tokens and C that of the data: alpha x / (alpha x + C) = share.
    """
    share = own["energy_share_frac"]
    tokens = sum(f.service(name).worth_tok or 0.0 for name in AI)
    data = sum(s.utility_beq or 0.0 for s in f.services if s.name not in AI)
    return share * data / ((1.0 - share) * tokens) if tokens and share < 1.0 else None


def _holds(rows: Sequence[Found]) -> list[Found]:
    """By each rule, the loads at which the claim holds, in words."""
    found = []
    for rule in RULES:
        at = [
            f"{row['load']:g}"
            for row in rows
            if row["rule"] == rule
            and row["bit_share_frac"] <= FEW_BITS
            and row["energy_share_frac"] >= MUCH_ENERGY
        ]
        found.append({"rule": rule, "at": numerals.listing(at) if at else "none"})
    return found


def _range(rows: Sequence[Found], load: float) -> Found:
    own = [row for row in rows if row["load"] == load]
    least = min(own, key=lambda row: float(row["energy_share_frac"]))
    most = max(own, key=lambda row: float(row["energy_share_frac"]))
    return {
        "least_frac": least["energy_share_frac"],
        "least_rule": least["rule"],
        "most_frac": most["energy_share_frac"],
        "most_rule": most["rule"],
        "bit_share_frac": own[0]["bit_share_frac"],
        "utility_share_frac": own[0]["utility_share_frac"],
    }


def _powers(ledgers: Mapping[str, Ledger]) -> list[Found]:
    rows = []
    for name, ledger in ledgers.items():
        f = tree6g.figure(ledger)
        rows.append(
            {
                "design": name,
                "power_w": f.energy_j / f.covered_s,
                "ee_bit_per_j": f.ee_bit_per_j,
                "tree_beq_per_j": f.tree_beq_per_j,
                "served_frac": f.service("assistant").served_share_frac,
                **_shares(f),
            }
        )
    return rows


def _without(own: Figure, bare: Figure) -> Found:
    """The cell with AI against the same cell whose AI requests are refused."""
    data = own.utility_beq or 0.0
    tokens = sum(line(own, name)[1] for name in AI)  # per joule
    rest = data / own.energy_j - sum(own.utility_of(name) for name in AI) / own.energy_j
    gap = (bare.tree_beq_per_j or 0.0) - rest
    return {
        "ee_bit_per_j": bare.ee_bit_per_j,
        "tree_beq_per_j": bare.tree_beq_per_j,
        "power_w": bare.energy_j / bare.covered_s,
        "ee_gain_frac": (bare.ee_bit_per_j or 0.0) / (own.ee_bit_per_j or 1.0) - 1.0,
        "even_bit_per_tok": gap / tokens if tokens and gap > 0 else None,
    }


def _falls(loads: Sequence[Found]) -> Found:
    """Joules of a token of the assistant at the smallest and the largest load."""
    first, last = loads[0], loads[-1]
    return {"least_load": first["load"], "j": first["j_per_tok"], "most_load": last["load"],
            "at_most_j": last["j_per_tok"]}  # fmt: skip


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Shares over load, and the energy share by rule."""
    series = {
        label: [row[key] for row in found["loads"]]
        for key, label in zip(KEYS, ("of the bits", "of the energy", "of the worth"), strict=True)
    }
    at = [row["load"] for row in found["loads"]]
    return [
        lines(
            "shares", "Share of AI in bits, energy and worth",
            "The share of AI in bits, energy and worth over the load.", stamp,
            x=Scale(key="load_per_user_hour", label="AI requests per user and hour", log=True),
            at=at, y=Scale(key="share_frac", label="share of AI", unit="frac", log=True),
            series=series,
        ),
        bars(
            "rules", "Share of AI in the energy by attribution rule",
            "The energy share of AI by rule and load.", stamp,
            groups=[_key(load) for load in at],
            y=Scale(key="energy_share_frac", label="share of AI in energy", unit="frac", zero=True),
            series={
                rule: [r["energy_share_frac"] for r in found["rows"] if r["rule"] == rule]
                for rule in RULES
            },
        ),
    ]  # fmt: skip
