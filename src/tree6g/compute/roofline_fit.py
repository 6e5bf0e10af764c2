"""Constants of accelerators from measurements of saturated serving, after `roofline.saturated`.

Seconds per step and joules per output token are fitted together, as logarithms:

    sum rho((ln J' - ln J) / sigma) + rho((ln R' - ln R) / sigma) + rho((ln G' - ln G) / 2 sigma)
        + sum (ln c - ln c0)^2 / s_c^2

G is the median gap between two tokens, where it was measured: it tells iterations with prompts from
those without. Clients see tokens in bunches, so it counts half.
with rho(x) = 2 (sqrt(1 + x^2) - 1), which gives outliers (host-bound runs) less weight, sigma 15 %,
rows of a model family weighted by one over the root of their number (they are near-duplicates), and
a prior per constant: a usual value c0 with the width s_c of its logarithm. What the data do not
tell stays at its prior. Lengths of prompts and the spread of answers, which published sets do not
state, are fitted per task, as facts of the workload and not of the accelerator.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from tree6g.compute.accelerator import CONSTANTS, Accelerator, with_constants
from tree6g.compute.model.footprint import Footprint
from tree6g.compute.replica import Parallel, Stored, spread
from tree6g.compute.roofline import alone, median_gap_s, saturated

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Record = TypeVar("Record")

SIGMA: Final = 0.15
GAP_WEIGHT: Final = 0.5
ALL: Final = -1
CLOSE: Final = 0.95  # the most of a peak that anything reaches


@dataclasses.dataclass(frozen=True, slots=True)
class Prior:
    """What is known of a constant before the data.

    Attributes:
        usual: Its usual value; of `static_w` in idle powers in context.
        width: Standard deviation of its logarithm.
        most: What it cannot exceed.
    """

    usual: float
    width: float
    most: float = np.inf


# Usual values are those of earlier fits and of data sheets. Saturated serving hardly tells joules
# per FLOP from prompt lengths, but large products do: an H100 at its 700 W reaches more than half
# of its 16-bit peak, so a FLOP cannot take much more than (700 W - static) / (0.6 x 989 TFLOP/s).
PRIORS: Final[Mapping[str, Prior]] = {
    "static_w": Prior(2.0, 0.2),
    "energy_j_per_byte": Prior(8e-11, 0.5),
    "energy_j_per_kv_byte": Prior(1.2e-10, 0.6),
    "energy_j_per_flop": Prior(5e-13, 0.15),
    "weight_efficiency_frac": Prior(0.8, 0.15, CLOSE),
    "kv_efficiency_frac": Prior(0.7, 0.3, CLOSE),
    "compute_efficiency_frac": Prior(0.6, 0.15, 0.8),
    "compute_efficiency_8bit_frac": Prior(0.3, 0.5, CLOSE),
    "layer_s": Prior(2e-5, 1.0),
    "expert_layer_s": Prior(5e-5, 1.0),
    "prompt_layer_s": Prior(2e-5, 1.0),
    "sequence_s": Prior(6e-5, 1.5),
    "sequence_doubling_frac": Prior(0.05, 1.0),
    "allreduce_s": Prior(1.5e-5, 0.7),
}
PROMPT_PRIOR: Final = Prior(200.0, 0.4)
# Code completion with the files around it: 2,048 tokens on average in the Azure code trace of 2023.
LONG_PROMPT_PRIOR: Final = Prior(2048.0, 0.8)
LONG_PROMPT_TASKS: Final = ("fim", "completion", "rag", "summar")
SPREAD_PRIOR: Final = Prior(0.7, 0.3)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Runs:
    """Measured runs of saturated serving.

    Attributes:
        devices: The accelerators that occur.
        device: Which of them ran. [run]
        tasks: The workloads that occur.
        task: Which of them it was. [run]
        model: Footprints, each field an array. [run]
        weights: Storage of the weights, each field an array. [run]
        parallel: How the model was spread, each field an array. [run]
        batch: Sequences served together. [run]
        input_tok: Mean prompt length; NaN where it is not known. [run]
        output_tok: Mean answer length. [run]
        j_per_tok: Energy per output token. [run]
        tok_per_s: Output tokens per second; NaN where it is not known. [run]
        gap_s: Median gap between tokens of an answer; NaN where it is not known. [run]
        family: Family of each run's model, a number. [run]
        alone: Of runs with one request at a time: 1 where its prompt is counted, 0 where only
            decoding is; None for serving under load. [run]
        constants: What is fitted of each device; the rest stays as it is.
        shared: Of these, what all devices have in common.
        priors: What is known of them before.
    """

    devices: tuple[Accelerator, ...]
    device: IntArray
    tasks: tuple[str, ...]
    task: IntArray
    model: Footprint
    weights: Stored
    parallel: Parallel
    batch: FloatArray
    input_tok: FloatArray
    output_tok: FloatArray
    j_per_tok: FloatArray
    tok_per_s: FloatArray
    gap_s: FloatArray
    family: IntArray
    alone: FloatArray | None = None
    constants: tuple[str, ...] = CONSTANTS
    shared: tuple[str, ...] = ()
    priors: Mapping[str, Prior] = dataclasses.field(default_factory=lambda: PRIORS)

    def __len__(self) -> int:
        return len(self.batch)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One number of a fit: a constant of a device, or a length or spread of a task.

    Attributes:
        name: What it is.
        of: The device or task; `ALL` for all of them.
        prior: What is known of it before.
    """

    name: str
    of: int
    prior: Prior


