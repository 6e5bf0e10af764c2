"""How many tokens take the energy of a gigabyte: by model, batch, load and attribution rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from charts import Scale, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.footprint import footprint
from tree6g.compute.replica import Replica, replica
from tree6g.compute.roofline import saturated
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Figure, Query
from tree6g.report.canvas import Drawing
from tree6g.report.numerals import listing
from tree6g.scenario.model_config import architecture

SCENARIO = str(Path(__file__).with_name("cell.yaml"))
J_PER_KWH, BIT_PER_GB = 3.6e6, 8e9
TODAY_KWH_PER_GB = 0.24  # networks of operators, radio access, 2020 (GSMA Intelligence)
CLAIM_TOK = 1000.0
INPUT_TOK, OUTPUT_TOK, OUTPUT_CV = 1155.0, 211.0, 0.77  # means of azure-conv-2023
PUE, HOST_W = 1.3, 150.0  # of a data centre; host power per H100
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
H100S = {"llama-3.2-1b": 1, "llama-3.1-8b": 1, "llama-3.1-70b": 2, "llama-3.1-405b": 8}
LABEL = {
    "llama-3.2-1b": "1B", "llama-3.2-3b": "3B", "llama-3.1-8b": "8B",
    "llama-3.1-70b": "70B", "llama-3.1-405b": "405B",
}  # fmt: skip
VIDEOS = (1, 5, 20, 80, 300)  # viewers of 1 Mbit/s each
RATES = (0.15, 1, 5, 20, 60)  # AI requests per user and hour
BASE_VIDEO, BASE_RATE = 20, 5
RULES = {
    "proportional": "proportional: as demand",
    "shapley": "shapley: equal parts of idle",
    "data_volume": "data_volume: radio by bits",
    "marginal": "marginal: without idle that is shared",
}
AT_MAST = ("llama-3.2-1b", "llama-3.2-3b", "llama-3.1-8b")
QUICK = ("duration=30 s", "drain=30 s", "step=10 s", "ledger_interval=30 s")


def run(bench: Bench) -> Found:
    """Joules per token in closed form, and tokens per gigabyte of a mast from runs."""
    videos, rates = (VIDEOS[-1:], ()) if bench.quick else (VIDEOS, RATES)
    designs = {f"video {n}": Design(SCENARIO, (f"services.video.sources={n}",)) for n in videos}
    designs |= {
        f"rate {n}": Design(SCENARIO, (f"population.ai_requests_per_user_hour={n}",)) for n in rates
    }
    models = AT_MAST[::2] if bench.quick else AT_MAST
    designs |= {f"model {m}": Design(SCENARIO, (f"sites.0.servers.gpu.model={m}",)) for m in models}
    ledgers = bench.ledgers(designs, quick=QUICK)
    cell = [_cell(n, ledgers[f"video {n}"]) for n in videos]
    base = next((row for row in cell if row["viewers"] == BASE_VIDEO), cell[-1])
    full = cell[-1]
    alone = [_model(name, count) for name, count in H100S.items()]
    return {
        "today_kwh_per_gb": TODAY_KWH_PER_GB,
        "today_j_per_gb": TODAY_KWH_PER_GB * J_PER_KWH,
        "models": alone,
        "model": {row["model"]: row for row in alone},
        "cell": cell,
        "base": base,
        "base_rate": BASE_RATE,
        "full": full,
        "rules": base["rules"],
        "rates": [{"rate": n, **_cell(BASE_VIDEO, ledgers[f"rate {n}"])} for n in rates]
        or [{"rate": BASE_RATE, **base}],
        "verdict": verdict({LABEL[m]: ledgers[f"model {m}"] for m in models}),
        "words": _words(alone, cell),
    }


def _model(name: str, count: int) -> Found:
    """A model on H100s that is never without work, by batch; and what waiting adds."""
    r = replica(accelerator("h100-sxm"), footprint(architecture(name)), weights="fp8", count=count)
    j_per_tok = {b: _busy_j_per_tok(r, b, HOST_W * count) for b in BATCHES}
    waiting_w = PUE * (r.idle_w + HOST_W * count)
    budget_j = TODAY_KWH_PER_GB * J_PER_KWH / CLAIM_TOK
    eight = j_per_tok[8] or 0.0
    return {
        "model": LABEL[name],
        "h100": count,
        "j_per_tok": list(j_per_tok.values()),
        "tok_per_gb": [_per(TODAY_KWH_PER_GB * J_PER_KWH, j) for j in j_per_tok.values()],
        "alone_j_per_tok": j_per_tok[1],
        "eight_j_per_tok": eight,
        "full_j_per_tok": j_per_tok[64],
        "alone_tok_per_gb": _per(TODAY_KWH_PER_GB * J_PER_KWH, j_per_tok[1]),
        "full_tok_per_gb": _per(TODAY_KWH_PER_GB * J_PER_KWH, j_per_tok[64]),
        "even_tok_per_s": waiting_w / (budget_j - eight),
        "even_kwh_per_gb": CLAIM_TOK * eight / J_PER_KWH,
    }


def _busy_j_per_tok(r: Replica, batch: int, host_w: float) -> float | None:
    """GPU, host and cooling per output token; None if the keys and values do not fit."""
    if batch * (INPUT_TOK + OUTPUT_TOK) > r.kv_capacity_tok:
        return None
    cost: Any = saturated(r, float(batch), INPUT_TOK, OUTPUT_TOK, OUTPUT_CV)
    return float(PUE * (cost.energy_j + host_w * cost.time_s) / batch)


def _per(joules: float, j_per_tok: float | None) -> float | None:
    return None if j_per_tok is None else joules / j_per_tok


def _cell(viewers: int, ledger: Ledger) -> Found:
    """The mast at a load: energy of a gigabyte and of a token under each rule."""
    figures = {rule: tree6g.figure(ledger, Query(rule=rule)) for rule in RULES}
    first = figures["proportional"]
    rows = [{"rule": rule, **_told(figure)} for rule, figure in figures.items()]
    gigabytes = first.bits_bit / BIT_PER_GB
    return {
        "viewers": viewers,
        "video_bps": first.service("video").bits_bit / (first.t1_s - first.t0_s),
        "ran_kwh_per_gb": first.energy_ran_j / J_PER_KWH / gigabytes,
        "rules": rows,
        "by": {row["rule"]: row for row in rows},
        "assistant": {
            key: getattr(first.service("assistant"), key)
            for key in ("bit_share_frac", "energy_share_frac", "served_share_frac")
        },
    }


def _told(figure: Figure) -> Found:
    video, assistant = figure.service("video"), figure.service("assistant")
    j_per_gb = video.energy_j / video.bits_bit * BIT_PER_GB
    return {
        "kwh_per_gb": j_per_gb / J_PER_KWH,
        "j_per_tok": assistant.energy_j / assistant.tokens_out_tok,
        "tok_per_gb": j_per_gb / (assistant.energy_j / assistant.tokens_out_tok),
    }


def _words(models: Sequence[Found], cell: Sequence[Found]) -> Found:
    """For which models 1,000 tokens take a gigabyte or more: today, and at a mast that is full."""
    today = TODAY_KWH_PER_GB * J_PER_KWH
    full_j_per_gb = cell[-1]["ran_kwh_per_gb"] * J_PER_KWH
    all_rules = [row["tok_per_gb"] for each in cell for row in each["rules"]]
    return {
        "today": _who(models, today),
        "full": _who(models, full_j_per_gb),
        "today_least_tok_per_gb": min(_known(models, today)),
        "today_most_tok_per_gb": max(_known(models, today)),
        "cell_least_tok_per_gb": min(all_rules),
        "cell_most_tok_per_gb": max(all_rules),
        "shrinks": cell[0]["ran_kwh_per_gb"] / cell[-1]["ran_kwh_per_gb"],
        "span": max(all_rules) / min(all_rules),
        "empty_span": _span(cell[0]),
        "full_span": _span(cell[-1]),
        "together": models[1]["alone_j_per_tok"] / models[1]["full_j_per_tok"],
        "larger": models[2]["full_j_per_tok"] / models[1]["full_j_per_tok"],
    }


def _span(cell: Found) -> float:
    """How far the rules are apart."""
    found = [row["tok_per_gb"] for row in cell["rules"]]
    return float(max(found) / min(found))


def _known(models: Sequence[Found], j_per_gb: float) -> list[float]:
    return [j_per_gb / j for row in models for j in row["j_per_tok"] if j is not None]


def _who(models: Sequence[Found], j_per_gb: float) -> str:
    """Models of which 1,000 tokens take at least so many joules, and up to which batch."""
    found = []
    for row in models:
        most = [
            batch
            for batch, j in zip(BATCHES, row["j_per_tok"], strict=True)
            if j is not None and CLAIM_TOK * j >= j_per_gb
        ]
        if most:
            found.append(f"{row['model']} up to a batch of {max(most)}")
    return listing(found) if found else "none of these models, at no batch"


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Tokens per gigabyte over the batch for networks of today, and over the load of a mast."""
    y = Scale(key="tok_per_gb", label="tokens for the energy of 1 GB", log=True)
    claim = {"1,000 tokens": CLAIM_TOK}
    cell: Sequence[Mapping[str, Any]] = found["cell"]
    return [
        lines(
            "batch", "Tokens for the energy of a gigabyte in networks of today",
            "Output tokens that take the energy of one gigabyte at 0.24 kWh/GB, over the answers "
            "made together, by model.", stamp,
            x=Scale(key="batch", label="answers made at the same time on busy H100s", log=True),
            at=BATCHES, y=y, marks=claim,
            series={
                f"{row['model']} on {row['h100']} H100": row["tok_per_gb"]
                for row in found["models"]
            },
        ),
        lines(
            "mast", "Tokens for the energy of a gigabyte at the simulated mast",
            "Output tokens of an 8B model on a GPU at the mast that take the energy of one "
            "gigabyte of its video, over the video traffic, by attribution rule.", stamp,
            x=Scale(key="video_bps", label="video traffic of the mast", unit="bps", log=True),
            at=[each["video_bps"] for each in cell], y=y, marks=claim,
            series={
                label: [each["by"][rule]["tok_per_gb"] for each in cell]
                for rule, label in RULES.items()
            },
        ),
    ]  # fmt: skip
