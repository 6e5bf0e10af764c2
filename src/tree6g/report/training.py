"""A training run in words and tables: FLOP, memory, exchange, time, energy, what was published."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

from tree6g.report.numerals import percent, plain, quantity
from tree6g.report.tables import Cell, Column, Table
from tree6g.training.published import PublishedRun
from tree6g.training.run import (
    UTILISATION_HIGH_FRAC,
    UTILISATION_LOW_FRAC,
    Plan,
    Run,
    energy_range_j,
    fastest_and_slowest,
)
from tree6g.training.work import flop_per_unit

_WORDS: Final = {
    "pretrain": "pre-training",
    "full": "full fine-tuning",
    "lora": "LoRA",
    "qlora": "QLoRA",
}
_PARTS: Final = (
    ("device_j", "accelerators"),
    ("host_j", "their hosts"),
    ("link_j", "exchange"),
    ("overhead_j", "site overhead"),
)


def tables(plan: Plan, run: Run) -> tuple[Table, ...]:
    """What is trained and what it takes, then where the joules go."""
    return (_takes(plan, run), _energy(run))


def title(plan: Plan) -> str:
    """What the run is, in one line."""
    model = plan.model
    return (
        f"{model.name}, {_WORDS[plan.method]}: {plain(plan.units)} {model.unit}s on "
        f"{plan.layout.devices} x {plan.device.name}"
    )


def _takes(plan: Plan, run: Run) -> Table:
    model, layout = plan.model, plan.layout
    quick, slow = fastest_and_slowest(plan)
    rows: list[tuple[Cell, ...]] = [
        ("parameters", plain(model.parameters)),
        (
            "of them trained",
            f"{plain(model.trained)} ({percent(model.trained / model.parameters)})",
        ),
        (
            f"FLOP per {model.unit}",
            quantity(flop_per_unit(model, recompute=plan.recompute), "flop"),
        ),
        ("FLOP of the run", f"{run.flop:.3g}"),
        ("weights, gradients, optimiser", quantity(run.state_byte, "byte")),
        ("held by a device", quantity(run.device_byte, "byte")),
        ("devices", f"{layout.data} data x {layout.tensor} tensor x {layout.pipeline} pipeline"),
        ("sent per device and update", quantity(run.exchange.byte, "byte")),
        ("updates", plain(run.updates)),
        ("time", _ranged(run.time_s, (quick.time_s, slow.time_s), lambda v: quantity(v, "s"))),
        (
            "device hours",
            _ranged(run.device_s, (quick.device_s, slow.device_s), lambda v: plain(v / 3600.0)),
        ),
        ("bound by", run.bound_by),
        ("power of an accelerator", quantity(run.device_w, "w")),
    ]
    columns = (Column(key="what", head="what"), Column(key="value", head="value"))
    return Table(name="training", title=title(plan), columns=columns, rows=tuple(rows))


def _ranged(value: float, ends: tuple[float, float], words: Callable[[float], str]) -> str:
    """A value with its ends, where it has any: a run that waits for memory or links has none."""
    low, high = ends
    return words(value) if low == high else f"{words(value)} ({words(low)} to {words(high)})"


def _energy(run: Run) -> Table:
    rows: list[tuple[Cell, ...]] = [(words, getattr(run, key)) for key, words in _PARTS]
    rows.append(("all", run.energy_j))
    columns = (Column(key="part", head="part"), Column(key="energy_j", head="energy", unit="j"))
    return Table(name="training-energy", title="Energy", columns=columns, rows=tuple(rows))


def notes(plan: Plan, run: Run, published: PublishedRun | None) -> Sequence[str]:
    """How far the energy may be off, and what was published of the same run."""
    low, high = energy_range_j(plan)
    range_told = (
        f"modelled, {percent(plan.utilisation_frac)} of peak arithmetic reached over the run; "
        f"{quantity(low, 'j')} to {quantity(high, 'j')} from {percent(UTILISATION_HIGH_FRAC)} to "
        f"{percent(UTILISATION_LOW_FRAC)} and with the error of the power constants. Runs reached "
        "these as published: PaLM the most, Llama 3.1 8B the least; small models of late, trained "
        "long, took up to 2.7 times the device hours of 40 %."
    )
    told = [range_told]
    if plan.method == "qlora":
        told.append("unpacking 4-bit weights takes time that is not modelled.")
    if published is not None and _same(plan, published):
        ratio = run.device_s / published.device_s
        told.append(
            f"published: {plain(published.device_s / 3600.0)} device hours, "
            f"{quantity(published.energy_j, 'j')} at {published.device_w:g} W, "
            f"{quantity(published.kgco2e, 'kgco2e')}; ours takes {ratio:.2f} times their hours."
        )
        told.append(f"source: {published.source}.")
    return told


def to_dict(plan: Plan, run: Run, published: PublishedRun | None) -> dict[str, Any]:
    """Everything for programs."""
    low, high = energy_range_j(plan)
    quick, slow = fastest_and_slowest(plan)
    same = published if published is not None and _same(plan, published) else None
    return {
        "model": plan.model.name,
        "method": plan.method,
        "unit": plan.model.unit,
        "units": plan.units,
        "sequence": plan.model.sequence,
        "accelerator": plan.device.name,
        "layout": dataclasses.asdict(plan.layout),
        "utilisation_frac": plan.utilisation_frac,
        "parameters": plan.model.parameters,
        "trained_parameters": plan.model.trained,
        "flop_per_unit": flop_per_unit(plan.model, recompute=plan.recompute),
        **dataclasses.asdict(run),
        "energy_j": run.energy_j,
        "time_low_s": quick.time_s,
        "time_high_s": slow.time_s,
        "device_low_s": quick.device_s,
        "device_high_s": slow.device_s,
        "energy_low_j": low,
        "energy_high_j": high,
        "published": None
        if same is None
        else {**dataclasses.asdict(same), "energy_j": same.energy_j},
    }


def _same(plan: Plan, published: PublishedRun) -> bool:
    """Whether a plan is the published run: its tokens on its accelerator."""
    return (
        plan.method == "pretrain"
        and plan.units == published.units_tok
        and plan.device.name == published.accelerator
    )
