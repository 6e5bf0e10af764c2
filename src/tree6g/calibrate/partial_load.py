"""Power of accelerators that are not saturated, against what was measured, without any fit.

Three kinds of points: idle, bare and with a loaded model, as cited; the runs with the smallest
batches of each accelerator and engine in a table of runs; and a published range of decoding on an
H200. The constants are the packaged ones. Beside them the energy per token from idle to saturation,
simulated, with the measured points of the same accelerators on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate import edge_energy
from tree6g.calibrate.llm_fit import unfitted
from tree6g.calibrate.llm_runs import Run, read_runs
from tree6g.calibrate.result import Curve, Group, Plot, Validation, percent
from tree6g.calibrate.result import percentage_figures as figures
from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.footprint import footprint, text_prompts
from tree6g.compute.replica import Replica, replica
from tree6g.compute.roofline import decode_batch, iteration
from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.run import serve
from tree6g.compute.serving.settings import EngineSettings, default_settings

FloatArray = NDArray[np.float64]

BAR_FRAC: Final = 0.15
LOWEST_FRAC: Final = 0.1
# arXiv 2605.23918: watts of idle GPUs, bare and with a loaded model that serves nobody.
IDLE_W: Final[Mapping[tuple[str, str], float]] = {
    ("h100-sxm", "bare"): 71.8, ("h100-sxm", "in context"): 121.7,
    ("a100-80", "bare"): 53.7, ("a100-80", "in context"): 80.0,
    ("l40s", "bare"): 35.6, ("l40s", "in context"): 102.1,
}  # fmt: skip
# arXiv 2605.11999: decoding with four kinds of attention drew 137 W to 300 W on an H200.
H200_W: Final = (137.0, 300.0)
H200_ENGINES: Final = ("vLLM (2024)", "vLLM 0.11.1")
H200_MODELS: Final = ("qwen3-1.7b", "qwen3-8b", "llama-3.1-8b", "nemotron-nano-9b-v2")
LOADS: Final = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)
PRINTED: Final = (0.1, 0.25, 0.5)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A server whose energy per token is drawn over its load."""

    device: str
    model: str
    weights: str
    prompt_tok: int
    answer_tok: int
    places: int | None = None


STATIONS: Final = (
    Station(
        device="h100-sxm", model="llama-3.1-8b", weights="fp16", prompt_tok=100, answer_tok=364
    ),
    Station(device="l4", model="llama-3.1-8b", weights="fp8", prompt_tok=100, answer_tok=364),
    Station(
        device="jetson-orin-nano",
        model="qwen2.5-0.5b",
        weights="Q4_K_M",
        prompt_tok=2048,
        answer_tok=256,
        places=1,
    ),
)


def validate(files: Sequence[Path]) -> Validation:
    """Compare power at idle and at small batches with measurements; draw energy over load.

    Args:
        files: Tables of runs (`llm_runs`) and of devices (`edge_energy`).

    Raises:
        DataError: A file is not what it should be, with all its faults.
    """
    tables = [file for file in files if not edge_energy.is_devices(file)]
    read = [read_runs(file) for file in tables]
    runs = [run for r in read for run in r.runs if np.isfinite(run.tok_per_s)]
    devices = [row for file in files if edge_energy.is_devices(file)
               for row in edge_energy.read_devices(file)[0]]  # fmt: skip
    low = [lot for lot in _lots(runs) if lot]
    told = [_power_w(lot) for lot in low]
    measured = [np.array([_measured_w(run) for run in lot]) for lot in low]
    idle_measured, idle_told = _idle()
    groups = [
        _group("idle, as cited", idle_measured, idle_told),
        *(_group(_name(lot), m, t) for lot, m, t in zip(low, measured, told, strict=True)),
        *_decoding(),
    ]
    all_measured = np.concatenate([idle_measured, *measured])
    all_told = np.concatenate([idle_told, *told])
    curves, sentences = _curves(runs, devices)
    return Validation(
        kind="partial-load",
        rows=len(all_measured),
        title="Power of accelerators at idle and at small loads",
        headline=_headline(groups),
        about=(" ".join((__doc__ or "").split()), *sentences),
        figures=figures(all_measured, all_told)
        | {"within_15_frac": _within(all_measured, all_told)},
        groups=tuple(groups),
        misses=tuple(
            miss
            for lot, m, t in zip(low, measured, told, strict=True)
            for miss in _misses(lot, m, t)
        ),
        misses_are=f"Runs of the smallest batches off by more than {percent(BAR_FRAC)}",
        problems=tuple(note for r in read for note in r.notes),
        plots=(_plot(curves),),
    )


