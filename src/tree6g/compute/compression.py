"""Compressed forms of a model as choices: bits, pruning, rank of adapters, distilled models.

Memory, time and joules follow from counts and the roofline (`replica`, `roofline`), as those of any
model. Quality is what somebody measured (table `quality`), relative to the model it was measured
against; where nobody did it is None, never guessed.

- **Bits.** Formats of the table `weight_formats`.
- **2:4 sparsity** keeps two of four values of each matrix between embedding and head, with 2 bits
  for the place of each kept one: bits/2 + 1 per value. Accelerators that have it skip half of the
  FLOP and read the kept bytes; the others store the model dense. An upper bound of what it saves:
  engines have to use it, and not all do.
- **Unstructured sparsity** saves memory at rest alone (kept values, and a bit for each place): the
  matrices are multiplied dense, so that bytes read, FLOP, time and joules stay.
- **Structured pruning** leaves a smaller dense model, counted from its own widths or layers.
- **Adapters** that are not merged are read beside the weights, and their FLOP are added, as many
  adapters serve one model. Quality of a rank is known for one model alone (Hu et al. 2021).
- **Distilled models** are models of their own.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

from tree6g import data
from tree6g.compute.accelerator import Accelerator
from tree6g.compute.model.architecture import Architecture
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.config import from_config
from tree6g.compute.model.footprint import Footprint, footprint
from tree6g.compute.model.formats import (
    WeightFormat,
    expert_byte,
    step_byte,
    stored_byte,
    weight_format,
)
from tree6g.compute.model.lora import DEFAULT_TARGETS, adapter
from tree6g.compute.replica import (
    FEW_ROWS,
    MEMORY_FRAC,
    TILE_ROWS,
    Parallel,
    Replica,
    Stored,
    spread,
)
from tree6g.compute.roofline import decode_batch, iteration, prompt_batch

TABLE: Final = "quality"
BITS: Final = ("fp16", "fp8", "int8", "int4")
RANKS: Final = (8, 64)
HALF: Final = "2:4"
# Sparse matrix units came with NVIDIA's Ampere (A100 whitepaper, 2020) and are in all later ones.
SPARSE: Final = frozenset(
    (
        "h100-sxm", "h100-nvl", "h100-pcie", "h200-sxm", "a100-80", "a100-40", "b200", "a40",
        "l40s", "l4", "a10", "a30", "rtx4090", "rtx4060ti", "rtx4050-laptop", "rtx5060-laptop",
        "rtx-pro-6000", "jetson-agx-orin", "jetson-orin-nano",
    )
)  # fmt: skip
# Sreenivas et al. 2024 (arXiv 2408.11796), Table 3: fields of the config that pruning changes.
STRUCTURED: Final = {
    ("llama-3.1-8b", "width"): {"hidden_size": 3072, "intermediate_size": 9216, "head_dim": 128},
    ("llama-3.1-8b", "depth"): {"num_hidden_layers": 16},
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One compressed form of a model.

    Attributes:
        kind: `bits`, `sparse`, `structured`, `adapter` or `distilled`.
        model: The model that is stored.
        weights: Format of its weights.
        pattern: `2:4`, `unstructured`, `width` or `depth`; empty: not pruned.
        pruned_frac: Share of the values that is gone.
        rank: Rank of unmerged adapters; 0: none.
    """

    kind: str
    model: str
    weights: str = "fp16"
    pattern: str = ""
    pruned_frac: float = 0.0
    rank: int = 0

    @property
    def name(self) -> str:
        """For people."""
        rank = f"rank {self.rank}" if self.rank else ""
        return " ".join(part for part in (self.model, self.weights, self.pattern, rank) if part)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What a benchmark said.

    Attributes:
        frac: Score over the score of what it was measured against.
        against: What that is.
        benchmark: Benchmark.
        method: How it was compressed.
        source: Where it is written.
    """

    frac: float
    against: str
    benchmark: str
    method: str
    source: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a choice takes on an accelerator.

    Attributes:
        memory_byte: Bytes of weights and adapters.
        fits: Whether they fit beside the context of all sequences.
        rate_tps: Tokens per second of the whole batch, without prompts.
        token_j: Joules per token, idle power of its time included.
        prompt_s: Time of a prompt of the same context.
        prompt_j: Its joules.
    """

    memory_byte: float
    fits: bool
    rate_tps: float
    token_j: float
    prompt_s: float
    prompt_j: float


