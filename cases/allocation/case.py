"""The allocation with the greatest EE and the one with the greatest TREE, in cells and a city."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from charts import Scale, bars
from study import Bench, Design, Found, verdict

from tree6g import data
from tree6g.ledger.reading import open_ledger
from tree6g.metric.figure import Figure
from tree6g.optimise.scenario.answer import Answer, answer
from tree6g.optimise.scenario.network_answer import NetworkAnswer
from tree6g.report.canvas import Drawing

BUSY_H: Final = 18  # the city's run begins at this hour of its day
USERS: Final = 100  # of the city's one site
CELL: Final = ("duration=10 min",)
WORTH: Final = "services.assistant.alpha_bit_per_tok=2e6"  # 200 times the stated 10 kbit
QUICK: Final = ("duration=1 min", "drain=20 s", "ledger_interval=1 min")
MAY_REFUSE: Final = "may refuse"  # owes nobody what he has today
OBJECTIVES: Final = ("tree", "ee")


def settings() -> dict[str, Design]:
    """Three networks that owe everybody what they have, and a cell that may refuse."""
    return {
        "street corner": Design("street-corner", CELL),
        "hybrid cell": Design("hybrid-cell", CELL),
        "busy city": Design("city-day", _city()),
        MAY_REFUSE: Design("hybrid-cell", (*CELL, WORTH)),
    }


def _city() -> tuple[str, ...]:
    """One site with three cells of the city, ten minutes of its busiest hour."""
    people = ("streaming", "files", "uploads", "messages", "meters")
    curves = {"city-users": ("assistant", "agents"), "city-bytes": people[:4]}
    return (
        "layout.sites=1", "layout.servers_at=[1]", "duration=10 min", "drain=1 min",
        "ledger_interval=1 min", f"population.users={USERS}",
        *(f"services.{name}.sources={USERS}" for name in people),
        *(f"services.{name}.day_curve={_hours(curve)}"
          for curve, names in curves.items() for name in names),
    )  # fmt: skip


def _hours(curve: str) -> list[float]:
    """A packaged day curve that begins at the busy hour."""
    row = data.table("day_curves")[curve]
    hours = [float(row[f"h{hour:02d}_frac"] or 0.0) for hour in range(24)]
    return hours[BUSY_H:] + hours[:BUSY_H]


def run(bench: Bench) -> Found:
    """Both optima of every setting, promised, bounded and simulated."""
    rows, parts, plans = [], {}, []
    for number, (name, setting) in enumerate(settings().items()):
        folder = bench.folder / f"{number:03d}"
        found = answer(
            setting.scenario,
            overrides=(*setting.overrides, *(QUICK if bench.quick else ())),
            least_frac=0.0 if name == MAY_REFUSE else 1.0,
            out=folder,
            compare=True,
        )
        parts[name] = {objective: _row(name, found, objective) for objective in OBJECTIVES}
        rows += parts[name].values()
        plans += [
            {"setting": name, "change": line}
            for line in found.to_dict()["changes"]
            if not line.startswith("A further") and not line.endswith("served as today.")
        ]
        bench.tell(f"  {name}")
    ledgers = {"today": folder / "today", "TREE optimum": folder / "plan"}
    if not _alike(found):
        ledgers["EE optimum"] = folder / "plan-ee"
    return {
        "rows": rows,
        "own": {name.replace(" ", "_"): each for name, each in parts.items()},
        "plans": plans,
        "alike": [{"setting": name, "alike": each["ee"]["alike"]} for name, each in parts.items()],
        "verdict": verdict({name: open_ledger(at / "ledger") for name, at in ledgers.items()}),
    }  # fmt: skip


def _alike(found: Answer | NetworkAnswer) -> bool:
    """Whether both optima are one plan: then it was run once."""
    return found.figures["tree"] is found.figures["ee"]


def _row(name: str, found: Answer | NetworkAnswer, objective: str) -> Found:
    """An optimum: its figure today, promised, simulated and bounded, and what it comes to."""
    plan = found.others[objective]
    told = dataclasses.replace(found, chosen=plan).to_dict()
    before = "unfitted" if isinstance(found, Answer) else "unrefined"
    simulated = found.figures[objective]
    return {
        "setting": name,
        "objective": objective.upper(),
        "today": told["today_value"],
        "before": told[f"{before}_value"],
        "promised": told["plan_value"],
        "simulated": told["simulated_value"],
        "certified": told["value"],
        "bound": told["upper_bound"],
        "gap_frac": told["gap_frac"],
        "error_frac": told["promise_error_frac"],
        "before_error_frac": told[f"{before}_error_frac"],
        "gain_frac": told["simulated_value"] / told["today_value"] - 1.0,
        "below_frac": 1.0 - told["simulated_value"] / told["upper_bound"],
        "tree_beq_per_j": simulated.tree_beq_per_j,
        "ee_bit_per_j": simulated.ee_bit_per_j,
        "power_w": told["transmit_power_w"],
        "served": _served(found.start.figure, told["served_frac"]),
        "same_service": "yes" if told["same_service"] else "no",
        "alike": "the same plan" if _alike(found) else "two plans",
    }


def _served(today: Figure, share_frac: dict[str, float]) -> str:
    """Services that get less than today, in words."""
    less = [s.name for s in today.services if 0.0 < share_frac.get(s.name, 1.0) < 1.0]
    none = [s.name for s in today.services if share_frac.get(s.name, 1.0) == 0.0]
    told = [f"{name} {share_frac[name]:.1%}" for name in less] + [f"no {name}" for name in none]
    return ", ".join(told) or "as today"


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Gain over today at the same service; both figures of both optima where they part."""
    own = [each for each in found["own"].values() if each["tree"]["setting"] != MAY_REFUSE]
    parted = found["verdict"]["designs"]
    return [
        bars(
            "gain", "What the optimum gains over today, everybody served as today",
            "Simulated figure of each optimum over that of today, less 1.", stamp,
            groups=[each["tree"]["setting"] for each in own],
            y=Scale(key="gain_frac", label="gain of its own figure", unit="frac", zero=True),
            series={f"{objective.upper()} optimum": [each[objective]["gain_frac"]
                                                     for each in own]
                    for objective in OBJECTIVES},
        ),
        bars(
            "parted", "Both figures where services may be refused",
            "TREE in bit-eq/J and EE in bit/J, simulated, of today and both optima.", stamp,
            groups=[row["design"] for row in parted],
            y=Scale(key="per_j", label="TREE in bit-eq/J, EE in bit/J", zero=True),
            series={"TREE": [row["tree_beq_per_j"] for row in parted],
                    "EE": [row["ee_bit_per_j"] for row in parted]},
        ),
    ]  # fmt: skip
