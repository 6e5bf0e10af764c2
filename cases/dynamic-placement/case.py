"""Services placed anew over the day and models cut anew, against plans that stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import seeds
from charts import Scale, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Query
from tree6g.optimise.placing.begin import Start, begin
from tree6g.optimise.placing.replan import Replan
from tree6g.report.canvas import Drawing
from tree6g.sweep.intervals import estimate

FILE: Final = str(Path(__file__).with_name("city.yaml"))
SEEDS: Final = (2, 3, 4)
YESTERDAY: Final = 1  # seed of the day from which the hours of the load are known
SPARE_FRAC: Final = 0.25  # capacity above the expected load
CUT: Final = 16  # half of the layers, where the cut stays
SLACK_FRAC: Final = 0.005  # of the served share, within which two plans serve equally
HOUR_S: Final = 3600.0
HOST_W: Final = 80.0  # of each server of the scenario
WHOLE: Final = ("devices=null", "services.agents.split=null")
STAYS: Final = (*WHOLE, "policy=least-loaded")
ON: Final = (1, 2, 3)  # servers of the room that are on all day


def _on(count: int) -> str:
    """The room with so many servers."""
    each = "accelerator: l4, model: llama-3.1-8b, weights: fp8, max_batch: 16, host_power: 80 W"
    servers = ", ".join(f"{{name: l4-{n + 1}, {each}}}" for n in range(count))
    return f"clouds.room.servers=[{servers}]"


STATIC: Final = {f"{count} on": (_on(count),) for count in ON}
ANEW, SWITCHED, KEPT = "anew", "switching only", "cut kept"
ADAPTIVE: Final = {  # overrides of the policy's runs
    ANEW: (),
    SWITCHED: WHOLE,
    KEPT: (f"services.agents.split.cut={CUT}",),
}
PRIVATE: Final = (
    "duration=2 h", "devices.capable=100 %", "devices.model=llama-3.2-3b",
    "services.agents.token_class=agent", "services.agents.mean_prompt=600 tok",
    "services.agents.day_curve=[]", "population.ai_requests_per_user_hour=3",
    _on(1).replace("llama-3.1-8b", "llama-3.2-3b"),
    *(f"sites.{name}.day_curve=[]" for name in ("offices", "homes", "old-town")),
)  # fmt: skip
CUTS: Final = {"2 of 29": 2, "14 of 29": 14, "27 of 29": 27, "all": 29, "anew": "dynamic"}
QUICK: Final = ("duration=2 min", "drain=1 min", "ledger_interval=1 min", "server_period=1 min")


def run(bench: Bench) -> Found:
    """The curve of plans that stay, the policy with its parts, and a private service by cut."""
    quick = QUICK if bench.quick else ()
    names = list(STATIC)[-1:] if bench.quick else list(STATIC)
    days = SEEDS[:1] if bench.quick else SEEDS
    designs = {name: Design(FILE, (*STAYS, *STATIC[name])) for name in names}
    stay = seeds.ledgers(bench.within("stays"), designs, SEEDS, quick=QUICK)
    anew = _adaptive(bench, days, quick)
    rows = [_row(name, [one[name] for one in stay]) for name in names]
    ours = [_row(name, ledgers) for name, ledgers in anew.items()]
    best = _best(rows, ours[0])
    pair = {"stays": stay[0][best["design"]], ANEW: anew[ANEW][0]}
    gains = [
        _gain(name, ledgers, [one[best["design"]] for one in stay])
        for name, ledgers in anew.items()
    ]
    parts = {row["design"]: row["gain_frac"] for row in gains}
    return {
        "rows": [*rows, *ours],
        "best": best,
        "own": ours[0],
        "gains": gains,
        "gain": gains[0],
        "switching_frac": parts.get(SWITCHED),
        "sharing_frac": parts[ANEW] - parts[SWITCHED] if SWITCHED in parts else None,
        "fewest": rows[0],
        "kept_frac": parts.get(KEPT),
        "less_frac": best["served_frac"] - ours[0]["served_frac"],
        "mixed": _mixed(rows, best, ours[0]),
        "hours": _hours(pair),
        "private": _private(bench),
        "verdict": verdict(pair),
        "seeds": len(days),
        "spare_frac": SPARE_FRAC,
    }


def _adaptive(bench: Bench, days: Sequence[int], quick: Sequence[str]) -> dict[str, list[Ledger]]:
    """Ledgers of the policy and of its parts, by seed; a kept cut is asked of two days alone."""
    start = _start(bench.folder / ANEW, quick)
    found = {ANEW: _replanned(bench, ANEW, start, days, quick)}
    if not bench.quick:
        alone = _start(bench.folder / SWITCHED, (*WHOLE, *quick))
        found[SWITCHED] = _replanned(bench, SWITCHED, alone, days, quick)
        found[KEPT] = _replanned(bench, KEPT, start, days[:2], quick)
    return found


def _start(folder: Path, change: Sequence[str]) -> Start:
    """The day before with all servers on: from it the load of the hours is known."""
    return begin(tree6g.run(FILE, overrides=list(change), seed=YESTERDAY, out=folder / "yesterday"))


def _replanned(
    bench: Bench, name: str, start: Start, days: Sequence[int], quick: Sequence[str]
) -> list[Ledger]:
    found = []
    for seed in days:
        done = tree6g.run(
            FILE, overrides=[*ADAPTIVE[name], *quick], seed=seed,
            policy=Replan(start, spare_frac=SPARE_FRAC), out=bench.folder / name / str(seed),
        )  # fmt: skip
        found.append(done.ledger)
        bench.tell(f"  {name}, seed {seed}")
    return found


def _row(name: str, ledgers: Sequence[Ledger]) -> Found:
    """Means and ranges over the seeds."""
    each = [tree6g.figure(ledger) for ledger in ledgers]
    tree = seeds.spread([float(f.tree_beq_per_j or 0.0) for f in each])
    return {
        "design": name,
        "tree_beq_per_j": tree["mean"],
        "low_beq_per_j": tree["low"],
        "high_beq_per_j": tree["high"],
        "served_frac": _mean([float(f.service("agents").served_share_frac or 0.0) for f in each]),
        "energy_j": _mean([f.energy_j for f in each]),
        "servers_on": _mean([_on_h(ledger) for ledger in ledgers])
        / (each[0].t1_s - each[0].t0_s)
        * HOUR_S,
        "shared": _mean([_shared(ledger) for ledger in ledgers]),
    }


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _on_h(ledger: Ledger, t0_s: float = 0.0, t1_s: float = float("inf")) -> float:
    """Server-hours on, by what hosts drew."""
    rows = ledger.query(
        "SELECT t0_s, energy_j AS j FROM energy WHERE component = 'host'"
    ).to_pylist()
    return sum(row["j"] for row in rows if t0_s <= row["t0_s"] < t1_s) / HOST_W / HOUR_S


def _shared(ledger: Ledger) -> float:
    """Share of the answers that terminal and server made together."""
    row = ledger.query("SELECT count(cut_layer) / count(*) AS share FROM request").to_pylist()[0]
    return float(row["share"])


def _best(rows: Sequence[Found], ours: Found) -> Found:
    """Of the plans that stay and serve as much as ours the one of most TREE; else the fullest."""
    equal = [r for r in rows if r["served_frac"] >= ours["served_frac"] - SLACK_FRAC]
    if equal:
        return max(equal, key=lambda r: float(r["tree_beq_per_j"])) | {"same": True}
    return max(rows, key=lambda r: float(r["served_frac"])) | {"same": False}


def _mixed(rows: Sequence[Found], best: Found, ours: Found) -> Found:
    """The best that stays on most days and the next smaller on the others: it serves as we do.

    Means of TREE and of joules over the days stand for the totals of each plan.
    """
    served = float(ours["served_frac"])
    fewer = [row for row in rows if row["served_frac"] < served < best["served_frac"]]
    if not fewer:
        return {"beq_per_j": None, "gain_frac": None, "fewer": None}
    small = max(fewer, key=lambda r: float(r["served_frac"]))
    days = (best["served_frac"] - served) / (best["served_frac"] - small["served_frac"])
    parts = ((small, days), (best, 1.0 - days))
    energy_j = sum(share * row["energy_j"] for row, share in parts)
    worth_beq = sum(share * row["energy_j"] * row["tree_beq_per_j"] for row, share in parts)
    return {
        "beq_per_j": worth_beq / energy_j,
        "gain_frac": ours["tree_beq_per_j"] * energy_j / worth_beq - 1.0,
        "fewer": small["design"],
    }


def _gain(name: str, ours: Sequence[Ledger], stays: Sequence[Ledger]) -> Found:
    """TREE over that of the plan that stays, less 1, on the same days, with its interval."""
    gains = [
        float(tree6g.figure(a).tree_beq_per_j or 0.0)
        / float(tree6g.figure(b).tree_beq_per_j or 1.0)
        - 1.0
        for a, b in zip(ours, stays, strict=False)  # the days that both have
    ]
    found = estimate(gains)
    half = found.half_width
    return {
        "design": name,
        "gain_frac": found.mean,
        "half_frac": half,
        "low_frac": min(gains),
        "high_frac": max(gains),
        "sure": "yes" if found.excludes_zero else "no",
    }


def _hours(pair: Mapping[str, Ledger]) -> list[Found]:
    """Load, TREE and servers on, hour by hour, of the first seed."""
    end_s = float(tree6g.figure(pair[ANEW]).t1_s)
    rows = []
    for number in range(max(1, int(end_s // HOUR_S))):
        t0_s, t1_s = number * HOUR_S, min((number + 1) * HOUR_S, end_s)
        row: Found = {"hour": number + 1, "asked_per_s": _asked(pair[ANEW], t0_s, t1_s)}
        for name, ledger in pair.items():
            f = tree6g.figure(ledger, Query(t0_s=t0_s, t1_s=t1_s))
            row[f"{name}_beq_per_j"] = f.tree_beq_per_j
            row[f"{name}_on"] = _on_h(ledger, t0_s, t1_s) / (t1_s - t0_s) * HOUR_S
        rows.append(row)
    return rows


def _asked(ledger: Ledger, t0_s: float, t1_s: float) -> float:
    """Requests per second."""
    rows = ledger.query("SELECT arrival_s FROM request").to_pylist()
    return sum(t0_s <= row["arrival_s"] < t1_s for row in rows) / (t1_s - t0_s)


def _private(bench: Bench) -> Found:
    """A service whose text stays on the phone, by cut: some that stay, and one chosen anew."""
    cuts = {k: CUTS[k] for k in ("all", "anew")} if bench.quick else CUTS
    designs = {
        name: Design(
            FILE,
            (*PRIVATE, f"services.agents.split={{server: l4-1, cut: {cut}, keep_layers: 2}}"),
            seed=SEEDS[0],
        )
        for name, cut in cuts.items()
    }
    ledgers = bench.within("private").ledgers(designs, quick=QUICK)
    rows = [_row(name, [ledger]) | _by_cut(ledger) for name, ledger in ledgers.items()]
    anew = next(row for row in rows if row["design"] == "anew")
    fixed = max((r for r in rows if r is not anew), key=lambda r: float(r["served_frac"]))
    return {
        "rows": rows,
        "anew": anew,
        "fixed": fixed,
    }


def _by_cut(ledger: Ledger) -> Found:
    """How many answers stayed whole on the phone."""
    row = ledger.query(
        "SELECT avg((cut_layer >= 29)::INT) AS own, avg(cut_layer) AS cut FROM request"
    ).to_pylist()[0]
    return {"own_frac": row["own"] or 0.0, "cut": row["cut"] or 0.0}


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """TREE, and load with servers on, hour by hour; TREE over the share on time."""
    rows = found["hours"]
    at = [row["hour"] for row in rows]
    x = Scale(key="hour", label="hour of the day, each for four of a real one")
    kinds = {"placed anew": ANEW, "best that stays": "stays"}
    return [
        lines(
            "tree", "TREE over the day", "TREE by hour, placed anew and the best that stays.",
            stamp, x=x, at=at, y=Scale(key="tree_kbeq_per_j", label="TREE, kbit-eq/J", zero=True),
            series={told: [row[f"{name}_beq_per_j"] / 1e3 for row in rows]
                    for told, name in kinds.items()},
        ),
        lines(
            "servers", "Load and servers over the day",
            "Requests per ten seconds and servers that are on, by hour.", stamp,
            x=x, at=at, y=Scale(key="number", label="servers on; requests in ten seconds",
                                zero=True),
            series={
                **{f"servers, {told}": [row[f"{name}_on"] for row in rows]
                   for told, name in kinds.items()},
                "requests in ten seconds": [10.0 * row["asked_per_s"] for row in rows],
            },
        ),
    ]  # fmt: skip
