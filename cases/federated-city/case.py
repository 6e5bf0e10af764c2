"""What it takes to teach phones' models: whole models, adapters, or all samples at one place."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final

import seeds
from charts import Scale, bars, lines
from study import Bench, Design, Found, figures_of, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.learning import learnt
from tree6g.report import numerals
from tree6g.report.canvas import Drawing
from tree6g.sweep.intervals import estimate

CITY: Final = "federated-city"
SEEDS: Final = (1, 2, 3)
WITHOUT: Final = "without"
# Half as long as packaged, with shorter pauses, for several seeds in the same time.
SHORTER: Final = ("duration=5 min", "ledger_interval=6 s")
PAUSE: Final = (*SHORTER, "learning.pause=5 s")
# Steps that the methods stand; adapters begin at zero and need larger ones.
WHOLE: Final = (*PAUSE, "learning.method=fedavg", "learning.step_size=0.05")
DESIGNS: Final = {
    WITHOUT: (*SHORTER, "learning=null"),
    "whole models": WHOLE,
    "whole, 8 bits": (*WHOLE, "learning.compression=int8"),
    "whole, chosen": (*WHOLE, "learning.selection=tree-aware"),
    "adapters, averaged": PAUSE,
    "adapters, stacked": (*PAUSE, "learning.method=flora", "learning.step_size=0.2"),
    "centralised": (*PAUSE, "learning.method=centralised", "learning.step_size=0.05"),
}
# A base model that knows upright digits, on phones whose digits are turned.
TURNED: Final = (
    *SHORTER, "learning.model=transformer", "learning.hidden=[64, 64]", "learning.base_frac=0.3",
    "learning.base_classes=0", "learning.shift=turned", "learning.epochs=2", "learning.rounds=24",
    "learning.pause=9 s",
)  # fmt: skip
LORA: Final = (*TURNED, "learning.method=fedit", "learning.step_size=0.3")
TRANSFORMERS: Final = {
    "all weights": (*TURNED, "learning.method=fedavg", "learning.step_size=0.1"),
    "LoRA, rank 8": (*LORA, "learning.rank=8"),
    "LoRA, rank 2": (*LORA, "learning.rank=2"),
    "centralised": (
        *TURNED, "learning.method=centralised", "learning.step_size=0.1", "learning.rounds=6",
    ),
}  # fmt: skip
LEVELS: Final = (0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95)  # accuracies
GOAL: Final = 0.9
TURNED_GOAL: Final = 0.7  # of the transformers
SHORT: Final = ("whole", "8 bits", "chosen", "averaged", "stacked", "central")  # below bars
TIERS: Final = ("device", "ran", "transport", "cloud")
# A quick run is over before much is learnt.
QUICK: Final = ("duration=20 s", "drain=15 s")
QUICK_BASE: Final = (*QUICK, "learning.base_frac=0.02", "learning.hidden=[8]")


def run(bench: Bench) -> Found:
    """Every way to learn in the same network with the same traffic, and the network without."""
    same = seeds.ledgers(bench, _designs(DESIGNS), SEEDS, quick=QUICK)
    bare = [tree6g.figure(ledgers[WITHOUT]) for ledgers in same]
    rows = _rows(same, bare)
    own = {row["design"].replace(",", "").replace(" ", "_"): row for row in rows}
    whole, adapters = own["whole_models"], own["adapters_averaged"]
    said = [verdict({n: one for n, one in own.items() if n != WITHOUT}) for own in same]
    winners = [(one["ee_best"], one["tree_best"]) for one in said]
    return {
        "seeds": len(same),
        "awake_times": whole["more_j"] / whole["energy_j"],
        "rows": rows,
        "own": own,
        "bare": figures_of(bare[0]),
        "levels": {row["design"]: row.pop("levels") for row in rows},
        "fewer_bits": whole["round_bit"] / adapters["round_bit"],
        "verdict": said[0],
        "same_winners": sum(pair == winners[0] for pair in winners),
        "transformer": _transformer(bench, bare),
    }


def _designs(changes: Mapping[str, Sequence[str]]) -> dict[str, Design]:
    return {name: Design(CITY, tuple(some)) for name, some in changes.items()}


def _transformer(bench: Bench, bare: Sequence[tree6g.Figure]) -> Found:
    """The same for a transformer, whole or by adapters; nothing but the reason without torch."""
    if find_spec("torch") is None:
        reason = "This part was left out: torch is not installed (`pip install 'tree6g[torch]'`)."
        return {"rows": [], "levels": {}, "figure": "", "said": reason}
    same = seeds.ledgers(
        bench.within("transformer"), _designs(TRANSFORMERS), SEEDS, quick=QUICK_BASE
    )
    rows = _rows(same, bare)
    for row in rows:
        row["goal_j"] = row["levels"][LEVELS.index(TURNED_GOAL)]
        del row["goal_half_j"]  # of the other goal
    return {
        "levels": {row["design"]: row.pop("levels") for row in rows},
        "rows": rows,
        "figure": f"![Joules until a transformer has an accuracy](images/{CITY}-transformer.png)",
        "said": _said(*rows),
    }


def _said(whole: Found, wide: Found, thin: Found, central: Found) -> str:
    """What the transformer shows, in words."""

    def right(row: Found) -> str:
        half = row["accuracy_half_frac"]
        more = "" if half is None else f" \u00b1 {numerals.percent(half)}"
        return numerals.percent(row["accuracy_frac"]) + more

    def a_round(row: Found, tier: str = "") -> str:
        joules = row[f"{tier}_j"] / row["rounds"] if tier else row["round_j"]
        return numerals.quantity(joules, "j")

    fewer = numerals.plain(whole["round_bit"] / wide["round_bit"])
    halves = [row["accuracy_half_frac"] for row in (wide, thin)]
    apart = abs(wide["accuracy_frac"] - thin["accuracy_frac"])
    told = None not in halves and apart > sum(halves)
    deep = "; its rank decides what is learnt"
    return (
        f"**LoRA on queries and values sends little{deep if told else ''}.** "
        f"After {wide['rounds']:g} rounds rank 8 is at {right(wide)}, rank 2 at {right(thin)}"
        f"{'' if told else ' (their intervals overlap)'}, all weights at {right(whole)}. Rank 8 "
        f"sends {fewer} times fewer bits a round than all weights. A round of it takes "
        f"{a_round(wide)} against {a_round(whole)}; what phones take of that falls from "
        f"{a_round(whole, 'device')} to {a_round(wide, 'device')} only, for they launch as many "
        f"layers in both. {central['rounds']:g} rounds with all samples at one place end at "
        f"{right(central)}."
    )


def _rows(same: Sequence[Mapping[str, Ledger]], bare: Sequence[tree6g.Figure]) -> list[Found]:
    """Designs with their means over the seeds."""
    return [
        _mean([_row(n, own[n], without) for own, without in zip(same, bare, strict=True)])
        for n in same[0]
        if n != WITHOUT
    ]


def _row(name: str, ledger: Ledger, bare: tree6g.Figure) -> Found:
    """Accuracy, bits and joules of a design with one seed, all above idle."""
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
        "energy_share_frac": figure.service("learning").energy_share_frac,
        "tree_beq_per_j": figure.tree_beq_per_j,
        "ee_bit_per_j": figure.ee_bit_per_j,
        "more_j": figure.energy_j - bare.energy_j,
        "tree_change_frac": _change(figure.tree_beq_per_j, bare.tree_beq_per_j),
        "ee_change_frac": _change(figure.ee_bit_per_j, bare.ee_bit_per_j),
        "levels": [_until(level, right, spent_j) for level in LEVELS],
    }


def _change(value: float | None, before: float | None) -> float:
    return (value or 0.0) / (before or 1.0) - 1.0


def _mean(rows: Sequence[Found]) -> Found:
    """Means over seeds, None where one is; `_half` is half of their 95 % interval."""
    whole: Found = {"design": rows[0]["design"]}
    for key in rows[0]:
        if key in ("design", "levels"):
            continue
        some = [row[key] for row in rows]
        known = estimate([] if None in some else some)
        stem, _, unit = key.rpartition("_")
        whole[key] = known.mean
        whole[f"{stem}_half_{unit}" if stem else f"{key}_half"] = known.half_width
    at = zip(*(row["levels"] for row in rows), strict=True)
    levels = [estimate([] if None in some else some) for some in at]
    return whole | {"levels": [level.mean for level in levels]}


def _until(level: float, right: Sequence[float], spent_j: Sequence[float]) -> float | None:
    """Joules until an accuracy is reached for the first time; None: it is not."""
    return next((j for share, j in zip(right, spent_j, strict=True) if share >= level), None)


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Joules until an accuracy is reached, and joules of a round by tier."""
    rows, small = found["rows"], found["transformer"]
    drawn = [
        _accuracies("accuracy", "Joules until an accuracy is reached", stamp, found["levels"]),
        bars(
            "tiers", "Joules of a round by tier",
            "Joules above idle of a round by tier, mean over all rounds and seeds.", stamp,
            groups=list(SHORT),
            y=Scale(key="round_j", label="J per round", zero=True),
            series={
                tier: [row[f"{tier}_j"] / row["rounds"] for row in rows] for tier in TIERS
            },
        ),
    ]  # fmt: skip
    if small["rows"]:
        title = "Joules until a transformer has an accuracy"
        drawn.append(_accuracies("transformer", title, stamp, small["levels"]))
    return drawn


def _accuracies(
    name: str, title: str, stamp: str, levels: Mapping[str, Sequence[float | None]]
) -> Drawing:
    return lines(
        name, title,
        "Joules above idle of all tiers until the model has an accuracy on the test data, mean "
        "over the seeds; a line ends where not every seed gets further.",
        stamp,
        x=Scale(key="accuracy_frac", label="accuracy on the test data", unit="frac"),
        at=LEVELS, y=Scale(key="energy_j", label="J above idle, all tiers", zero=True),
        series=levels,
    )  # fmt: skip
