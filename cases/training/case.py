"""What training takes: by method, by model, against what was published, and per served token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from charts import Scale, bars, lines
from study import Bench, Design, Found, verdict

from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import architecture
from tree6g.ledger.reading import Ledger
from tree6g.lifecycle.service import Use
from tree6g.report.canvas import Drawing
from tree6g.report.life_use import Assumptions, gather
from tree6g.training.communication import Layout, exchange
from tree6g.training.published import published_models, published_run
from tree6g.training.run import Plan, Run, least_layout
from tree6g.training.run import run as train
from tree6g.training.work import METHODS, Method, Trainee, flop_per_unit, trainee

SCENARIO = str(Path(__file__).parents[1] / "lifecycle" / "corner.yaml")
MODEL, DEVICE = "llama-3.1-8b", "h100-sxm"
TUNED_TOK, SEQUENCE, BATCH_TOK = 1e7, 2048, 131072.0  # a fine-tuning of ten million tokens
HOST_W, PUE, COPIES = 150.0, 1.2, 8
SIZES = {"1B": "llama-3.2-1b", "3B": "llama-3.2-3b", "8B": "llama-3.1-8b"}
SERVED_TOK = (1e9, 1e10, 1e11, 1e12, 1e13, 1e14)
QUICK = ("duration=30 s", "drain=30 s")


def run(bench: Bench) -> Found:
    """Methods on one model, published runs again, and training per served token."""
    designs = {
        size: Design(SCENARIO, (f"sites.0.servers.gpu.model={model}",))
        for size, model in SIZES.items()
    }
    if bench.quick:  # one corner stands for all
        designs = {"8B": designs["8B"]}
    made = bench.ledgers(designs, quick=QUICK)
    ledgers = {size: made.get(size, made["8B"]) for size in SIZES}
    methods = [_method(method) for method in METHODS[1:]]
    served = [_served(size, ledgers[size]) for size in SIZES]
    published = [_published(name) for name in published_models()]
    return {
        "methods": methods,
        "method": {row["method"]: row for row in methods},
        "published": published,
        "longest": max(1.0 / row["ratio"] for row in published),
        "served": served,
        "serve": {row["size"]: row for row in served},
        "at_tok": list(SERVED_TOK),
        "verdict": verdict(ledgers),
    }


def _method(method: Method) -> Found:
    """Fine-tuning of the 8B model on as few H100s as hold it."""
    model, device = trainee(architecture(MODEL), method, sequence=SEQUENCE), accelerator(DEVICE)
    layout = least_layout(model, method, device)
    done = _run(model, method, TUNED_TOK, layout)
    sent = exchange(model, Layout(data=COPIES), BATCH_TOK)
    return {
        "method": method,
        "trained": model.trained,
        "flop_per_tok": flop_per_unit(model),
        "state_byte": done.state_byte,
        "devices": layout.devices,
        "sent_byte": sent.data_byte,
        "energy_j": done.energy_j,
    }


def _run(model: Trainee, method: Method, units: float, layout: Layout) -> Run:
    return train(
        Plan(
            model=model, method=method, units=units, batch=BATCH_TOK, device=accelerator(DEVICE),
            layout=layout, host_w=HOST_W, pue=PUE,
        )
    )  # fmt: skip


def _published(name: str) -> Found:
    """Our device hours of a published run over theirs."""
    told = published_run(name)
    assert told is not None
    assert told.units_tok is not None
    model = trainee(architecture(told.model), "pretrain", sequence=told.sequence_tok)
    device = accelerator(told.accelerator)
    done = train(
        Plan(
            model=model, method="pretrain", units=told.units_tok, batch=4e6, device=device,
            layout=least_layout(model, "pretrain", device),
        )
    )  # fmt: skip
    return {
        "model": name,
        "hours": told.device_s / 3600.0,
        "energy_j": told.energy_j,
        "ours_hours": done.device_s / 3600.0,
        "ratio": done.device_s / told.device_s,
        "energy_ratio": done.device_j / told.energy_j,
    }


def _served(size: str, ledger: Ledger) -> Found:
    """Inference per token of a corner, and training per token over what the model serves."""
    told = published_run(SIZES[size])
    assert told is not None
    (found,) = gather(ledger, Assumptions())
    use = found.use
    inference_j = use.inference_j.value / use.tokens
    return {
        "size": size,
        "inference_j": inference_j,
        "training_j": told.energy_j,
        "even": f"{told.energy_j / inference_j:.1e}",
        "life_beq_per_j": [_life(use, told.energy_j / n) for n in SERVED_TOK],
    }


def _life(use: Use, training_j: float) -> float:
    """TREE over life where training adds so many joules to a token."""
    use_j = use.inference_j.value + use.network_j.value
    return (use.utility_beq or 0.0) / (use_j + training_j * use.tokens)


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """TREE over life over the tokens that a model serves; our device hours over published ones."""
    return [
        lines(
            "life", "TREE over life, by how many tokens a model serves",
            "Utility per joule of use and training over the tokens that a model serves in its life,"
            " by size.", stamp,
            x=Scale(key="life_tok", label="tokens that the model serves, everywhere", log=True),
            at=found["at_tok"],
            y=Scale(key="tree_beq_per_j", label="TREE over life", unit="beq_per_j", log=True),
            series={row["size"]: row["life_beq_per_j"] for row in found["served"]},
        ),
        bars(
            "published", "Device hours of published runs, ours over theirs",
            "Our device hours at 40 % of the peak over the published ones, by model.", stamp,
            groups=[row["model"].removeprefix("llama-").replace("-", " ")
                    for row in found["published"]],
            y=Scale(key="ratio", label="our hours over theirs", zero=True),
            series={"at 40 % of peak arithmetic": [row["ratio"] for row in found["published"]]},
        ),
    ]  # fmt: skip
