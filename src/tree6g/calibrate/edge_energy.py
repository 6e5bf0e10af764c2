"""Energy per token of small devices that answer one request at a time.

Published tables differ in what their rails hold (a module, a chip, a board) and in what they count
(decoding only, or the whole request), so each scope is fitted and reported by itself, with one
energy model per chip and the times of each engine on it. Each model is predicted by a fit without
it. Weights are the bytes of the model's file, which is the best that tables of GGUF files give.
"""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.columns import Columns, read_all, read_columns
from tree6g.calibrate.llm_fit import Fitted, fit_arrays, listed
from tree6g.calibrate.result import Constant, Curve, Group, Plot, Validation, percent
from tree6g.calibrate.result import percentage_figures as figures
from tree6g.compute import roofline_fit
from tree6g.compute.accelerator import accelerator
from tree6g.compute.model import catalogue
from tree6g.compute.model.footprint import Footprint, footprint
from tree6g.compute.replica import Parallel, Stored
from tree6g.compute.roofline_fit import CLOSE, Prior, Runs, stacked
from tree6g.errors import DataError

FloatArray = NDArray[np.float64]

TEXT: Final = ("device", "backend", "model", "quant", "energy_scope")
NUMBERS: Final = ("params_b",)
OPTIONAL: Final = (
    "weights_mb", "ctx_tokens", "gen_tokens", "decode_tok_s", "j_per_out_token", "concurrency",
)  # fmt: skip
LEAST_ROWS: Final = 5
_WHAT: Final = """Small devices that answer one request at a time. Published tables differ in what
their power rails hold (a module, a chip, a board) and in what they count (decoding only, or the
whole request), so each scope is fitted and reported by itself."""
_HOW: Final = """One energy model per chip and times per engine on it are fitted, each model is
predicted by a fit without it. Weights are the bytes of the model's file. Where a table does not
state prompt and answer, 512 and 256 tokens are assumed."""
ABOUT: Final = tuple(" ".join(text.split()) for text in (_WHAT, _HOW))
BAR_FRAC: Final = 0.20
USUAL_PROMPT_TOK: Final = 512.0
USUAL_ANSWER_TOK: Final = 256.0
CHIPS: Final[Mapping[str, str]] = {
    "jetson orin nano": "jetson-orin-nano", "jetson agx": "jetson-agx-orin",
    "hailo": "hailo-10h", "raspberry pi 5": "raspberry-pi-5", "rtx 4060 ti": "rtx4060ti",
    "rtx 4050": "rtx4050-laptop", "rtx 5060": "rtx5060-laptop", "rtx 4090": "rtx4090",
    "iphone": "apple-a17-pro", "s24": "snapdragon-8-gen3", "m4": "apple-m4", "m1": "apple-m1-pro",
}  # fmt: skip
# What is fitted, and what is known before: unpacking of quantised weights makes even single
# sequences bound by arithmetic on small chips, so little is known of the arithmetic reached.
PRIORS: Final[Mapping[str, Prior]] = {
    "static_w": Prior(1.5, 0.6),
    "energy_j_per_byte": Prior(1e-10, 0.7),
    "energy_j_per_flop": Prior(2e-12, 1.5),
    "weight_efficiency_frac": Prior(0.7, 0.3, CLOSE),
    "kv_efficiency_frac": Prior(0.4, 0.7, CLOSE),
    "compute_efficiency_frac": Prior(0.05, 1.5, CLOSE),
    "layer_s": Prior(1e-4, 1.5),
}
ENERGY: Final = ("static_w", "energy_j_per_byte", "energy_j_per_flop")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One row: a model on a device.

    Attributes:
        chip: The packaged chip, or the device as the file says where it is not packaged.
        like: The packaged chip whose peaks and idle power are taken.
        scope: What the energy holds and counts, as the file says.
        engine: The engine, without what it is built for.
        name: The model as the file says.
        model: What it costs.
        weight_byte: Size of its file; 0.6 bytes per parameter where that is not known, as of 4-bit
            formats with scales.
        context_tok: Prompt.
        answer_tok: Answer.
        whole: Whether the prompt's energy is counted.
        j_per_tok: Energy per output token.
        tok_per_s: Output tokens per second of decoding; NaN where it is not known.
    """

    chip: str
    like: str
    scope: str
    engine: str
    name: str
    model: Footprint
    weight_byte: float
    context_tok: float
    answer_tok: float
    whole: bool
    j_per_tok: float
    tok_per_s: float


def is_devices(file: Path) -> bool:
    """Whether a file is a table of devices, by its header."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            titles = next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return set(TEXT) <= set(titles)


