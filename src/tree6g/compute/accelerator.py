"""Accelerators and language models as records of the packaged tables."""

from __future__ import annotations

import dataclasses
from typing import Final, Literal

from tree6g import data

Weights = Literal["fp16", "fp8", "int8", "int4"]

# Bytes per parameter as stored; int4 with scales and some layers in more bits (Q4_K_M, about 0.6).
BYTE_PER_PARAMETER: Final[dict[Weights, float]] = {
    "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.6,
}  # fmt: skip
KV_BYTE: Final = 2.0  # keys and values are kept in 16 bits


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU, NPU or SoC: peaks, power, and what of the peaks inference reaches.

    Attributes:
        name: Row of the packaged table.
        flop_per_s: Peak of dense matrix arithmetic by precision of the weights.
        bandwidth_byte_per_s: Peak memory bandwidth.
        memory_byte: Memory.
        tdp_w: Power limit.
        idle_bare_w: Idle without a process on it.
        idle_context_w: Idle with a loaded model: what a serving replica draws while it waits.
        static_w: Power during an iteration that moves nothing and computes nothing.
        energy_j_per_byte: Energy of a byte from memory.
        energy_j_per_flop: Energy of a FLOP.
        weight_efficiency_frac: Share of bandwidth reached when reading weights.
        compute_efficiency_frac: Share of peak arithmetic reached, by precision.
        kv_efficiency_frac: Share of bandwidth reached when reading keys and values.
        step_s: Host time per iteration.
        layer_s: Host and launch time per layer and iteration.
        sequence_s: Host time per sequence and iteration.
        interconnect_byte_per_s: Bandwidth to its peers; None: no parallel use.
        allreduce_s: Latency of one all-reduce.
        u95_frac: Half width of the 95 % interval of its energy, relative.
    """

    name: str
    flop_per_s: dict[Weights, float]
    bandwidth_byte_per_s: float
    memory_byte: float
    tdp_w: float
    idle_bare_w: float
    idle_context_w: float
    static_w: float
    energy_j_per_byte: float
    energy_j_per_flop: float
    weight_efficiency_frac: float
    compute_efficiency_frac: dict[Weights, float]
    kv_efficiency_frac: float
    step_s: float
    layer_s: float
    sequence_s: float
    interconnect_byte_per_s: float | None
    allreduce_s: float
    u95_frac: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LanguageModel:
    """A dense decoder: the numbers of its published config.

    Attributes:
        name: Row of the packaged table.
        parameters: All parameters, vision encoder included.
        vision_parameters: Of these, those of a vision encoder, used in prefill only.
        layers: Decoder layers.
        hidden: Width.
        heads: Query heads.
        kv_heads: Heads of keys and values.
        head_dim: Width of a head.
        vocabulary: Rows of the embedding.
        tied: Whether output head and embedding are one matrix.
    """

    name: str
    parameters: float
    vision_parameters: float
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool

    @property
    def head_parameters(self) -> float:
        """Parameters of the output head, used once per token that is sampled."""
        return float(self.vocabulary * self.hidden)

    @property
    def body_parameters(self) -> float:
        """Parameters that every token passes: no embedding, no head, no vision encoder."""
        embeddings = 1 if self.tied else 2
        return self.parameters - self.vision_parameters - embeddings * self.head_parameters

    @property
    def kv_byte_per_tok(self) -> float:
        """Bytes of keys and values per token of context: 2 L k h b."""
        return 2.0 * self.layers * self.kv_heads * self.head_dim * KV_BYTE


def accelerator(name: str) -> Accelerator:
    """An accelerator of the packaged table.

    8-bit weights use 8-bit arithmetic where there is any; 4-bit weights are unpacked to 16 bits.

    Raises:
        DataError: No such row; the message names the nearest.
    """
    row = data.row("accelerators", name)
    fp16 = data.number(row, "fp16_flop_per_s")
    wide = data.number(row, "compute_efficiency_frac")
    narrow = data.number(row, "compute_efficiency_8bit_frac")
    peak: dict[Weights, float] = {"fp16": fp16, "int4": fp16}
    reached: dict[Weights, float] = {"fp16": wide, "int4": wide}
    formats: tuple[tuple[Weights, str], ...] = (
        ("fp8", "fp8_flop_per_s"), ("int8", "int8_flop_per_s"),
    )  # fmt: skip
    for weights, column in formats:
        fast = _optional(row, column)
        peak[weights] = fp16 if fast is None else fast
        reached[weights] = wide if fast is None else narrow
    plain = {
        f.name: data.number(row, f.name)
        for f in dataclasses.fields(Accelerator)
        if f.name not in _DERIVED
    }
    return Accelerator(
        name=name,
        flop_per_s=peak,
        compute_efficiency_frac=reached,
        interconnect_byte_per_s=_optional(row, "interconnect_byte_per_s"),
        allreduce_s=_optional(row, "allreduce_s") or 0.0,
        **plain,
    )


def language_model(name: str) -> LanguageModel:
    """A language model of the packaged table.

    Raises:
        DataError: No such row; the message names the nearest.
    """
    row = data.row("models", name)
    whole = ("layers", "hidden", "heads", "kv_heads", "head_dim")
    return LanguageModel(
        name=name,
        parameters=data.number(row, "parameters"),
        vision_parameters=data.number(row, "vision_parameters"),
        vocabulary=int(data.number(row, "vocabulary")),
        tied=data.number(row, "tied_embeddings") == 1.0,
        **{column: int(data.number(row, column)) for column in whole},
    )


_DERIVED: Final = (
    "name", "flop_per_s", "compute_efficiency_frac", "interconnect_byte_per_s", "allreduce_s",
)  # fmt: skip


def _optional(row: data.Row, column: str) -> float | None:
    return None if row.get(column) is None else data.number(row, column)