def stacked(records: Sequence[Record]) -> Record:
    """Records of one kind as one whose numbers are arrays; None becomes infinity `[record]`."""
    first = records[0]
    names = [f.name for f in dataclasses.fields(first)]  # type: ignore[arg-type]
    columns = {n: [getattr(r, n) for r in records] for n in names}
    numbers = {n: c for n, c in columns.items() if any(isinstance(v, (int, float)) for v in c)}
    arrays = {n: np.array([np.inf if v is None else v for v in c], dtype=float)
              for n, c in numbers.items()}  # fmt: skip
    return dataclasses.replace(first, **arrays)  # type: ignore[type-var]


def parameters(runs: Runs) -> tuple[Parameter, ...]:
    """What is fitted: the constants of each device, prompt and spread of each task."""
    found = [
        Parameter(name=name, of=i, prior=_scaled(runs.priors[name], device, name))
        for i, device in enumerate(runs.devices)
        for name in runs.constants
        if name not in runs.shared
    ]
    found += [
        Parameter(name=name, of=ALL, prior=_scaled(runs.priors[name], runs.devices[0], name))
        for name in runs.shared
    ]
    if runs.alone is not None:
        return tuple(found)
    for i, task in enumerate(runs.tasks):
        if np.isnan(runs.input_tok[runs.task == i]).any():
            found.append(Parameter(name="input_tok", of=i, prior=prompt_prior(task)))
        found.append(Parameter(name="answer_cv", of=i, prior=SPREAD_PRIOR))
    return tuple(found)