def validate(files: Sequence[Path], *, fit: Path | None = None) -> Validation:
    """Compare energy per output token of small devices, each model left out in turn.

    Args:
        files: Tables of devices.
        fit: A table of devices whose rows give all constants; None: each model is left out in turn.

    Raises:
        DataError: A file is not what it should be, with all its faults.
    """
    every = read_all([*files, *([] if fit is None else [fit])], read_devices)
    read, base = every[: len(files)], None if fit is None else every[-1][0]
    rows = [row for found, _ in read for row in found]
    notes = [note for _, left in read for note in left]
    judged, told, constants = [], [], []
    for scope, chip in dict.fromkeys((r.scope, r.chip) for r in rows):
        mine, on = (_of(scope, chip, r) for r in (rows, rows if base is None else base))
        if len(on) < LEAST_ROWS or (base is None and len({r.name for r in on}) < 2):
            notes.append(_not_judged(len(mine), chip, scope, fitted=base is not None))
            continue
        notes += _doubts(mine, [] if base is None else on)
        judged += mine
        whole = fit_arrays(_arrays(on))
        told.append(_models_out(mine, whole) if base is None else _by_other(mine, on, whole))
        constants += [
            dataclasses.replace(c, name=f"{chip}, {scope}, {c.name}") for c in listed(whole, {})
        ]
    if not judged:
        raise DataError(
            f"Expected at least {LEAST_ROWS} rows of a device with two models; got none. Rows need "
            "j_per_out_token, decode_tok_s and a scope of decoding or of the whole request."
        )
    return _result(judged, np.concatenate(told), constants, notes)


def _of(scope: str, chip: str, rows: Sequence[Device]) -> list[Device]:
    return [r for r in rows if (r.scope, r.chip) == (scope, chip)]


def _not_judged(rows: int, chip: str, scope: str, *, fitted: bool) -> str:
    why = " to fit to" if fitted else ", or one model only"
    return f"{rows} rows not judged: {chip}, {scope}: fewer than {LEAST_ROWS} rows{why}"


def _doubts(rows: Sequence[Device], on: Sequence[Device]) -> Iterator[str]:
    """What makes the prediction of a chip less blind, or less its own, than it seems."""
    chip, scope, like = rows[0].chip, rows[0].scope, rows[0].like
    if like != chip:
        yield f"{chip} is not packaged: the peaks of {like} stand for its own"
    both = sorted({r.name for r in rows} & {r.name for r in on})
    if both:
        yield f"{chip}, {scope}: models in both files, so not blind: {', '.join(both)}"


def _by_other(rows: Sequence[Device], on: Sequence[Device], fitted: Fitted) -> FloatArray:
    """Joules per token of rows by a fit to others; engines it has not seen stay as usual `[row]`.

    Engines are numbered as in the fit, those that it lacks behind.
    """
    every = _arrays([*on, *rows])
    mine = roofline_fit.take(every, np.arange(len(on), len(every)))
    chosen = roofline_fit.parameters(every)
    known = {(p.name, p.of): z for p, z in zip(fitted.chosen, fitted.at, strict=True)}
    at = np.array([known.get((p.name, p.of), 0.0) for p in chosen])
    joules, _ = roofline_fit.predict(mine, chosen, at[None, :])
    return np.asarray(joules[0], dtype=np.float64)


def _models_out(rows: Sequence[Device], whole: Fitted) -> FloatArray:
    """Joules per token of each row after a fit without its model `[row]`."""
    told = np.empty(len(rows))
    every = _arrays(rows)
    for name in {r.name for r in rows}:
        rest = [i for i, r in enumerate(rows) if r.name != name]
        mine = np.array([i for i, r in enumerate(rows) if r.name == name])
        fitted = fit_arrays(roofline_fit.take(every, np.array(rest)), whole)
        joules, _ = roofline_fit.predict(
            roofline_fit.take(every, mine), fitted.chosen, fitted.at[None, :]
        )
        told[mine] = joules[0]
    return told


