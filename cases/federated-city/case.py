"""What it takes to teach phones' models: whole models, adapters, or all samples at one place."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from charts import Scale, bars, lines
from study import Bench, Design, Found, figures_of, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.learning import learnt
from tree6g.report.canvas import Drawing

CITY: Final = "federated-city"
WITHOUT: Final = "without"
# Steps that the methods stand; adapters begin at zero and need larger ones.
WHOLE: Final = ("learning.method=fedavg", "learning.step_size=0.05")
DESIGNS: Final = {
    WITHOUT: ("learning=null",),
    "whole models": WHOLE,
    "whole, 8 bits": (*WHOLE, "learning.compression=int8"),
    "whole, chosen": (*WHOLE, "learning.selection=tree-aware"),
    "adapters, averaged": (),
    "adapters, stacked": ("learning.method=flora", "learning.step_size=0.2"),
    "centralised": ("learning.method=centralised", "learning.step_size=0.05"),
}
LEVELS: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95)  # accuracies
GOAL: Final = 0.9
SHORT: Final = ("whole", "8 bits", "chosen", "averaged", "stacked", "central")  # below bars
TIERS: Final = ("device", "ran", "transport", "cloud")
# A quick run is over before much is learnt.
QUICK: Final = ("duration=20 s", "drain=15 s")


def run(bench: Bench) -> Found:
    """Every way to learn in the same network with the same traffic, and the network without."""
    ledgers = bench.ledgers(
        {name: Design(CITY, changes) for name, changes in DESIGNS.items()}, quick=QUICK
    )
    bare = tree6g.figure(ledgers[WITHOUT])
    rows = [_row(name, ledger) for name, ledger in ledgers.items() if name != WITHOUT]
    for row in rows:
        row["more_j"] = row.pop("network_j") - bare.energy_j
        row["tree_change_frac"] = row["tree_beq_per_j"] / (bare.tree_beq_per_j or 1.0) - 1.0
        row["ee_change_frac"] = row["ee_bit_per_j"] / (bare.ee_bit_per_j or 1.0) - 1.0
    own = {row["design"].replace(",", "").replace(" ", "_"): row for row in rows}
    whole, adapters = own["whole_models"], own["adapters_averaged"]
    return {
        "awake_times": whole["more_j"] / whole["energy_j"],
        "rows": rows,
        "own": own,
        "bare": figures_of(bare),
        "levels": {row["design"]: row.pop("levels") for row in rows},
        "fewer_bits": whole["round_bit"] / adapters["round_bit"],
        "verdict": verdict({name: one for name, one in ledgers.items() if name != WITHOUT}),
    }


def _row(name: str, ledger: Ledger) -> Found:
    """Accuracy, bits and joules of a design, all above idle."""
    figure, found = tree6g.figure(ledger), learnt(ledger)
    assert found is not None
    joules = [sum(one.energy_j.values()) for one in found.rounds]
    spent_j = list(itertools.accumulate(joules))
    right = [one.accuracy_frac for one in found.rounds]
    air_bit = found.bit.get("bit_ul", 0.0) + found.bit.get("bit_dl", 0.0)
    return {
        "design": name,
        "rounds": len(found.rounds),
        "accuracy_frac": found.accuracy_frac,
        "air_bit": air_bit,
        "round_bit": air_bit / len(found.rounds),
        "energy_j": spent_j[-1],
        "round_j": spent_j[-1] / len(found.rounds),
        "goal_j": _until(GOAL, right, spent_j),
        **{f"{tier}_j": found.energy_j.get(tier, 0.0) for tier in TIERS},
        "network_j": figure.energy_j,
        "energy_share_frac": figure.service("learning").energy_share_frac,
        "tree_beq_per_j": figure.tree_beq_per_j,
        "ee_bit_per_j": figure.ee_bit_per_j,
        "levels": [_until(level, right, spent_j) for level in LEVELS],
    }


def _until(level: float, right: Sequence[float], spent_j: Sequence[float]) -> float | None:
    """Joules until an accuracy is reached for the first time; None: it is not."""
    return next((j for share, j in zip(right, spent_j, strict=True) if share >= level), None)


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Joules until an accuracy is reached, and joules of a round by tier."""
    rows = found["rows"]
    return [
        lines(
            "accuracy", "Joules until an accuracy is reached",
            "Joules above idle of all tiers until the model has an accuracy on the test data.",
            stamp,
            x=Scale(key="accuracy_frac", label="accuracy on the test data", unit="frac"),
            at=LEVELS, y=Scale(key="energy_j", label="J above idle, all tiers", zero=True),
            series=found["levels"],
        ),
        bars(
            "tiers", "Joules of a round by tier",
            "Joules above idle of a round by tier, mean over all rounds.", stamp,
            groups=list(SHORT),
            y=Scale(key="round_j", label="J per round", zero=True),
            series={
                tier: [row[f"{tier}_j"] / row["rounds"] for row in rows] for tier in TIERS
            },
        ),
    ]  # fmt: skip
