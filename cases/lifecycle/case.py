"""A served token through its life: over load, size of the model and country; and an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from charts import Scale, bars
from study import Bench, Design, Found, verdict

from tree6g.ledger.reading import Ledger
from tree6g.lifecycle.ranges import Estimate
from tree6g.lifecycle.service import PARTS
from tree6g.metric.figure import Query
from tree6g.report.canvas import Drawing
from tree6g.report.life import Told, making, tell
from tree6g.report.life_training import Data, Updates
from tree6g.report.life_use import Assumptions, gather

SCENARIO = str(Path(__file__).with_name("corner.yaml"))
RATES = (0.2, 2, 10)  # AI requests per user and hour
MODELS = {"1B": "llama-3.2-1b", "3B": "llama-3.2-3b", "8B": "llama-3.1-8b"}
COUNTRIES = {"France": "FRA", "world": "WLD", "Poland": "POL"}
PAINTER_J = 3.6e9  # a megawatt-hour: no figure of the training of pix2pix was published
UPKEEP = {  # how the 8B model is kept up to date, and whether data is counted
    "none": {},
    "LoRA each month": {"updates": Updates(per_year=12, units_tok=1e8)},
    "all weights each month": {"updates": Updates(per_year=12, units_tok=1e9, method="full")},
    "all weights each week": {"updates": Updates(per_year=52, units_tok=1e9, method="full")},
    "the same for many": {
        "updates": Updates(per_year=52, units_tok=1e9, method="full", tok_per_year=1e12)
    },
    "the same, data a fifth": {
        "updates": Updates(per_year=52, units_tok=1e9, method="full", tok_per_year=1e12),
        "data": Data(training_frac=0.2),
    },
}
QUICK = ("duration=30 s", "drain=30 s")


def run(bench: Bench) -> Found:
    """Shares of a token over load and size, and what the country of the grid changes."""
    designs = {f"rate {r}": Design(SCENARIO, (_rate(r),)) for r in RATES[:1] + RATES[2:]}
    designs |= {
        size: Design(SCENARIO, (f"sites.0.servers.gpu.model={model}",))
        for size, model in MODELS.items()
    }
    designs["pictures"] = Design("pictures")
    if bench.quick:  # one corner stands for all
        designs = {name: designs[name] for name in ("8B", "pictures")}
    made = bench.ledgers(designs, quick=QUICK)
    ledgers = {f"rate {r}": made.get(f"rate {r}", made["8B"]) for r in RATES}
    ledgers |= {name: made.get(name, made["8B"]) for name in (*MODELS, "pictures")}
    loads = [{"rate": r, **_row(f"{r:g}", ledgers[f"rate {r}"])} for r in RATES]
    sizes = [_row(size, ledgers[size]) for size in MODELS]
    countries = [_row(name, ledgers["8B"], place) for name, place in COUNTRIES.items()]
    image = _row("image", ledgers["pictures"])
    upkeep = [_row(name, ledgers["8B"], **more) for name, more in UPKEEP.items()]
    return {
        "loads": loads,
        "sizes": sizes,
        "size": {row["name"]: row for row in sizes},
        "countries": countries,
        "image": image,
        "upkeep": upkeep,
        "making": _making(ledgers["8B"]),
        "verdict": verdict({size: ledgers[size] for size in MODELS}),
    }


def _rate(rate: float) -> str:
    return f"population.ai_requests_per_user_hour={rate}"


def _row(name: str, ledger: Ledger, place: str = "WLD", **more: Any) -> Found:
    """A token of the first AI service of a ledger, parts under flat keys."""
    assumed = Assumptions(place=place, training_j=PAINTER_J, **more)
    found = gather(ledger, assumed)[0]
    return {"name": name, **_flat(tell(found, assumed))}


def _making(ledger: Ledger) -> list[Found]:
    """Hardware of the service with that of its users, in the boundary that has them."""
    found = gather(ledger, Assumptions(), Query(boundary="full"))[0]
    table = making(tell(found, Assumptions()))
    assert table is not None  # a server and a station are known
    return [dict(zip(("item", "held", "lifetime_s", "carbon"), row, strict=True))
            for row in table.rows]  # fmt: skip


def _flat(told: Told) -> Found:
    life = told.life
    row: Found = {
        "all_j": life.total_j_per_tok.value,
        "all_low_j": life.total_j_per_tok.low,
        "all_high_j": life.total_j_per_tok.high,
        "all_kgco2e": 1000.0 * life.total_kgco2e_per_tok.value,
        "carbon": _grams(life.total_kgco2e_per_tok),
        "even": _many(life.break_even_tok),
        "even_upkeep": _many(life.break_even_upkeep_tok),
        "use_beq_per_j": _value(life.tree_beq_per_j),
        "life_beq_per_j": _value(life.tree_life_beq_per_j),
        "beq_per_kgco2e": _value(life.tree_beq_per_kgco2e),
        "worth": _worth(life.tree_beq_per_kgco2e),
        "sci_kgco2e": life.sci_kgco2e_per_ktok.value,
    }
    for part in PARTS:
        row[part] = {
            "j": _value(life.j_per_tok.get(part)),
            "energy_frac": _value(life.energy_share_frac.get(part)),
            "carbon_frac": _value(life.carbon_share_frac.get(part)),
        }
    return row


def _value(found: Estimate | None) -> float | None:
    return None if found is None else found.value


def _many(found: Estimate | None) -> str:
    return "-" if found is None else f"{found.value:.1e}"


def _worth(found: Estimate | None) -> str:
    """Bit-equivalents per kgCO2e with their interval, in thousands of millions."""
    if found is None:
        return "-"
    value, low, high = (f"{1e-9 * v:.3g}" for v in dataclasses.astuple(found))
    return f"{value} ({low} to {high})"


def _grams(found: Estimate) -> str:
    """Grams of a thousand units with their interval."""
    value, low, high = (f"{1e6 * v:.2g}" for v in (found.value, found.low, found.high))
    return f"{value} ({low} to {high})"


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Shares of carbon over load, and over the country of the grid."""
    return [
        _shares("load", "Carbon of a token over its life, by load", found["loads"], stamp,
                "AI requests per user and hour"),
        _shares("country", "Carbon of a token over its life, by country", found["countries"],
                stamp, "electricity of"),
    ]  # fmt: skip


def _shares(
    name: str, title: str, rows: Sequence[dict[str, Any]], stamp: str, over: str
) -> Drawing:
    return bars(
        name, title, f"Share of each part in the carbon of a token, over {over}.", stamp,
        groups=[row["name"] for row in rows],
        y=Scale(key="share_frac", label=f"share of the carbon, by {over}", unit="frac", zero=True),
        series={
            part: [row[part]["carbon_frac"] for row in rows]
            for part in PARTS
            if any(row[part]["carbon_frac"] is not None for row in rows)
        },
    )  # fmt: skip