def _arrays(rows: Sequence[Device]) -> Runs:
    engines = list(dict.fromkeys(r.engine for r in rows))
    base = accelerator(rows[0].like)
    devices = tuple(dataclasses.replace(base, name=engine, engine=engine) for engine in engines)
    names = list(dict.fromkeys(r.name for r in rows))
    return Runs(
        devices=devices,
        device=np.array([engines.index(r.engine) for r in rows]),
        tasks=("",),
        task=np.zeros(len(rows), dtype=np.intp),
        model=stacked([dataclasses.replace(r.model, name="", remarks=()) for r in rows]),
        weights=stacked([_stored(r) for r in rows]),
        parallel=stacked([Parallel() for _ in rows]),
        batch=np.ones(len(rows)),
        input_tok=np.array([r.context_tok for r in rows]),
        output_tok=np.array([r.answer_tok for r in rows]),
        j_per_tok=np.array([r.j_per_tok for r in rows]),
        tok_per_s=np.array([math.nan if r.whole else r.tok_per_s for r in rows]),
        gap_s=np.full(len(rows), math.nan),
        family=np.array([names.index(r.name) for r in rows]),
        alone=np.array([float(r.whole) for r in rows]),
        constants=tuple(PRIORS),
        shared=ENERGY,
        priors=PRIORS,
    )


def _stored(row: Device) -> Stored:
    read = row.model.step_parameters / row.model.parameters
    return Stored(
        dense_byte=row.weight_byte * read, expert_byte=0.0, tile_rows=0.0, narrow_flop_per_s=0.0
    )


def read_devices(file: Path) -> tuple[list[Device], list[str]]:
    """Rows of a table of devices, and what was left out of it.

    Raises:
        DataError: The file is not such a table, with all that is wrong with it.
    """
    columns = read_columns(file, TEXT, NUMBERS, optional=OPTIONAL, check=_faults)
    number = {name: columns.number.get(name, np.full(columns.rows, np.nan)) for name in OPTIONAL}
    columns = dataclasses.replace(columns, number={**columns.number, **number})
    rows, left = [], dict.fromkeys(
        ("no energy per token", "several requests at a time",
         "neither decoding nor a whole request"), 0,
    )  # fmt: skip
    for i in range(columns.rows):
        if not columns.number["j_per_out_token"][i] > 0.0:
            left["no energy per token"] += 1
            continue
        if columns.number["concurrency"][i] > 1.0:
            left["several requests at a time"] += 1
            continue
        scope = columns.text["energy_scope"][i]
        if not scope.startswith(("decode", "whole")):
            left["neither decoding nor a whole request"] += 1
            continue
        rows.append(_device(columns, i))
    return rows, [f"{file.name}: {n} rows left out: {why}" for why, n in left.items() if n]


def _faults(columns: Columns) -> list[str]:
    """Numbers that are not above 0, and devices, engines and models without a name."""
    faults = []
    for name, values in columns.number.items():
        wrong = values < 0.0 if name == "ctx_tokens" else values <= 0.0
        faults += [
            f"line {i + 2}: {name} must be above 0, or empty if it is not known; got {values[i]:g}"
            for i in np.flatnonzero(wrong)
        ]
    for name in ("device", "backend", "model"):
        words = columns.text[name]
        faults += [f"line {i + 2}: {name} is empty" for i, word in enumerate(words) if not word]
    return faults


def _device(columns: Columns, i: int) -> Device:
    text = {name: columns.text[name][i] for name in TEXT}
    number = {name: float(columns.number[name][i]) for name in (*NUMBERS, *OPTIONAL)}
    parameters = 1e9 * number["params_b"]
    size_mb = number["weights_mb"]
    return Device(
        chip=_chip(text["device"]) or text["device"],
        like=_chip(text["device"]) or _stand_in(text["backend"]),
        scope=text["energy_scope"].partition(";")[0].strip(),
        engine=text["backend"].split()[0],
        name=text["model"].lower(),
        model=_model(text["model"], parameters),
        weight_byte=0.6 * parameters if math.isnan(size_mb) else 1e6 * size_mb,
        context_tok=_else(number["ctx_tokens"], USUAL_PROMPT_TOK),
        answer_tok=_else(number["gen_tokens"], USUAL_ANSWER_TOK),
        whole=text["energy_scope"].startswith("whole"),
        j_per_tok=number["j_per_out_token"],
        tok_per_s=number["decode_tok_s"],
    )


def _else(value: float, otherwise: float) -> float:
    return otherwise if math.isnan(value) else value


