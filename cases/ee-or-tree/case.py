"""What an operator changes who is told to raise bits per joule, and who worth per joule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from charts import Scale, bars, lines
from seeds import ledgers, spread
from study import Bench, Design, Found, best, verdict

import tree6g
from tree6g.metric.figure import Figure
from tree6g.metric.robustness import (
    HIGH_BIT_PER_TOK,
    LOW_BIT_PER_TOK,
    break_even,
    tree_over_alpha,
    win_shares,
)
from tree6g.report import numerals
from tree6g.report.canvas import Drawing

TOWN = "cases/ee-or-tree/town.yaml"
SPLIT = "services.assistant.split={{server: h100, cut: {}, compression: {}}}"
TODAY = "today"
WITHOUT = "no assistant"
SAME = {
    TODAY: (),
    "merged packets": ("services.assistant.tokens_per_chunk=8",),
    "shared with phones": (SPLIT.format("best", "int8"),),
    "shared, 16 bit": (SPLIT.format("best", "fp16"),),
    "shared, moving cut": (SPLIT.format("dynamic", "int8"),),
}
OTHER = {
    "smaller model": ("clouds.metro.servers.h100.model=llama-3.2-3b",),
    WITHOUT: ("clouds=[]", "links=[]", "policy=edge-only"),
}
QUICK = ("duration=20 s", "drain=30 s", "step=5 s", "ledger_interval=10 s")
SEEDS = (1, 2, 3)
ALPHAS = np.geomspace(LOW_BIT_PER_TOK, 10 * HIGH_BIT_PER_TOK, 21)


def run(bench: Bench) -> Found:
    """All designs under each seed; what each figure picks and what the other one loses by it."""
    designs = {name: Design(TOWN, overrides) for name, overrides in (SAME | OTHER).items()}
    runs = ledgers(bench, designs, SEEDS, quick=QUICK)
    figures = [{name: tree6g.figure(ledger) for name, ledger in own.items()} for own in runs]
    same = [{name: own[name] for name in SAME} for own in figures]
    found = verdict({name: runs[0][name] for name in SAME})
    ee, tree = found["ee_best"], found["tree_best"]
    rows = {name: _row(name, figures) for name in designs}
    return {
        "verdict": found,
        "ee_best": ee,
        "tree_best": tree,
        "seeds": len(runs),
        "picks": _picks(same, ee, tree),
        "choice": _choice(ee, tree),
        "tree_lost_frac": spread([_lost(own, ee, "tree_beq_per_j") for own in same]),
        "ee_lost_frac": spread([_lost(own, tree, "ee_bit_per_j") for own in same]),
        "rows": list(rows.values()),
        "merged": _change(rows["merged packets"]),
        "curves": _curves(figures[0], ee, tree),
        "spans": _spans({n: f for n, f in figures[0].items() if n != WITHOUT}),
        "without": _without(figures, tree),
        "best_of_all_by_ee": best(figures[0], "ee_bit_per_j"),
    }


def _picks(same: Sequence[Mapping[str, Figure]], ee: str, tree: str) -> str:
    """How many seeds agree with the first."""
    count = len(same)
    by_ee = sum(best(own, "ee_bit_per_j") == ee for own in same)
    by_tree = sum(best(own, "tree_beq_per_j") == tree for own in same)
    return (
        f"EE ranks '{ee}' first under {by_ee} of {count} seeds, "
        f"TREE ranks '{tree}' first under {by_tree} of {count}"
    )


def _choice(ee: str, tree: str) -> str:
    if ee == tree:
        return f"Both figures ask for the same change: **{ee}**."
    return f"EE asks for **{ee}**, TREE for **{tree}**."


def _lost(figures: Mapping[str, Figure], chosen: str, field: str) -> float:
    """Share of the best value of a figure that is lost by choosing this design."""
    top = max(float(getattr(f, field) or 0.0) for f in figures.values())
    return 1.0 - float(getattr(figures[chosen], field) or 0.0) / top


def _row(name: str, figures: Sequence[Mapping[str, Figure]]) -> Found:
    """A design against today, mean over the seeds."""
    own, today = [f[name] for f in figures], [f[TODAY] for f in figures]
    pairs = list(zip(own, today, strict=True))
    served = spread([f.service("assistant").served_share_frac or 0.0 for f in own])["mean"]
    return {
        "design": name,
        "same_service": name in SAME,
        "power_w": spread([f.energy_j / f.covered_s for f in own])["mean"],
        "ee_bit_per_j": spread([f.ee_bit_per_j or 0.0 for f in own])["mean"],
        "tree_beq_per_j": spread([f.tree_beq_per_j or 0.0 for f in own])["mean"],
        "ee_gain_frac": spread([_gain(a.ee_bit_per_j, b.ee_bit_per_j) for a, b in pairs]),
        "tree_gain_frac": spread([_gain(a.tree_beq_per_j, b.tree_beq_per_j) for a, b in pairs]),
        "energy_gain_frac": spread([_gain(a.energy_j, b.energy_j) for a, b in pairs]),
        "ai_bits_frac": spread([f.service("assistant").bit_share_frac or 0.0 for f in own])["mean"],
        "served_frac": served,
    }


def _gain(value: float | None, base: float | None) -> float:
    return (value or 0.0) / (base or 1.0) - 1.0


def _change(row: Found) -> str:
    """Joules and figures of a design against today, in words."""
    parts = [
        f"{words} {100 * row[key]['mean']:+.2f} %"
        for words, key in (
            ("joules", "energy_gain_frac"),
            ("EE", "ee_gain_frac"),
            ("TREE", "tree_gain_frac"),
        )
    ]
    return numerals.listing(parts)


def _curves(figures: Mapping[str, Figure], ee: str, tree: str) -> Found:
    """Share of the best TREE that a choice with an assistant loses, over the worth of a token."""
    shown = [name for name in figures if name in {TODAY, tree, ee, "smaller model"}]
    heights = {
        name: tree_over_alpha(f, "assistant", ALPHAS)
        for name, f in figures.items()
        if name != WITHOUT
    }
    top = np.max(np.stack(list(heights.values())), axis=0)
    return {
        "alpha_bit_per_tok": list(ALPHAS),
        "lost_frac": {name: list(1.0 - heights[name] / top) for name in shown},
    }


def _spans(figures: Mapping[str, Figure]) -> str:
    """Which of these designs has the highest TREE, by the worth of a token, in words."""
    won = [
        (low, high, share.design)
        for share in win_shares(figures, "assistant")
        for low, high in share.spans
    ]
    return numerals.listing(
        [
            f"**{design}** from {numerals.plain(low)} to {numerals.plain(high)} bit"
            for low, high, design in sorted(won)
        ]
    )


def _without(figures: Sequence[Mapping[str, Figure]], tree: str) -> str:
    """From which worth of a token on the assistant raises TREE at all, in words."""
    breaks = [break_even(own[tree], own[WITHOUT], "assistant") for own in figures]
    worths = [each.alpha_bit_per_tok for each in breaks]
    known = [worth for worth in worths if worth is not None]
    if len(known) < len(worths):
        return "no worth of a token decides it under every seed"
    low, high = numerals.rough(min(known)), numerals.rough(max(known))
    return f"a token must be worth {low} to {high} bit (over the seeds) before it does"


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """What each change brings, and what each choice loses over the worth of a token."""
    rows = [row for row in found["rows"] if row["same_service"] and row["design"] != TODAY]
    curves = found["curves"]
    return [
        bars(
            "changes", "What each change brings, against today",
            "Change of EE, TREE and energy against today, for designs that serve alike.", stamp,
            groups=[row["design"] for row in rows],
            y=Scale(key="gain_frac", label="change against today", unit="frac"),
            series={
                "bits per joule (EE)": [row["ee_gain_frac"]["mean"] for row in rows],
                "worth per joule (TREE)": [row["tree_gain_frac"]["mean"] for row in rows],
                "joules": [row["energy_gain_frac"]["mean"] for row in rows],
            },
        ),
        lines(
            "worth", "TREE lost by each choice, over the worth of a token",
            "Share of the best TREE that each choice loses, over the worth of a token.", stamp,
            x=Scale(key="alpha_bit_per_tok", label="worth of a token in bit", log=True),
            at=curves["alpha_bit_per_tok"],
            y=Scale(key="lost_frac", label="TREE lost against the best choice", unit="frac",
                    zero=True),
            series=curves["lost_frac"],
        ),
    ]  # fmt: skip
