"""Accelerators: peaks, power, clock states, and what of the peaks an inference engine reaches."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from tree6g import data
from tree6g.errors import DataError, nearest

EIGHT_BIT: Final = ("fp8", "fp8-row", "int8")  # weights that 8-bit arithmetic may use


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """A GPU, NPU, CPU or SoC with an inference engine on it.

    The fourteen constants from `static_w` to `allreduce_s` are calibrated per accelerator and
    engine version (table `engine_constants`, or `tree6g calibrate accelerator`); the rest are facts
    of the product. Fields may hold arrays that broadcast: then so do the figures made of them.

    Attributes:
        name: Row of the table `accelerators`.
        engine: Engine and version that the constants belong to.
        fp16_flop_per_s: Peak of dense 16-bit matrix arithmetic.
        fp8_flop_per_s: The same in FP8; None: FP8 weights are unpacked to 16 bits.
        int8_flop_per_s: The same in INT8.
        bandwidth_byte_per_s: Peak memory bandwidth.
        memory_byte: Memory.
        tdp_w: Power limit.
        idle_bare_w: Idle without a process on it.
        idle_context_w: Idle with a loaded model: what a serving replica draws while it waits.
        interconnect_byte_per_s: Bandwidth to its peers; None: no parallel use.
        static_w: Power during an iteration apart from bytes and FLOP.
        energy_j_per_byte: Energy of a byte of weights or state from memory.
        energy_j_per_kv_byte: Energy of a byte of keys and values, attention over it included.
        energy_j_per_flop: Energy of a FLOP.
        weight_efficiency_frac: Share of bandwidth reached when reading weights.
        kv_efficiency_frac: Share of bandwidth reached when reading keys and values.
        compute_efficiency_frac: Share of peak 16-bit arithmetic reached.
        compute_efficiency_8bit_frac: Share of peak 8-bit arithmetic reached.
        layer_s: Launch and host time per layer and iteration; what an iteration takes besides is
            not told apart from it by measurements, and is in it.
        expert_layer_s: What a layer with routed experts takes longer: routing, sorting, launches.
        prompt_layer_s: What a layer takes longer in an iteration with prompts in it, which runs
            without a captured graph.
        sequence_s: Host time per sequence and iteration.
        sequence_doubling_frac: By what share of it that time grows with each doubling of the
            replica's devices, whose workers are told of every sequence.
        allreduce_s: Latency of one all-reduce.
        u95_frac: Half width of the 95 % interval of its energy, relative.
    """

    name: str
    engine: str
    fp16_flop_per_s: float
    fp8_flop_per_s: float | None
    int8_flop_per_s: float | None
    bandwidth_byte_per_s: float
    memory_byte: float
    tdp_w: float
    idle_bare_w: float
    idle_context_w: float
    interconnect_byte_per_s: float | None
    static_w: float
    energy_j_per_byte: float
    energy_j_per_kv_byte: float
    energy_j_per_flop: float
    weight_efficiency_frac: float
    kv_efficiency_frac: float
    compute_efficiency_frac: float
    compute_efficiency_8bit_frac: float
    layer_s: float
    expert_layer_s: float
    prompt_layer_s: float
    sequence_s: float
    sequence_doubling_frac: float
    allreduce_s: float
    u95_frac: float

    def narrow_flop_per_s(self, weights: str) -> float | None:
        """Peak of the 8-bit arithmetic that weights in a storage format use, None for 16-bit."""
        if weights not in EIGHT_BIT:
            return None
        return self.int8_flop_per_s if weights == "int8" else self.fp8_flop_per_s

    def reached_flop_per_s(self, weights: str) -> float:
        """Arithmetic that the engine reaches with weights in a storage format."""
        narrow = self.narrow_flop_per_s(weights)
        if narrow is None:
            return self.fp16_flop_per_s * self.compute_efficiency_frac
        return narrow * self.compute_efficiency_8bit_frac


CONSTANTS: Final = (
    "static_w", "energy_j_per_byte", "energy_j_per_kv_byte", "energy_j_per_flop",
    "weight_efficiency_frac", "kv_efficiency_frac", "compute_efficiency_frac",
    "compute_efficiency_8bit_frac", "layer_s", "expert_layer_s", "prompt_layer_s", "sequence_s",
    "sequence_doubling_frac", "allreduce_s",
)  # fmt: skip
_OPTIONAL: Final = ("fp8_flop_per_s", "int8_flop_per_s", "interconnect_byte_per_s")
_PEAKS: Final = (
    "fp16_flop_per_s", "bandwidth_byte_per_s", "memory_byte", "tdp_w", "idle_bare_w",
    "idle_context_w",
)  # fmt: skip


def accelerator(name: str, engine: str | None = None) -> Accelerator:
    """An accelerator of the packaged tables.

    Args:
        name: Row of `accelerators`.
        engine: Engine of `engine_constants`; None for the first row of the accelerator there.

    Raises:
        DataError: No such row; the message names the nearest.
    """
    facts, fitted = data.row("accelerators", name), _constants(name, engine)
    values: dict[str, float] = {c: data.number(facts, c) for c in _PEAKS}
    values |= {c: data.number(fitted, c) for c in (*CONSTANTS, "u95_frac")}
    absent: dict[str, float | None] = {c: _optional(facts, c) for c in _OPTIONAL}
    return Accelerator(name=name, engine=data.text(fitted, "engine"), **values, **absent)  # type: ignore[arg-type]


def metered(a: Accelerator, idle_w: float | None, energy_scale: float) -> Accelerator:
    """An accelerator whose idle power and whose joules above it are as somebody measured them.

    Times stay as they are, so power above idle is scaled as well, and its limit with it.

    Args:
        a: The accelerator with the constants of its table.
        idle_w: Idle with a loaded model; None: as it is.
        energy_scale: Factor on the joules above idle.
    """
    if idle_w is None and energy_scale == 1.0:
        return a
    rest_w = a.idle_context_w if idle_w is None else idle_w
    return dataclasses.replace(
        a,
        idle_context_w=rest_w,
        static_w=rest_w + energy_scale * (a.static_w - a.idle_context_w),
        tdp_w=rest_w + energy_scale * (a.tdp_w - a.idle_context_w),
        energy_j_per_byte=energy_scale * a.energy_j_per_byte,
        energy_j_per_kv_byte=energy_scale * a.energy_j_per_kv_byte,
        energy_j_per_flop=energy_scale * a.energy_j_per_flop,
    )


def engines(name: str) -> tuple[str, ...]:
    """Engines that constants of an accelerator are packaged for, the usual one first."""
    rows = data.table("engine_constants").values()
    return tuple(data.text(r, "engine") for r in rows if r["accelerator"] == name)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """A clock of the arithmetic units below the highest, in shares of what the highest gives.

    Attributes:
        name: State of the table `clock_states`.
        compute_frac: Arithmetic.
        bandwidth_frac: Memory bandwidth that is reached: 1 until the knee, below which too few
            requests for memory are under way.
        static_frac: Power of an iteration above idle in context.
        flop_energy_frac: Energy of a FLOP, by the square of the voltage.
    """

    name: str
    compute_frac: float
    bandwidth_frac: float
    static_frac: float
    flop_energy_frac: float


def clock_states(name: str) -> tuple[ClockState, ...]:
    """Clock states of an accelerator, the fastest first; those of its generation where it has none.

    Raises:
        DataError: No such accelerator.
    """
    family = data.text(data.row("accelerators", name), "clocks_of")
    rows = [r for r in data.table("clock_states").values() if r["clocks_of"] == family]
    fields = ("compute_frac", "bandwidth_frac", "static_frac", "flop_energy_frac")
    return tuple(
        ClockState(name=data.text(r, "state"), **{f: data.number(r, f) for f in fields})
        for r in rows
    )


def at_clock(device: Accelerator, state: ClockState) -> Accelerator:
    """The accelerator with its clock locked to a state.

    Valid for iterations: idle power is left as it is, host times too. Energy per byte does not
    change, since memory has a clock of its own.
    """
    above_w = device.static_w - device.idle_context_w
    return dataclasses.replace(
        device,
        compute_efficiency_frac=device.compute_efficiency_frac * state.compute_frac,
        compute_efficiency_8bit_frac=device.compute_efficiency_8bit_frac * state.compute_frac,
        weight_efficiency_frac=device.weight_efficiency_frac * state.bandwidth_frac,
        kv_efficiency_frac=device.kv_efficiency_frac * state.bandwidth_frac,
        static_w=device.idle_context_w + state.static_frac * above_w,
        energy_j_per_flop=device.energy_j_per_flop * state.flop_energy_frac,
    )


def locked(device: Accelerator, clock: str | None) -> Accelerator:
    """The accelerator with its clock locked to a state by name; None: as it is.

    Raises:
        DataError: It has no such state; the message lists those that it has.
    """
    if clock is None:
        return device
    states = {state.name.lower(): state for state in clock_states(device.name)}
    if clock.lower() not in states:
        names = ", ".join(state.name for state in states.values())
        raise DataError(f"expected a clock of '{device.name}' ({names}); got {clock!r}.")
    return at_clock(device, states[clock.lower()])


def with_constants(device: Accelerator, engine: str, constants: Mapping[str, float]) -> Accelerator:
    """The accelerator with other calibrated constants; those not given stay.

    Raises:
        DataError: A name is none of `CONSTANTS`.
    """
    for name in constants:
        if name not in CONSTANTS:
            raise DataError(f"expected a calibrated constant; got {name!r}. "
                            f"{nearest(name, CONSTANTS)}")  # fmt: skip
    return dataclasses.replace(device, engine=engine, **constants)  # type: ignore[arg-type]


def _constants(name: str, engine: str | None) -> data.Row:
    known = engines(name)
    chosen = engine or (known[0] if known else "")
    if chosen not in known:
        raise DataError(
            f"expected an engine with constants for '{name}' ({', '.join(known) or 'none'}); got "
            f"{engine!r}. Fit your own: tree6g calibrate accelerator FILE"
        )
    return data.row("engine_constants", f"{name}|{chosen}")


def _optional(row: data.Row, column: str) -> float | None:
    return None if row.get(column) is None else data.number(row, column)
