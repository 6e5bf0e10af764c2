"""What simpler models say of measured runs: EcoLogits, design power, roofline, regression."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.llm_runs import Run, gathered
from tree6g.compute import baselines
from tree6g.compute.accelerator import with_constants
from tree6g.compute.replica import spread
from tree6g.compute.roofline import saturated
from tree6g.compute.roofline_fit import PROMPT_PRIOR, SPREAD_PRIOR, stacked

FloatArray = NDArray[np.float64]


def predictions(
    runs: Sequence[Run], fitted_on: Sequence[Run] | None
) -> Iterator[tuple[str, FloatArray]]:
    """Joules per output token after simpler models, with their names `[run]`.

    Args:
        runs: The runs to predict.
        fitted_on: Where the regression is fitted; None: to all families but the run's own.
    """
    active = np.array([_active(r) for r in runs])
    total = np.array([float(r.model.parameters) for r in runs])
    batch, gpus = (np.array([float(getattr(r, n)) for r in runs]) for n in ("batch", "devices"))
    tdp_w = np.array([r.device.tdp_w for r in runs])
    rate = np.array([r.tok_per_s for r in runs])
    yield "EcoLogits, true batch and GPUs", baselines.ecologits_j_per_tok(active, gpus, batch)
    shipped = baselines.ecologits_j_per_tok(active, baselines.ecologits_gpus(total))
    yield "EcoLogits, as shipped", shipped
    ideal = _ideal_rate(runs)
    yield "ideal roofline at TDP", baselines.design_power_j_per_tok(tdp_w, gpus, ideal)
    given = baselines.design_power_j_per_tok(tdp_w, gpus, rate, 0.7)
    yield "0.7 TDP at the measured throughput", given
    yield "log-linear regression", _regression(runs, fitted_on)


def _active(run: Run) -> float:
    m = run.model
    share = m.experts_active / m.experts if m.experts else 0.0
    return m.parameters - m.expert_parameters + share * m.expert_parameters


def _ideal_rate(runs: Sequence[Run]) -> FloatArray:
    """Tokens per second if every byte and FLOP went at the peak, and nothing else took time."""
    arrays = gathered(runs)
    device = stacked([r.device for r in runs])
    nothing = dict.fromkeys(
        ("layer_s", "expert_layer_s", "prompt_layer_s", "sequence_s", "sequence_doubling_frac",
         "allreduce_s", "energy_j_per_byte", "energy_j_per_kv_byte", "energy_j_per_flop"), 0.0,
    )  # fmt: skip
    everything = dict.fromkeys(
        ("weight_efficiency_frac", "kv_efficiency_frac", "compute_efficiency_frac",
         "compute_efficiency_8bit_frac"), 1.0,
    )  # fmt: skip
    ideal = with_constants(device, "ideal", nothing | everything)
    r = spread(ideal, arrays.model, arrays.weights, arrays.parallel)
    prompt = np.where(np.isnan(arrays.input_tok), PROMPT_PRIOR.usual, arrays.input_tok)
    cost = saturated(r, arrays.batch, prompt, arrays.output_tok, SPREAD_PRIOR.usual)
    return np.asarray(arrays.batch / cost.time_s, dtype=np.float64)


def _features(runs: Sequence[Run], devices: Sequence[str]) -> FloatArray:
    numbers = [
        np.log([_active(r), r.model.parameters, r.batch, r.output_tok, r.devices]) for r in runs
    ]
    known = [[float(r.device.name == d) for d in devices] for r in runs]
    narrow = [[float(r.weights.startswith(("fp8", "int8")))] for r in runs]
    return np.hstack([np.array(numbers), np.array(known), np.array(narrow)])


def _regression(runs: Sequence[Run], fitted_on: Sequence[Run] | None) -> FloatArray:
    every = list(runs) if fitted_on is None else [*fitted_on, *runs]
    devices = sorted({r.device.name for r in every})[1:]
    told = np.full(len(runs), np.nan)
    for family in sorted({r.family for r in runs}):
        mine = np.array([r.family == family for r in runs])
        others = [r for r in runs if r.family != family] if fitted_on is None else list(fitted_on)
        if not others:
            continue
        target = np.array([r.j_per_tok for r in others])
        asked = [r for r in runs if r.family == family]
        told[mine] = baselines.log_linear(
            _features(others, devices), target, _features(asked, devices)
        )
    return told
