"""Schedulers of a loaded cell on a public trace, over load, against a clairvoyant bound."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import seeds
from charts import Scale, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.optimise.scenario.scheduled_work import clairvoyant
from tree6g.report.canvas import Drawing
from tree6g.scenario.load import load
from tree6g.scenario.trace import read_trace

FILE: Final = str(Path(__file__).parent / "loaded-cell.yaml")
ROOT: Final = Path(__file__).parents[2]
TRACE: Final = "traces/azure_llm_2023_conv.csv"
RULES: Final = ("first-come", "round-robin", "proportional-fair", "ee-greedy", "tree")
LOADS: Final = (0.25, 0.5, 1.0, 2.0)
SEEDS: Final = (1, 2)
PART_S: Final = 200.0  # of the trace, where loads and seeds are many
OVER_S: Final = 60.0  # of the trace under overload, one seed: queues grow all the time
PERIOD_S: Final = 20.0  # of the downloads at load 1
QUICK: Final = ("duration=4 s", "drain=4 s", "ledger_interval=4 s")


def run(bench: Bench) -> Found:
    """TREE of every scheduler over load on a part of the trace, and at load 1 on all of it."""
    part, over, whole = (None, None, None) if bench.quick else _traces(bench.folder)
    rows = []
    for load_ in LOADS[2:3] if bench.quick else LOADS:
        change = f"services.downloads.period={PERIOD_S / load_:g} s"
        trace, own = (over, SEEDS[:1]) if load_ > 1.0 else (part, SEEDS)
        designs = {rule: Design(FILE, (f"scheduling.rule={rule}", change), trace=trace)
                   for rule in RULES}  # fmt: skip
        ledgers = seeds.ledgers(bench.within(f"load-{load_:g}"), designs, own, quick=QUICK)
        rows += _rows(load_, change, trace, ledgers, quick=bench.quick)
    designs = {rule: Design(FILE, (f"scheduling.rule={rule}",), trace=whole) for rule in RULES}
    found = bench.within("whole").ledgers(designs, quick=QUICK)
    most = _bound((), whole, found["tree"], quick=bench.quick, seed=1)
    bare = [{"scheduler": rule, **_figures(one, most)} for rule, one in found.items()]
    ours = {row["scheduler"]: row for row in bare}
    others = [row for rule, row in ours.items() if rule != "tree"]
    best = max(others, key=lambda row: float(row["tree_beq_per_j"]))
    return {
        "rows": rows,
        "whole": bare,
        "bound_beq_per_j": most,
        "tree": ours["tree"],
        "other": best,
        "gain_frac": ours["tree"]["tree_beq_per_j"] / best["tree_beq_per_j"] - 1.0,
        "least": _least(rows),
        "most": rows[-1],
        "first_come": next(r for r in rows if r["load"] == rows[-1]["load"]),
        "verdict": verdict(found),
        "part_s": PART_S,
        "over_s": OVER_S,
    }


def _traces(folder: Path) -> tuple[str, str, str]:
    """The trace's first parts, for many runs and for overload, and the whole of it."""
    data = Path(os.environ.get("TREE6G_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    with (data / TRACE).open(encoding="utf-8", newline="") as file:
        head, *body = csv.reader(file)
    paths = folder / "part.csv", folder / "over.csv"
    for path, until_s in zip(paths, (PART_S, OVER_S), strict=True):
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([head, *(row for row in body if float(row[0]) < until_s)])
    return str(paths[0]), str(paths[1]), str(data / TRACE)


def _rows(
    load_: float, change: str, trace: str | None, ledgers: Sequence[Mapping[str, Ledger]], *,
    quick: bool,
) -> list[Found]:  # fmt: skip
    """A row for each scheduler at a load: mean and range over the seeds."""
    bounds = [
        _bound((change,), trace, one["tree"], quick=quick, seed=seed)
        for one, seed in zip(ledgers, SEEDS, strict=False)
    ]
    rows = []
    for rule in RULES:
        each = [_figures(one[rule], most) for one, most in zip(ledgers, bounds, strict=True)]
        spreads = {key: seeds.spread([row[key] for row in each]) for key in each[0]}
        rows.append({
            "load": load_, "scheduler": rule,
            "bound_beq_per_j": sum(bounds) / len(bounds),
            **{key: spread["mean"] for key, spread in spreads.items()},
            "low_beq_per_j": spreads["tree_beq_per_j"]["low"],
            "high_beq_per_j": spreads["tree_beq_per_j"]["high"],
        })  # fmt: skip
    return rows


def _bound(
    changes: tuple[str, ...], trace: str | None, ledger: Ledger, *, quick: bool, seed: int
) -> float:
    """What no schedule exceeds, in a run as long as this ledger."""
    cut = QUICK if quick else ()
    described = load(FILE, (*changes, f"seed={seed}", *cut))
    traces = {} if trace is None else {None: read_trace(trace)}
    covered_s = float(tree6g.figure(ledger).covered_s)
    return clairvoyant(described, traces, covered_s).tree_beq_per_j


def _figures(ledger: Ledger, most: float) -> dict[str, float]:
    f = tree6g.figure(ledger)
    tree = float(f.tree_beq_per_j or 0.0)
    return {
        "tree_beq_per_j": tree,
        "ee_bit_per_j": float(f.ee_bit_per_j or 0.0),
        "gap_frac": 1.0 - tree / most,
        "assistant_frac": float(f.service("assistant").served_share_frac or 0.0),
        "downloads_frac": float(f.service("downloads").served_share_frac or 0.0),
        "energy_j": f.energy_j,
    }


def _least(rows: Sequence[Found]) -> Found:
    """The load at which TREE's lead over the best of the others is least."""
    leads = []
    for load_ in dict.fromkeys(row["load"] for row in rows):
        own = {row["scheduler"]: row["tree_beq_per_j"] for row in rows if row["load"] == load_}
        ours = own.pop("tree")
        leads.append({"load": load_, "lead_frac": ours / max(own.values()) - 1.0})
    return min(leads, key=lambda row: float(row["lead_frac"]))


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """TREE over load by scheduler, with the bound; share on time over load."""
    rows = found["rows"]
    at = list(dict.fromkeys(row["load"] for row in rows))
    x = Scale(key="load", label="load of the downloads")

    def series(field: str) -> dict[str, list[float]]:
        """A field over load by scheduler."""
        return {r: [row[field] for row in rows if row["scheduler"] == r] for r in RULES}

    bound = {"no schedule exceeds": [row["bound_beq_per_j"] for row in rows
                                     if row["scheduler"] == "tree"]}  # fmt: skip
    return [
        lines(
            "load", "TREE of a loaded cell by scheduler", "TREE over load, with the bound.", stamp,
            x=x, at=at, y=Scale(key="tree_beq_per_j", label="TREE", unit="beq_per_j", zero=True),
            series={**series("tree_beq_per_j"), **bound},
        ),
        lines(
            "share", "Downloads on time by scheduler", "Share on time over load.", stamp,
            x=x, at=at, y=Scale(key="downloads_frac", label="worth on time", zero=True),
            series=series("downloads_frac"),
        ),
    ]  # fmt: skip
