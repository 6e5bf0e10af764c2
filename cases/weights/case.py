"""Which model should two small cards run? It depends on what a token of each service is worth."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from charts import Scale, lines
from maps import regions
from seeds import ledgers, spread
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.metric.figure import Figure
from tree6g.metric.robustness import (
    HIGH_BIT_PER_TOK,
    LOW_BIT_PER_TOK,
    break_even,
    cells,
    half_space,
    tree_over_alpha,
    win_shares,
)
from tree6g.report.canvas import Drawing

Floats = npt.NDArray[np.float64]
CAMPUS = "cases/weights/campus.yaml"
CHAT = {"8B": "llama-3.1-8b", "3B": "llama-3.2-3b", "1B": "llama-3.2-1b"}
EYES = {"13B": "llava-1.5-13b", "7B": "llava-1.5-7b"}
AI = ("assistant", "cameras")
QUICK = ("duration=1 min", "drain=30 s", "ledger_interval=30 s")
SEEDS = (1, 2, 3)
GRID = np.geomspace(LOW_BIT_PER_TOK, HIGH_BIT_PER_TOK, 161)
SPREAD = 400  # points per axis for the even measure


def run(bench: Bench) -> Found:
    """All pairs of models under each seed; who wins for which worth of a token."""
    designs = {_name(chat, eyes): _design(chat, eyes) for chat, eyes in _pairs()}
    runs = ledgers(bench, designs, SEEDS, quick=QUICK)
    figures = [{name: tree6g.figure(ledger) for name, ledger in own.items()} for own in runs]
    first = figures[0]
    found = verdict(runs[0])
    return {
        "verdict": found,
        "seeds": len(runs),
        "rows": [_row(name, [own[name] for own in figures]) for name in designs],
        "turns": _turns(figures),
        "planes": _planes(first),
        "measures": _measures(first),
        "half": _half(first, found["tree_best"], _name("8B", "13B")),
        "decide": _decide(first),
        "curves": _curves(first),
        "stated_bit_per_tok": found["turns"]["assistant"]["alpha_bit_per_tok"],
        "low_bit_per_tok": LOW_BIT_PER_TOK,
        "high_bit_per_tok": HIGH_BIT_PER_TOK,
    }


def _pairs() -> list[tuple[str, str]]:
    return list(itertools.product(CHAT, EYES))


def _name(chat: str, eyes: str) -> str:
    return f"chat {chat}, eyes {eyes}"


def _design(chat: str, eyes: str) -> Design:
    at = "sites.mast.servers"
    return Design(CAMPUS, (f"{at}.chat.model={CHAT[chat]}", f"{at}.eyes.model={EYES[eyes]}"))


def _row(name: str, figures: Sequence[Figure]) -> Found:
    def mean(values: Sequence[float | None]) -> float:
        return float(spread([value or 0.0 for value in values])["mean"])

    return {
        "design": name,
        "power_w": mean([f.energy_j / f.covered_s for f in figures]),
        "ee_bit_per_j": mean([f.ee_bit_per_j for f in figures]),
        "tree_beq_per_j": mean([f.tree_beq_per_j for f in figures]),
        **{s: mean([f.service(s).served_share_frac for f in figures]) for s in AI},
        **{f"{s}_j": mean([f.service(s).j_per_tok for f in figures]) for s in AI},
    }


def _turns(figures: Sequence[Mapping[str, Figure]]) -> list[Found]:
    """Worth above which the larger of two models wins, all else alike; its range over seeds."""
    asked = [
        ("assistant", _name("8B", "13B"), _name("3B", "13B")),
        ("assistant", _name("3B", "13B"), _name("1B", "13B")),
        ("cameras", _name("8B", "13B"), _name("8B", "7B")),
    ]
    return [
        {"service": service, "larger": large, "smaller": small, **_turn(figures, *each)}
        for each in asked
        for service, large, small in [each]
    ]


def _turn(
    figures: Sequence[Mapping[str, Figure]], service: str, large: str, small: str
) -> Mapping[str, float | None]:
    found = [break_even(own[large], own[small], service, names=("A", "B")) for own in figures]
    worths = [each.alpha_bit_per_tok for each in found if each.winner_above == "A"]
    known = [worth for worth in worths if worth is not None]
    if len(known) < len(figures):
        return {"mean": None, "low": None, "high": None}
    return spread(known)


def _planes(figures: Mapping[str, Figure]) -> dict[str, list[float]]:
    """TREE is a plane over both worths: data per joule, then tokens per joule of each service."""
    planes = {}
    for name, f in figures.items():
        rest = sum(s.utility_beq or 0.0 for s in f.services if s.name not in AI)
        own = [(f.service(each).worth_tok or 0.0) / f.energy_j for each in AI]
        planes[name] = [rest / f.energy_j, *own]
    return planes


def _winners(planes: Mapping[str, Sequence[float]], at: Floats) -> npt.NDArray[np.int64]:
    """Place of the best design over the worths of both services: cameras by assistant."""
    chat, eyes = np.meshgrid(at, at)
    return np.argmax(np.stack([c + x * chat + y * eyes for c, x, y in planes.values()]), axis=0)


def _measures(figures: Mapping[str, Figure]) -> list[Found]:
    """Share of the weights on which each design wins, by service and by measure."""
    both = cells(figures, AI)  # two decades to each side of the stated worth: the same range
    flat = LOW_BIT_PER_TOK + (HIGH_BIT_PER_TOK - LOW_BIT_PER_TOK) * (
        (np.arange(SPREAD) + 0.5) / SPREAD
    )
    won = _winners(_planes(figures), flat)
    rows: dict[str, dict[str, Any]] = {name: {"design": name} for name in figures}
    for place, (name, row) in enumerate(rows.items()):
        row["both_log_frac"] = both[name][0]
        row["both_even_frac"] = float((won == place).mean())
    for service, measure in itertools.product(AI, ("log-uniform", "uniform")):
        for share in win_shares(figures, service, measure=measure):
            key = "log" if measure == "log-uniform" else "even"
            rows[share.design][f"{service}_{key}_frac"] = share.frac
    return list(rows.values())


def _half(figures: Mapping[str, Figure], design: str, largest: str) -> Found:
    """The half-space of weights on which a design beats the largest models."""
    other = largest if design != largest else _name("1B", "7B")
    found = half_space(figures[design], figures[other])
    terms = [f"{value:+,.1f} w({name})" for name, value in found.items()]
    return {"a": design, "b": other, "terms": " ".join(terms)}


def _decide(figures: Mapping[str, Figure]) -> list[Found]:
    """What the largest models bring and take against the smallest, by service."""
    rows = []
    for service, (large, small) in {
        AI[0]: (_name("8B", "13B"), _name("1B", "13B")),
        AI[1]: (_name("8B", "13B"), _name("8B", "7B")),
    }.items():
        more, less = figures[large], figures[small]
        own, other = more.service(service).worth_tok or 0.0, less.service(service).worth_tok or 0.0
        rows.append(
            {
                "service": service,
                "tps": own / more.covered_s,
                "lost_tps": (own - other) / more.covered_s,
                "saved_w": (more.energy_j - less.energy_j) / more.covered_s,
                "saved_frac": 1.0 - less.energy_j / more.energy_j,
            }
        )
    return rows


def _curves(figures: Mapping[str, Figure]) -> dict[str, list[float]]:
    """TREE over the worth of the assistant's tokens against the best; the smaller eyes only."""
    at = GRID[::8]
    heights = {name: tree_over_alpha(f, AI[0], at) for name, f in figures.items()}
    top = np.max(np.stack(list(heights.values())), axis=0)
    return {name: list(heights[name] / top) for name in (_name(chat, "7B") for chat in CHAT)}


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """The map of both worths, and a cut through it."""
    stated = found["stated_bit_per_tok"]
    return [
        regions(
            "map", "Which models have the highest TREE",
            "The winning pair of models over the worth of a token of each service.", stamp,
            x=Scale(key="assistant_bit_per_tok", label="worth of a token of the assistant in bit"),
            at_x=GRID,
            y=Scale(key="cameras_bit_per_tok", label="worth of a token of the cameras in bit"),
            at_y=GRID,
            names=list(found["planes"]), winners=_winners(found["planes"], GRID),
            points=[("stated", stated, stated)],
        ),
        lines(
            "cut", "TREE of each pair of models against the best",
            "TREE relative to the best pair, over the worth of a token of the assistant.", stamp,
            x=Scale(key="assistant_bit_per_tok", log=True,
                    label="worth of a token of the assistant in bit"),
            at=GRID[::8],
            y=Scale(key="tree_frac", label="TREE against the best", unit="frac"),
            series=found["curves"],
        ),
    ]  # fmt: skip