def choices(name: str, ranks: Sequence[int] = RANKS) -> list[Choice]:
    """What is known of a model: formats, sparsity, adapters, and models distilled from it.

    Raises:
        DataError: No such model.
    """
    model = architecture(name).name
    found = [Choice(kind="bits", model=model, weights=bits) for bits in BITS]
    found += [
        Choice(kind="bits", model=model, weights=str(row["weights"]))
        for row in _rows(model)
        if row["pattern"] is None and row["lora_rank"] is None
    ]
    found += [
        Choice(kind="sparse", model=model, pattern=pattern, pruned_frac=0.5)
        for pattern in (HALF, "unstructured")
    ]
    found += [
        Choice(kind="structured", model=model, pattern=pattern)
        for of, pattern in STRUCTURED
        if of == model
    ]
    found += [Choice(kind="adapter", model=model, rank=rank) for rank in ranks]
    found += list(_distilled(model))
    return [_with_share(choice) for choice in dict.fromkeys(found)]


def qualities(choice: Choice) -> list[Quality]:
    """What was measured of a choice, the best method of each benchmark first."""
    rows = [
        row
        for row in data.table(TABLE).values()
        if row["model"] == choice.model
        and row["weights"] == choice.weights
        and (row["pattern"] or "") == choice.pattern
        and (row["lora_rank"] or 0.0) == float(choice.rank)
    ]
    found = [
        Quality(
            frac=data.number(row, "score") / data.number(row, "base_score"),
            against=data.text(row, "base"),
            benchmark=data.text(row, "benchmark"),
            method=data.text(row, "method"),
            source=data.text(row, "source"),
        )
        for row in rows
    ]
    return sorted(found, key=lambda one: (one.benchmark, -one.frac))


def relative(choice: Choice, reference: str) -> Quality | None:
    """Quality against a reference such as `llama-3.1-8b fp16`, the best method taken.

    MMLU goes before means of several benchmarks, which hide what is lost in one of them. Where it
    was measured against something else that was measured against the reference, shares are
    multiplied. None: nobody measured it.
    """
    if choice.name == reference:
        return Quality(frac=1.0, against=reference, benchmark="", method="", source="")
    found = qualities(choice)
    direct = [one for one in found if one.against == reference]
    if direct:
        return max(direct, key=_rank)
    best = max(found, key=_rank, default=None)
    if best is None or best.against == choice.name:
        return None
    model, _, weights = best.against.partition(" ")
    above = relative(Choice(kind="bits", model=model, weights=weights), reference)
    return (
        None
        if above is None
        else dataclasses.replace(best, frac=best.frac * above.frac, against=reference)
    )


def cost(choice: Choice, device: Accelerator, *, batch: int = 1, context_tok: int = 1024) -> Cost:
    """Memory, pace and joules of a choice on one accelerator, by the roofline.

    Valid where `roofline` is; what sparsity saves is an upper bound.

    Args:
        choice: The choice.
        device: The accelerator.
        batch: Sequences that are decoded together.
        context_tok: Context of each, and length of the prompt.

    Raises:
        DataError: No such model, format or rank.
    """
    model, kept_byte = footprint(shape(choice)), 0.0
    kind = _format(choice, device)
    read = Stored(
        dense_byte=step_byte(model, kind),
        expert_byte=expert_byte(model, kind),
        tile_rows=TILE_ROWS.get(kind.name, FEW_ROWS),
        narrow_flop_per_s=device.narrow_flop_per_s(kind.name) or 0.0,
    )
    made = spread(device, model, read, Parallel())
    if choice.pattern == HALF and device.name in SPARSE:
        made = _halved(made)
    if choice.rank:
        made, kept_byte = _adapted(made, choice, device)
    sequences, prompt = float(batch), float(context_tok)
    near = min(prompt, made.window_tok)
    step = iteration(made, decode_batch(sequences, sequences * prompt, sequences * near))
    first = iteration(made, prompt_batch(prompt, window_tok=made.window_tok))
    held = kept_byte + _held_byte(choice, model, kind)
    context_byte = prompt * made.kv_byte_per_tok + near * made.window_kv_byte_per_tok
    return Cost(
        memory_byte=held,
        fits=bool(held + sequences * context_byte <= device.memory_byte * MEMORY_FRAC),
        rate_tps=float(sequences / step.time_s),
        token_j=float(step.energy_j / sequences),
        prompt_s=float(first.time_s),
        prompt_j=float(first.energy_j),
    )