def _chip(device: str) -> str:
    """The packaged chip that a device has; empty where it has none of them."""
    return next((chip for words, chip in CHIPS.items() if words in device.lower()), "")


def _stand_in(backend: str) -> str:
    """A packaged chip whose peaks stand for those of one that is not packaged."""
    return "raspberry-pi-5" if "cpu" in backend.lower() else "jetson-orin-nano"


def _model(name: str, parameters: float) -> Footprint:
    """The packaged model, or the one of nearest size with its parts grown to the size given."""
    try:
        return footprint(catalogue.architecture(name))
    except DataError:
        every = [footprint(catalogue.architecture(n)) for n in catalogue.names()]
        plain = [f for f in every if f.head_flop and not (f.vision_parameters or f.experts
                                                          or f.encoder_parameters)]  # fmt: skip
        like = min(plain, key=lambda f: abs(math.log(f.parameters / parameters)))
        by = parameters / like.parameters
        grown: dict[str, Any] = {
            n: getattr(like, n) * by
            for n in ("parameters", "step_parameters", "decode_flop_per_tok", "prompt_flop_per_tok")
        }
        return dataclasses.replace(like, **grown)


def _result(
    rows: Sequence[Device],
    told: FloatArray,
    constants: Sequence[Constant],
    notes: Sequence[str],
) -> Validation:
    measured = np.array([r.j_per_tok for r in rows])
    whole = figures(measured, told)
    groups = list(_groups(rows, measured, told))
    if whole["median_ape_frac"] > BAR_FRAC:
        got, bar = percent(whole["median_ape_frac"]), percent(BAR_FRAC)
        notes = (f"median error {got}, expected at most {bar}", *notes)
    return Validation(
        kind="llm-energy",
        rows=len(rows),
        title="Energy per output token of small devices",
        headline=f"Median error of energy per output token on models left out: "
        f"{percent(whole['median_ape_frac'])}.",
        about=ABOUT,
        fitted_constants=len(constants),
        figures=whole,
        groups=tuple(groups),
        misses=tuple(_misses(rows, measured, told)),
        misses_are="Rows off by more than 50 %",
        constants=tuple(constants),
        problems=tuple(notes),
        plots=(_plot(rows, measured, told),),
    )


def _groups(rows: Sequence[Device], measured: FloatArray, told: FloatArray) -> Iterator[Group]:
    heading = "Error of joules per output token, by what was measured"
    for scope in dict.fromkeys(r.scope for r in rows):
        at = np.array([r.scope == scope for r in rows])
        yield Group(name=scope, rows=int(at.sum()), figures=figures(measured[at], told[at]),
                    heading=heading)  # fmt: skip
    for chip in dict.fromkeys(r.chip for r in rows):
        at = np.array([r.chip == chip for r in rows])
        yield Group(name=chip, rows=int(at.sum()), figures=figures(measured[at], told[at]),
                    heading="The same by chip")  # fmt: skip


def _misses(
    rows: Sequence[Device], measured: FloatArray, told: FloatArray
) -> Iterator[Mapping[str, object]]:
    for r, m, t in zip(rows, measured, told, strict=True):
        if abs(t / m - 1.0) > 0.5:
            yield {
                "chip": r.chip, "engine": r.engine, "model": r.name, "context_tok": r.context_tok,
                "measured_j_per_tok": float(m), "ours_j_per_tok": float(t),
            }  # fmt: skip


def _plot(rows: Sequence[Device], measured: FloatArray, told: FloatArray) -> Plot:
    curves = []
    for chip, scope in dict.fromkeys((r.chip, r.scope) for r in rows):
        at = np.array([(r.chip, r.scope) == (chip, scope) for r in rows])
        order = np.argsort(measured[at])
        ratio = (told / measured)[at][order]
        curves.append(Curve(panel=chip, name=scope, x=measured[at][order], y=ratio,
                            reference=np.ones(len(ratio)), form="points"))  # fmt: skip
    return Plot(
        name="edge-energy",
        title="Predicted energy per output token over the measured one, small devices",
        reads="Each mark is a language model on a device, predicted by a fit to the other models "
        "there. On the dashed line prediction and measurement are the same; above it the "
        "prediction is too high. Colours are what was counted.",
        x_label="measured energy per output token (J)",
        y_label="predicted / measured energy",
        curves=tuple(curves),
        columns=2,
        reference="prediction = measurement",
    )