def predict(
    runs: Runs, chosen: Sequence[Parameter], z: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Joules per output token and output tokens per second.

    Args:
        runs: The runs.
        chosen: The parameters.
        z: Logarithms of the parameters over their usual values. [point, parameter]

    Returns:
        Both, [point, run].
    """
    joules, rate, _ = _predicted(runs, chosen, z)
    return joules, rate


def _predicted(
    runs: Runs, chosen: Sequence[Parameter], z: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Joules per token, tokens per second, and the median gap between tokens `[point, run]`."""
    shape = (len(z), len(runs))
    device = stacked([runs.devices[i] for i in runs.device])
    constants = {n: np.broadcast_to(getattr(device, n), shape).copy() for n in CONSTANTS}
    input_tok = np.broadcast_to(_known(runs.input_tok), shape).copy()
    cv = np.full(shape, SPREAD_PRIOR.usual)
    targets: dict[str, tuple[FloatArray, IntArray]] = {
        n: (constants[n], runs.device) for n in CONSTANTS
    }
    targets |= {"input_tok": (input_tok, runs.task), "answer_cv": (cv, runs.task)}
    unknown = np.isnan(runs.input_tok)
    for j, p in enumerate(chosen):
        values, owner = targets[p.name]
        where = ((owner == p.of) | (p.of == ALL)) & (unknown if p.name == "input_tok" else True)
        values[:, where] = p.prior.usual * np.exp(z[:, j : j + 1])
    fitted = with_constants(device, device.engine, cast("Any", constants))
    r = spread(fitted, runs.model, runs.weights, runs.parallel)
    if runs.alone is None:
        cost = saturated(r, runs.batch, input_tok, runs.output_tok, cv)
        gap_s = median_gap_s(r, runs.batch, input_tok, runs.output_tok, cv)
    else:
        cost = alone(r, input_tok, runs.output_tok, runs.alone)
        gap_s = cost.time_s
    return cost.energy_j / runs.batch, runs.batch / cost.time_s, gap_s


def residuals(runs: Runs, chosen: Sequence[Parameter], z: FloatArray, rows: IntArray) -> FloatArray:
    """Residuals of the module's sum for some runs, then of the priors `[point, residual]`."""
    part = take(runs, rows)
    joules, rate, gap_s = _predicted(part, chosen, z)
    timed, seen = ~np.isnan(part.tok_per_s), ~np.isnan(part.gap_s)
    weight = _family_weight(part.family)
    off = [
        weight * (np.log(joules) - np.log(part.j_per_tok)),
        (weight * (np.log(rate) - np.log(part.tok_per_s)))[:, timed],
        (GAP_WEIGHT * weight * (np.log(gap_s) - np.log(part.gap_s)))[:, seen],
    ]
    x = np.concatenate(off, axis=1) / SIGMA
    width = np.array([p.prior.width for p in chosen])
    return np.concatenate([np.sign(x) * np.sqrt(2.0 * (np.hypot(1.0, x) - 1.0)), z / width], axis=1)


def prompt_prior(task: str) -> Prior:
    """What is known of the prompts of a task by its name."""
    long = any(word in task.lower() for word in LONG_PROMPT_TASKS)
    return LONG_PROMPT_PRIOR if long else PROMPT_PRIOR


def take(runs: Runs, rows: IntArray) -> Runs:
    """Some of the runs."""
    return dataclasses.replace(
        runs,
        model=_taken(runs.model, rows),
        weights=_taken(runs.weights, rows),
        parallel=_taken(runs.parallel, rows),
        alone=None if runs.alone is None else runs.alone[rows],
        **{name: getattr(runs, name)[rows] for name in _ARRAYS},
    )


_ARRAYS: Final = (
    "device", "task", "batch", "input_tok", "output_tok", "j_per_tok", "tok_per_s", "gap_s",
    "family",
)  # fmt: skip


def _taken(record: Record, rows: IntArray) -> Record:
    names = [f.name for f in dataclasses.fields(record)]  # type: ignore[arg-type]
    arrays = {n: getattr(record, n) for n in names if isinstance(getattr(record, n), np.ndarray)}
    chosen = {n: a[rows] for n, a in arrays.items()}
    return dataclasses.replace(record, **chosen)  # type: ignore[type-var]


def _scaled(prior: Prior, device: Accelerator, name: str) -> Prior:
    if name != "static_w":
        return prior
    return dataclasses.replace(
        prior, usual=prior.usual * device.idle_context_w, most=0.9 * device.tdp_w
    )


def _known(values: FloatArray) -> FloatArray:
    return np.where(np.isnan(values), PROMPT_PRIOR.usual, values)


def _family_weight(family: IntArray) -> FloatArray:
    """Rows of a family count as the root of their number, on average 1."""
    _, inverse, count = np.unique(family, return_inverse=True, return_counts=True)
    weight = count[inverse] ** -0.25
    return cast("FloatArray", weight / weight.mean())