def shape(choice: Choice) -> Architecture:
    """The architecture of a choice; that of the model, but for structured pruning."""
    changed = STRUCTURED.get((choice.model, choice.pattern))
    if changed is None:
        return architecture(choice.model)
    return from_config({**data.model_config(choice.model), **changed}, choice.name)


def _rank(one: Quality) -> tuple[bool, float]:
    """What is taken before what."""
    return one.benchmark.startswith("MMLU"), one.frac


def _rows(model: str) -> list[data.Row]:
    return [row for row in data.table(TABLE).values() if row["model"] == model]


def _distilled(model: str) -> Iterator[Choice]:
    """Models of the table that were distilled from this one, in each of their formats."""
    rows = data.table(TABLE).values()
    students = {
        str(row["model"])
        for row in rows
        if row["model"] != model and model in data.text(row, "distilled_from").split(";")
    }
    for row in rows:
        if row["model"] in students and row["pattern"] is None:
            yield Choice(kind="distilled", model=str(row["model"]), weights=str(row["weights"]))


def _with_share(choice: Choice) -> Choice:
    """Structured pruning with the share of the parameters that is gone."""
    if choice.kind != "structured":
        return choice
    whole = footprint(architecture(choice.model)).parameters
    left = footprint(shape(choice)).parameters
    return dataclasses.replace(choice, pruned_frac=1.0 - left / whole)


def _format(choice: Choice, device: Accelerator) -> WeightFormat:
    """The format that is read: 2:4 packs the body where the accelerator can."""
    kind = weight_format(choice.weights)
    if choice.pattern != HALF or device.name not in SPARSE:
        return kind
    return dataclasses.replace(
        kind, body=0.5 * kind.body + 1.0 / 8.0, routed=0.5 * kind.routed + 1.0 / 8.0
    )


def _held_byte(choice: Choice, model: Footprint, kind: WeightFormat) -> float:
    """Bytes at rest: of unstructured sparsity the kept values, and a bit for each place."""
    if choice.pattern == "unstructured":
        left = 1.0 - choice.pruned_frac
        kind = dataclasses.replace(
            kind, body=left * kind.body + 1.0 / 8.0, routed=left * kind.routed + 1.0 / 8.0
        )
    return float(stored_byte(model, kind))


def _halved(made: Replica) -> Replica:
    """Matrix products of the body at half of their FLOP; head and attention stay."""
    return dataclasses.replace(
        made,
        prompt_flop_per_tok=0.5 * made.prompt_flop_per_tok,
        body_flop_per_tok=0.5 * made.body_flop_per_tok,
        expert_flop=0.5 * made.expert_flop,
    )


def _adapted(made: Replica, choice: Choice, device: Accelerator) -> tuple[Replica, float]:
    """With one adapter in 16 bits beside the weights, and its bytes."""
    beside = adapter(architecture(choice.model), choice.rank, DEFAULT_TARGETS)
    byte = beside.stored_byte()
    pace = device.bandwidth_byte_per_s * device.weight_efficiency_frac
    return (
        dataclasses.replace(
            made,
            weight_byte=made.weight_byte + byte,
            weight_s=made.weight_s + byte / pace,
            prompt_flop_per_tok=made.prompt_flop_per_tok + beside.flop_per_tok,
            body_flop_per_tok=made.body_flop_per_tok + beside.flop_per_tok,
        ),
        byte,
    )
