"""One GPU for baseband and LLM, or one for each; curves in phase or half a day apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from charts import Scale, bars, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Query
from tree6g.report.canvas import Drawing
from tree6g.scenario.load import load
from tree6g.scenario.model import AiService

HERE: Final = Path(__file__).parent
FILE: Final = str(HERE / "ai-ran.yaml")
RULES: Final = {
    "by accelerator time": "proportional", "in equal parts": "shapley", "to nobody": "marginal",
}  # fmt: skip
BASEBAND: Final = "sites.mast.base_station.baseband"
APART: Final = (f"{BASEBAND}.server=null", f"{BASEBAND}.accelerator=a100-80",
                f"{BASEBAND}.host_power=150 W")  # fmt: skip
SMALL: Final = ("sites.mast.servers.gpu.accelerator=l4", "sites.mast.servers.gpu.share=100 %",
                "sites.mast.servers.gpu.host_power=60 W")  # fmt: skip
WHOLE: Final = ("sites.mast.servers.gpu.share=100 %",)
ONE, TWO, L4 = "one shared A100", "an A100 each", "an A100 for the radio, an L4 for the LLM"
HALF_A_DAY: Final = 12


def run(bench: Bench) -> Found:
    """Three ways to buy accelerators by two day curves of the LLM."""
    night = f"services.assistant.day_curve={list(_later(_curve()))}"
    ways = {ONE: (), TWO: (*APART, *WHOLE), L4: (*APART, *SMALL)}
    designs = {name: Design(FILE, overrides) for name, overrides in ways.items()}
    designs |= {f"{name}, by night": Design(FILE, (*o, night)) for name, o in ways.items()}
    if bench.quick:
        designs = {name: designs[name] for name in (ONE, L4, f"{ONE}, by night")}
    ledgers = bench.ledgers(designs, quick=["duration=1 h"])
    by_day = {name: ledgers[name] for name in ways if name in ledgers}
    by_night = {
        name: ledgers[f"{name}, by night"] for name in ways if f"{name}, by night" in ledgers
    }
    shared = {"by day": by_day[ONE], "by night": by_night[ONE]}
    return {
        "verdict": verdict(by_day),
        "payers": [_payer(when, words, own) for when, own in shared.items() for words in RULES],
        "saved": _saved(by_day),
        "phase_frac": abs(_joules(shared["by night"]) / _joules(by_day[ONE]) - 1.0),
        "hours": {when: _hours(ledger) for when, ledger in shared.items()},
        "ran_shared_bit_per_j": tree6g.figure(by_day[ONE]).ee_ran_bit_per_j,
        "ran_apart_bit_per_j": tree6g.figure(by_day[L4]).ee_ran_bit_per_j,
    }  # fmt: skip


def _curve() -> Sequence[float]:
    spec = next(s for s in load(FILE).services if isinstance(s, AiService))
    return spec.day_curve


def _later(curve: Sequence[float]) -> Sequence[float]:
    return (*curve[-HALF_A_DAY:], *curve[:-HALF_A_DAY])


def _payer(when: str, words: str, ledger: Ledger) -> Found:
    """What the LLM is charged when idle power is shared in one of three ways."""
    f = tree6g.figure(ledger, Query(rule=RULES[words]))
    llm = f.service("assistant")
    return {
        "when": when,
        "idle": words,
        "energy_share_frac": llm.energy_j / f.energy_j,
        "j_per_tok": llm.j_per_tok,
        "tree_beq_per_j": llm.tree_beq_per_j,
        "unattributed_frac": sum(f.unattributed_j.values()) / f.energy_j,
    }


def _saved(by_day: Mapping[str, Ledger]) -> Found:
    """What one shared accelerator saves against the cheapest of the others."""
    joules = {name: _joules(ledger) for name, ledger in by_day.items()}
    other = min((name for name in joules if name != ONE), key=lambda name: joules[name])
    return {
        "against": other,
        "energy_frac": 1.0 - joules[ONE] / joules[other],
        "power_w": (joules[other] - joules[ONE]) / _span_s(by_day[ONE]),
    }


def _joules(ledger: Ledger) -> float:
    return tree6g.figure(ledger).energy_j


def _span_s(ledger: Ledger) -> float:
    f = tree6g.figure(ledger)
    return f.t1_s - f.t0_s


def _hours(ledger: Ledger) -> list[Found]:
    """Busy time of the shared accelerator by hour, as shares of all of it."""
    sql = """
        SELECT floor(t0_s / 3600) AS hour, component, state, sum(energy_j) AS j
        FROM energy WHERE node LIKE '%.gpu' AND component IN ('gpu', 'baseband')
        GROUP BY ALL ORDER BY ALL
    """
    found: dict[float, Found] = {}
    for row in ledger.query(sql).to_pylist():
        part = {"baseband": "baseband_w"}.get(row["component"])
        part = part or ("idle_w" if row["state"] == "idle" else "llm_w")
        hour = found.setdefault(row["hour"], {"baseband_w": 0.0, "idle_w": 0.0, "llm_w": 0.0})
        hour[part] += row["j"] / 3600.0
    return [{"hour": hour, **parts} for hour, parts in sorted(found.items()) if hour < 24]


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """The shared accelerator over the day, and what the LLM pays."""
    day, night = found["hours"]["by day"], found["hours"]["by night"]
    payers = found["payers"]
    return [
        lines(
            "day", "Power of the shared accelerator above idle, by hour",
            "Power that baseband and LLM cause in the shared accelerator over the day.", stamp,
            x=Scale(key="hour", label="hour of the day"), at=[row["hour"] for row in day],
            y=Scale(key="power_w", label="power above idle", unit="w", zero=True),
            series={
                "baseband": [row["baseband_w"] for row in day],
                "LLM, asked by day": [row["llm_w"] for row in day],
                "LLM, asked by night": [row["llm_w"] for row in night],
            },
        ),
        bars(
            "payers", "Energy per token of the LLM by who pays for idle power",
            "Energy per answer token by the rule for idle power and the time of the questions.",
            stamp, groups=[row["idle"] for row in payers if row["when"] == "by day"],
            y=Scale(key="j_per_tok", label="energy per answer token", unit="j_per_tok", zero=True),
            series={
                f"asked {when}": [r["j_per_tok"] for r in payers if r["when"] == when]
                for when in ("by day", "by night")
            },
        ),
    ]  # fmt: skip
