"""When and where a token of a city costs most, and whom a policy should ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from charts import Scale, bars, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.delay import delay_of, delays_of
from tree6g.metric.tree import series
from tree6g.report import numerals
from tree6g.report.canvas import Drawing

HOUR_S: Final = 3600.0
AI: Final = ("assistant", "agents")
NIGHT: Final = (2, 5)  # hours, from and to
EVENING: Final = (17, 20)
SMALL: Final = (
    "layout.sites=7",
    "layout.servers_at=[1, 4]",
    "population.users=60",
    "clouds.region.servers=[{name: h100, accelerator: h100-sxm, model: llama-3.1-8b}]",
    "links.0.idle_power=70 W",
    *(f"services.{name}.sources=60" for name in ("streaming", "files", "uploads", "messages")),
    "services.meters.sources=100",
)
POLICIES: Final = {
    "nearest": ("policy=nearest",),
    "least loaded": ("policy=least-loaded",),
    "fewest joules": ("policy=energy-greedy",),
    "worth per joule": ("policy=tree-greedy",),
    "no cards at sites": ("policy=cloud-only", "sites.mast.servers=[]", "layout.servers_at=[]"),
}
QUICK: Final = (
    "layout.sites=7",
    "duration=2 min",
    "drain=1 min",
    "ledger_interval=1 min",
    "population.users=5",
    "interference=margin",
)
Row = dict[str, Any]


def run(bench: Bench) -> Found:
    """The city for a day, and a smaller one under five policies."""
    city = {"city": Design("city-day")}
    asked = list(POLICIES.items())[:2] if bench.quick else POLICIES.items()
    small = {name: Design("city-day", (*SMALL, *extra)) for name, extra in asked}
    ledgers = bench.ledgers(city | small, quick=QUICK)
    whole = ledgers["city"]
    compared = {name: ledgers[name] for name in small}
    policies = [_policy(name, ledger) for name, ledger in compared.items()]
    return {
        **_city(whole),
        "verdict": verdict(compared),
        "policies": policies,
        "moves": _moves(policies),
    }


def _city(ledger: Ledger) -> Found:
    """Hours and places of the whole city."""
    hours = _hours(ledger)
    return {
        "hours": hours,
        "some_hours": [row for row in hours if row["hour"] % 3 == 0],
        "dearest": max(hours, key=_cost),
        "cheapest": min(hours, key=_cost),
        "times": max(map(_cost, hours)) / min(map(_cost, hours)),
        "hosts": _hosts(ledger),
        "waiting": _waiting(ledger),
        "cells": _cells(ledger),
        "whole": (whole := _whole(ledger)),
        "claim": _claim(whole),
    }


def _cost(row: Row) -> float:
    return float(row["j_per_tok"] or 0.0)


def _per(over: float, under: float) -> float | None:
    return over / under if under else None


def _sum(rows: Iterable[Row], field: str) -> float:
    return float(sum(row[field] or 0.0 for row in rows))


def _hours(ledger: Ledger) -> list[Row]:
    """What a token costs in each hour, by where it is made; hours without a token are left out."""
    rows = series(ledger, by=("tier", "service", "window"), window_s=HOUR_S).to_pylist()
    found = []
    for hour in sorted({int(row["t0_s"] // HOUR_S) for row in rows} & set(range(24))):
        now = [row for row in rows if int(row["t0_s"] // HOUR_S) == hour]
        ai = [row for row in now if row["service"] in AI]
        tokens = _sum(ai, "tokens_out_tok")
        if not tokens:
            continue
        way = [row for row in ai if row["tier"] not in {"edge", "cloud"}]
        ran = [row for row in now if row["tier"] == "ran"]
        found.append(
            {
                "hour": hour,
                "tps": tokens / HOUR_S,
                "j_per_tok": _sum(ai, "energy_j") / tokens,
                "edge_j_per_tok": _made(ai, "edge"),
                "cloud_j_per_tok": _made(ai, "cloud"),
                "way_j_per_tok": _sum(way, "energy_j") / tokens,
                "tree_beq_per_j": _per(_sum(now, "utility_beq"), _sum(now, "energy_j")),
                "ee_bit_per_j": _per(_sum(now, "bits_bit"), _sum(now, "energy_j")),
                "ai_energy_frac": _per(_sum(ai, "energy_j"), _sum(now, "energy_j")),
                "ran_j_per_byte": _per(_sum(ran, "energy_j"), _sum(now, "bits_bit") / 8.0),
            }
        )
    return found


def _made(rows: Sequence[Row], tier: str) -> float | None:
    """Joules of the hosts of a tier per token that they made."""
    own = [row for row in rows if row["tier"] == tier]
    return _per(_sum(own, "energy_j"), _sum(own, "tokens_out_tok"))


def _hosts(ledger: Ledger) -> list[Row]:
    """Joules per token of each server over the day, at night and in the evening."""
    rows = series(ledger, by=("node", "service", "window"), window_s=HOUR_S).to_pylist()
    makers = sorted({row["node"] for row in rows if row["tokens_out_tok"]})

    def cost(own: Sequence[Row], hours: range) -> float | None:
        held = [row for row in own if int(row["t0_s"] // HOUR_S) in hours]
        return _per(_sum(held, "energy_j"), _sum(held, "tokens_out_tok"))

    found = []
    for node in makers:
        own = [row for row in rows if row["node"] == node]  # standby of unused time as well
        found.append(
            {
                "host": node,
                "tps": _sum(own, "tokens_out_tok") / (24 * HOUR_S),
                "j_per_tok": cost(own, range(24)),
                "night_j_per_tok": cost(own, range(*NIGHT)),
                "evening_j_per_tok": cost(own, range(*EVENING)),
            }
        )
    return found


def _waiting(ledger: Ledger) -> str:
    """Hosts that answered nothing all day and what they drew, in words."""
    f = tree6g.figure(ledger)
    words = [
        f"{row['node']} answered nothing all day and drew "
        f"{numerals.quantity(row['energy_j'] / f.covered_s, 'w')} for it (in TREE, but in no "
        "token's cost)"
        for row in series(ledger, by=("node", "tier")).to_pylist()
        if row["tier"] in {"edge", "cloud"} and not row["tokens_out_tok"]
    ]
    return numerals.listing(words) if words else "every host answered something"


def _cells(ledger: Ledger) -> Found:
    """Joules per delivered byte of the cheapest and the dearest cell over the day."""
    rows = series(ledger, by=("node", "tier")).to_pylist()
    costs = {
        row["node"]: row["energy_j"] / (row["bits_bit"] / 8.0)
        for row in rows
        if row["tier"] == "ran" and row["bits_bit"]
    }
    low, high = min(costs, key=lambda n: costs[n]), max(costs, key=lambda n: costs[n])
    return {
        "count": len(costs),
        "cheapest": low,
        "cheapest_kwh_per_gb": costs[low] * 1e9 / 3.6e6,
        "dearest": high,
        "dearest_kwh_per_gb": costs[high] * 1e9 / 3.6e6,
    }


def _whole(ledger: Ledger) -> Found:
    f = tree6g.figure(ledger)
    own = [f.service(name) for name in AI]
    energy = sum(s.energy_j for s in own)
    return {
        "requests": sum(s.requests for s in own),
        "power_w": f.energy_j / f.covered_s,
        "tree_beq_per_j": f.tree_beq_per_j,
        "ee_bit_per_j": f.ee_bit_per_j,
        "j_per_tok": _per(energy, sum(s.tokens_out_tok for s in own)),
        "bit_share_frac": sum(s.bit_share_frac or 0.0 for s in own),
        "energy_share_frac": sum(s.energy_share_frac or 0.0 for s in own),
        "ran_kwh_per_gb": f.energy_ran_j / (f.bits_bit / 8.0) * 1e9 / 3.6e6,
    }


def _claim(whole: Found) -> str:
    """Whether AI takes a third of the energy or more for a few percent of the bits, in words."""
    few, much = whole["bit_share_frac"] <= 0.05, whole["energy_share_frac"] >= 1 / 3
    times = numerals.rough(whole["energy_share_frac"] / whole["bit_share_frac"], 2)
    verb = "holds" if few and much else "does not hold"
    return f"{verb} (AI's share of the energy is {times} times that of the bits)"


def _policy(name: str, ledger: Ledger) -> Row:
    f = tree6g.figure(ledger)
    own = [f.service(each) for each in AI]
    hosts = series(ledger, by=("tier",)).to_pylist()
    tokens = sum(s.tokens_out_tok for s in own)
    made = [row for row in hosts if row["tier"] in {"edge", "cloud"}]
    ttft = delay_of(delays_of(ledger, (f.t0_s, f.t1_s)), AI[0], "ttft")
    return {
        "design": name,
        "power_w": f.energy_j / f.covered_s,
        "host_j_per_tok": _per(_sum(made, "energy_j"), tokens),
        "edge_frac": _per(_sum([r for r in made if r["tier"] == "edge"], "tokens_out_tok"), tokens),
        "tree_beq_per_j": f.tree_beq_per_j,
        "ee_bit_per_j": f.ee_bit_per_j,
        "served_frac": own[0].served_share_frac,
        "ttft_s": ttft.mean_s,
    }


def _moves(policies: Sequence[Row]) -> Row:
    """How far policies move the power of the city, and what the last design does to it."""
    powers = [float(row["power_w"]) for row in policies]
    asked, last = powers[:-1], powers[-1]
    return {
        "policies_frac": max(asked) / min(asked) - 1.0,
        "last": policies[-1]["design"],
        "last_change": f"{100 * (last / powers[0] - 1.0):+.1f} %",
        "first": policies[0]["design"],
    }


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Joules of a token over the hours, and by host at night and in the evening."""
    hours = found["hours"]
    fields = {
        "made by a card at a site": "edge_j_per_tok",
        "made in the region": "cloud_j_per_tok",
        "radio and transport of a token": "way_j_per_tok",
    }
    return [
        lines(
            "hours", "Joules of a token over the hours of the day",
            "Joules per token by hour, at the cards, in the region and on the way.", stamp,
            x=Scale(key="hour", label="hour of the day"),
            at=[row["hour"] for row in hours],
            y=Scale(key="j_per_tok", label="joules per token", log=True),
            series={words: [row[f] for row in hours] for words, f in fields.items()},
        ),
        bars(
            "hosts", "Joules of a token by host",
            "Joules per token of each host, at night and in the evening.", stamp,
            groups=[row["host"].replace(".", " ") for row in found["hosts"]],
            y=Scale(key="j_per_tok", label="joules per token made there", zero=True),
            series={
                f"{NIGHT[0]} to {NIGHT[1]} h": [r["night_j_per_tok"] for r in found["hosts"]],
                f"{EVENING[0]} to {EVENING[1]} h": [r["evening_j_per_tok"] for r in found["hosts"]],
            },
        ),
    ]  # fmt: skip