def _lots(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """The tenth of the runs with the smallest batches, by source and accelerator."""
    for key in dict.fromkeys((run.source, run.device.name) for run in runs):
        mine = [run for run in runs if (run.source, run.device.name) == key]
        limit = float(np.quantile([run.batch for run in mine], LOWEST_FRAC))
        yield [run for run in mine if run.batch <= limit]


def _name(lot: Sequence[Run]) -> str:
    return f"{lot[0].source} {lot[0].device.name}, smallest batches"


def _measured_w(run: Run) -> float:
    return run.j_per_tok * run.tok_per_s / run.devices


def _power_w(runs: Sequence[Run]) -> FloatArray:
    """Power of one accelerator with the packaged constants `[run]`."""
    joules, rate = unfitted(runs).predict(runs)
    return joules * rate / np.array([float(run.devices) for run in runs])


def _idle() -> tuple[FloatArray, FloatArray]:
    told = []
    for name, kind in IDLE_W:
        device = accelerator(name)
        told.append(device.idle_bare_w if kind == "bare" else device.idle_context_w)
    return np.array(list(IDLE_W.values())), np.array(told)


def _decoding() -> Iterator[Group]:
    """Whether decoding on an H200 lies in the published range, by engine."""
    for engine in H200_ENGINES:
        device = accelerator("h200-sxm", engine)
        watts = []
        for model in H200_MODELS:
            r = replica(device, text_prompts(footprint(architecture(model))))
            for batch in (1.0, 8.0, 32.0):
                cost = iteration(r, decode_batch(batch, 1024.0 * batch))
                watts.append(float(cost.energy_j / cost.time_s))
        told = np.array(watts)
        inside = (told >= H200_W[0]) & (told <= H200_W[1])
        figures_ = {
            "inside_range_frac": float(inside.mean()),
            "least_w": float(told.min()),
            "most_w": float(told.max()),
        }
        yield Group(
            name=f"decoding on H200, {engine}",
            rows=len(told),
            figures=figures_,
            heading="Decoding against a published range of 137 W to 300 W",
        )


def _group(name: str, measured: FloatArray, told: FloatArray) -> Group:
    extra = {"within_15_frac": _within(measured, told)}
    return Group(
        name=name,
        rows=len(measured),
        figures=figures(measured, told) | extra,
        heading="Error of watts per accelerator",
    )


def _within(measured: FloatArray, told: FloatArray) -> float:
    return float((np.abs(told / measured - 1.0) <= BAR_FRAC).mean())


def _headline(groups: Sequence[Group]) -> str:
    medians = [g.figures["median_ape_frac"] for g in groups if "median_ape_frac" in g.figures]
    return (
        f"Power at idle and at the smallest batches: median error of the worst group "
        f"{percent(max(medians))}, without a fit."
    )


def _misses(
    lot: Sequence[Run], measured: FloatArray, told: FloatArray
) -> Iterator[Mapping[str, object]]:
    for run, m, t in zip(lot, measured, told, strict=True):
        if abs(t / m - 1.0) > BAR_FRAC:
            yield {
                "source": run.source, "model": run.model_id, "accelerator": run.device.name,
                "devices": run.devices, "task": run.task, "batch": round(run.batch, 1),
                "measured_w": float(m), "ours_w": float(t),
            }  # fmt: skip


def _curves(
    runs: Sequence[Run], devices: Sequence[edge_energy.Device]
) -> tuple[tuple[Curve, ...], tuple[str, ...]]:
    curves: list[Curve] = []
    sentences: list[str] = []
    for station in STATIONS:
        r = _replica(station)
        top = _saturated_tps(r, station)
        points = [_at_load(r, station, load * top) for load in LOADS]
        full = _full(r, station)
        x = np.array([*LOADS, 1.0])
        joules = np.array([p[0] for p in points] + [full[0]])
        panel = f"{station.device}, {station.model} in {station.weights}"
        curves.append(Curve(panel=panel, name="simulated", x=100.0 * x, y=joules))
        marks = _marks(station, runs, devices, top)
        if marks is not None:
            curves.append(Curve(panel=panel, name="measured", x=100.0 * marks[0], y=marks[1],
                                form="points"))  # fmt: skip
        power = dict(zip(LOADS, (p[1] for p in points), strict=True))
        said = ", ".join(f"{100 * load:.0f} %: {power[load]:.0f} W" for load in PRINTED)
        sentences.append(f"{panel}: idle in context {r.idle_w:.0f} W, load of {said}, saturated "
                         f"{full[1]:.0f} W at {top:,.0f} token/s.")  # fmt: skip
    return tuple(curves), tuple(sentences)


def _replica(station: Station) -> Replica:
    model = text_prompts(footprint(architecture(station.model)))
    return replica(accelerator(station.device), model, weights=station.weights)


def _settings(station: Station) -> EngineSettings:
    usual = default_settings(accelerator(station.device).memory_byte, station.device)
    if station.places is None:
        return usual
    return dataclasses.replace(usual, max_sequences=station.places)


def _full(r: Replica, station: Station) -> tuple[float, float]:
    """Joules per token and watts when all requests are there at once."""
    settings = _settings(station)
    count = 3 * settings.max_sequences
    return _served(r, station, np.zeros(count))[:2]


def _saturated_tps(r: Replica, station: Station) -> float:
    count = 3 * _settings(station).max_sequences
    return _served(r, station, np.zeros(count))[2]


def _at_load(r: Replica, station: Station, tok_per_s: float) -> tuple[float, float]:
    """Joules per token, idle time included, and mean watts under Poisson arrivals."""
    count = 400 if station.places else 2000
    rng = np.random.default_rng(np.random.SeedSequence(7))
    gaps_s = rng.exponential(station.answer_tok / tok_per_s, count)
    return _served(r, station, np.cumsum(gaps_s))[:2]


def _served(r: Replica, station: Station, arrival_s: FloatArray) -> tuple[float, float, float]:
    count = len(arrival_s)
    asked = requests(
        arrival_s,
        np.full(count, station.prompt_tok),
        np.full(count, station.answer_tok),
    )
    done = serve(r, _settings(station), asked)
    tokens = float(done.produced_tok.sum())
    return done.energy_j / tokens, done.energy_j / done.end_s, tokens / done.end_s


def _marks(
    station: Station, runs: Sequence[Run], devices: Sequence[edge_energy.Device], top_tps: float
) -> tuple[FloatArray, FloatArray] | None:
    """Measured points of the same accelerator and model: load and joules per token."""
    name = footprint(architecture(station.model)).name
    points = [
        (run.tok_per_s / top_tps, run.j_per_tok)
        for run in runs
        if run.device.name == station.device
        and (run.model.name, run.weights) == (name, station.weights)
        and run.engine == accelerator(station.device).engine
    ]
    points += [
        (1.0, row.j_per_tok)
        for row in devices
        if (row.chip, row.model.name) == (station.device, name) and not row.whole
    ]
    if not points:
        return None
    ordered = np.array(sorted(points))
    return ordered[:, 0], ordered[:, 1]


def _plot(curves: Sequence[Curve]) -> Plot:
    return Plot(
        name="energy-over-load",
        title="Energy of a token over load, from idle to saturation",
        reads="At small load the power of the waiting accelerator is shared by few tokens; idle "
        "time counts. Measured runs hold a number of requests at once and stand at their rate.",
        x_label="load, % of the saturated server's tokens per second",
        y_label="J per output token",
        curves=tuple(curves),
        columns=1,
        log_x=True,
        log_y=True,
    )
