"""Energy per token of language models against measurements, model families left out in turn.

Each source (an engine in one version on one set of machines) is fitted by itself: constants drift
with software. A family is predicted by a fit without it; with `fit`, constants come from that file
alone. Neither measured latency nor measured power of a predicted run is used.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate import edge_energy, llm_baselines
from tree6g.calibrate.columns import read_all
from tree6g.calibrate.llm_fit import Fitted, fit_runs, left_out, listed, unfitted
from tree6g.calibrate.llm_runs import Run, read_runs
from tree6g.calibrate.result import Constant, Curve, Group, Plot, Validation, percent
from tree6g.calibrate.result import percentage_figures as figures
from tree6g.errors import DataError

FloatArray = NDArray[np.float64]

FAR_FRAC: Final = 0.5
BARS: Final[Mapping[str, float]] = {
    "ml.energy-v2": 0.08, "ml.energy-v3": 0.15, "ml.energy-v3 dense": 0.12,
    "ml.energy-v2 one point": 0.09, "ml.energy-v3 one point": 0.09,
}  # fmt: skip
KINDS: Final[Mapping[str, str]] = {
    "dense": "dense model", "experts": "mixture of experts",
    "hybrid": "hybrid of attention and state-space layers",
}  # fmt: skip
_WHAT: Final = """Runs of language models under saturated load, one row per model, accelerators,
task and batch. The energy per output token is that of the accelerators alone: no host, no idle
time, no site overhead; the prompts of the answers are in it."""
_HOW: Final = """Our figure comes from the architecture (counts of its config.json), the storage of
the weights, the number of accelerators, the mean batch and answer length: no latency or power of
the run itself. Lengths of prompts are not published and are fitted per task."""
_POINT: Final = """One point: the figure of each deployment is scaled to its measurement at the
middle batch; the other batches are judged."""
ABOUT: Final = tuple(" ".join(text.split()) for text in (_WHAT, _HOW, _POINT))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """The runs of one source with what is predicted of them.

    Attributes:
        source: The source.
        runs: Its runs.
        measured: Measured joules per output token. [run]
        told: Ours. [run]
        rate: Our tokens per second. [run]
        fitted: The fit to all runs that constants came from; None: packaged constants.
        without: The fits without one family each.
        on: Runs that were fitted, if they are others.
    """

    source: str
    runs: tuple[Run, ...]
    measured: FloatArray
    told: FloatArray
    rate: FloatArray
    fitted: Fitted | None
    without: Mapping[str, Fitted]
    on: tuple[Run, ...] | None


def validate(files: Sequence[Path], *, fit: Path | None = None) -> Validation:
    """Compare energy per output token with measured runs, of servers or of small devices.

    Args:
        files: Tables of runs (`llm_runs`), or of devices with one request at a time
            (`edge_energy`).
        fit: A table whose runs give all constants; None: each family is left out in turn.

    Raises:
        DataError: A file is not what it should be, with all its faults.
    """
    every_file = [*files, *([] if fit is None else [fit])]
    devices = [file for file in every_file if edge_energy.is_devices(file)]
    if devices and len(devices) < len(every_file):
        raise DataError(
            "Expected tables of servers or tables of devices; got "
            f"{', '.join(map(str, devices))} with others. Validate them in a run of their own."
        )
    if devices:
        return edge_energy.validate(files, fit=fit)
    every = read_all(every_file, read_runs)
    read, base = every[: len(files)], None if fit is None else every[-1]
    runs = [run for r in read for run in r.runs]
    notes = [
        f"{file.name}: {note}" for file, r in zip(files, read, strict=True) for note in r.notes
    ]
    judged: list[Judged] = []
    problems: list[str] = []
    for source in sorted({run.source for run in runs}):
        mine = tuple(run for run in runs if run.source == source)
        if base is None:
            judged.append(_families_out(source, mine))
        else:
            judged.append(_by_other(source, mine, base.runs))
        problems += _doubts(judged[-1])
    return _result(judged, (*notes, *problems))


def _families_out(source: str, runs: tuple[Run, ...]) -> Judged:
    families = {run.family for run in runs}
    if len(families) == 1:  # nothing else was measured there
        told, rate = unfitted(runs).predict(runs)
        return _judged(source, runs, told, rate, None, {}, None)
    whole = fit_runs(runs)
    without = left_out(runs, whole)
    told, rate = np.empty(len(runs)), np.empty(len(runs))
    for family in families:
        rows = np.array([i for i, run in enumerate(runs) if run.family == family])
        told[rows], rate[rows] = without[family].predict([runs[i] for i in rows])
    return _judged(source, runs, told, rate, whole, without, None)


def _doubts(j: Judged) -> Iterator[str]:
    """What makes the prediction of a source less blind, or less fitted, than it seems."""
    if j.fitted is None:
        yield (
            f"{j.source}: predicted with the packaged constants, for want of other runs of this "
            "source; those of H100, B200 and A100 were fitted to ML.ENERGY"
        )
    both = sorted({run.family for run in j.runs} & {run.family for run in j.on or ()})
    if both:
        yield f"{j.source}: families in both files, so not blind: {', '.join(both)}"


def _by_other(source: str, runs: tuple[Run, ...], base: Sequence[Run]) -> Judged:
    on = tuple(run for run in base if run.source == source)
    if not on:
        told, rate = unfitted(runs).predict(runs)
        return _judged(source, runs, told, rate, None, {}, None)
    fitted = fit_runs(on)
    told, rate = fitted.predict(runs)
    return _judged(source, runs, told, rate, fitted, {}, on)


def _judged(
    source: str,
    runs: tuple[Run, ...],
    told: FloatArray,
    rate: FloatArray,
    fitted: Fitted | None,
    without: Mapping[str, Fitted],
    on: tuple[Run, ...] | None,
) -> Judged:
    measured = np.array([run.j_per_tok for run in runs])
    return Judged(
        source=source,
        runs=runs,
        measured=measured,
        told=told,
        rate=rate,
        fitted=fitted,
        without=without,
        on=on,
    )


def _result(judged: Sequence[Judged], notes: Sequence[str]) -> Validation:
    groups = [group for j in judged for group in _groups(j)]
    measured = np.concatenate([j.measured for j in judged])
    told = np.concatenate([j.told for j in judged])
    constants = [c for j in judged for c in _constants(j)]
    off = [
        f"{g.name}: median error {percent(g.figures['median_ape_frac'])}, expected at most "
        f"{percent(BARS[g.name])}"
        for g in groups
        if g.name in BARS and g.figures["median_ape_frac"] > BARS[g.name]
    ]
    medians = {g.name: g.figures.get("median_ape_frac") for g in groups}
    said = ", ".join(f"{j.source} {percent(medians[j.source] or 0.0)}" for j in judged)
    return Validation(
        kind="llm-energy",
        rows=len(measured),
        title="Energy per output token of language models",
        headline=f"Median error of energy per output token: {said}.",
        about=ABOUT,
        fitted_constants=len(constants),
        figures=figures(measured, told),
        groups=tuple(groups),
        baselines=tuple(group for j in judged for group in _baselines(j)),
        misses=tuple(miss for j in judged for miss in _misses(j)),
        misses_are=f"Runs off by more than {percent(FAR_FRAC)}",
        constants=tuple(constants),
        problems=(*off, *notes),
        plots=(_plot(judged),),
    )


def _groups(j: Judged) -> Iterator[Group]:
    throughput = np.array([run.tok_per_s for run in j.runs])
    known = ~np.isnan(throughput)
    rate_frac = np.abs(j.rate[known] / throughput[known] - 1.0)
    rate = {"throughput_median_ape_frac": float(np.median(rate_frac))} if known.any() else {}
    yield _group(j.source, j.measured, j.told, extra=rate)
    for kind in KINDS:
        rows = np.array([run.kind == kind for run in j.runs])
        if rows.any():
            yield _group(f"{j.source} {kind}", j.measured[rows], j.told[rows])
    for device in dict.fromkeys(run.device.name for run in j.runs):
        rows = np.array([run.device.name == device for run in j.runs])
        yield _group(f"{j.source} {device}", j.measured[rows], j.told[rows])
    measured, told = _one_point(j)
    if len(measured):
        yield _group(f"{j.source} one point", measured, told)


def _group(
    name: str, measured: FloatArray, told: FloatArray, extra: Mapping[str, float] | None = None
) -> Group:
    return Group(
        name=name,
        rows=len(measured),
        figures=figures(measured, told) | dict(extra or {}),
        heading="Error of joules per output token",
    )


def _one_point(j: Judged) -> tuple[FloatArray, FloatArray]:
    """Measured and ours, scaled to one measurement of each deployment, without that one `[run]`."""
    deployments: dict[tuple[str, ...], list[int]] = {}
    for i, run in enumerate(j.runs):
        deployments.setdefault(run.deployment, []).append(i)
    rest: list[int] = []
    scale: list[float] = []
    for rows in deployments.values():
        ordered = sorted(rows, key=lambda i: j.runs[i].batch)
        middle = ordered[len(ordered) // 2]
        others = [i for i in ordered if i != middle]
        rest += others
        scale += [j.measured[middle] / j.told[middle]] * len(others)
    at = np.array(rest, dtype=int)
    return j.measured[at], j.told[at] * np.array(scale)


def _baselines(j: Judged) -> Iterator[Group]:
    for name, told in llm_baselines.predictions(j.runs, j.on):
        known = np.isfinite(told)
        if known.any():
            yield _group(f"{j.source}: {name}", j.measured[known], told[known])


def _constants(j: Judged) -> tuple[Constant, ...]:
    if j.fitted is None:
        return ()
    return tuple(
        dataclasses.replace(c, name=f"{j.source} {c.name}") for c in listed(j.fitted, j.without)
    )


def _misses(j: Judged) -> Iterator[Mapping[str, object]]:
    off = j.told / j.measured - 1.0
    for i in np.argsort(-np.abs(off)):
        if abs(off[i]) <= FAR_FRAC:
            return
        run = j.runs[i]
        yield {
            "source": run.source, "model": run.model_id, "accelerator": run.device.name,
            "devices": run.devices, "task": run.task, "batch": round(run.batch, 1),
            "measured_j_per_tok": float(j.measured[i]), "ours_j_per_tok": float(j.told[i]),
        }  # fmt: skip


def _plot(judged: Sequence[Judged]) -> Plot:
    return Plot(
        name="llm-energy",
        title="Predicted energy per output token over the measured one",
        reads="Each mark is a run: a model on one or more accelerators that serves a batch of "
        "sequences at once. On the dashed line prediction and measurement are the same; above it "
        "the prediction is too high.",
        x_label="sequences served at once (mean batch)",
        y_label="predicted / measured energy",
        curves=tuple(curve for j in judged for curve in _curves(j)),
        columns=2,
        reference="prediction = measurement",
        log_x=True,
    )


def _curves(j: Judged) -> Iterator[Curve]:
    batch = np.array([run.batch for run in j.runs])
    for device in dict.fromkeys(run.device.name for run in j.runs):
        for kind in KINDS:
            mine = [(run.device.name, run.kind) == (device, kind) for run in j.runs]
            if not any(mine):
                continue
            rows = np.flatnonzero(mine)
            rows = rows[np.argsort(batch[rows], kind="stable")]
            yield Curve(
                panel=f"{device}, {j.source}",
                name=KINDS[kind],
                x=batch[rows],
                y=(j.told / j.measured)[rows],
                reference=np.ones(len(rows)),
                form="points",
            )
