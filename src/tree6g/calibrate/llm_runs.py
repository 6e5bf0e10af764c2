"""Measured runs of language models: one row per deployment, batch and task, from a CSV file.

Columns: `gpu` (or `accelerator`), `model_id`, `family`, `weight_precision`, `num_gpus`,
`avg_batch`, `avg_out_tokens`, and `j_per_out_token` or `gpu_power_w` (of all GPUs) with
`out_tok_s`. Optional: `source` and `engine` (rows of one source and engine share constants),
`task`, `modality` (only text is used), `avg_in_tokens`, `pipeline_parallel`, `data_parallel` (only
1 is used), `params_total_b` and `params_active_b` for models whose architecture is not packaged.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g import data
from tree6g.compute.accelerator import Accelerator, accelerator, engines
from tree6g.compute.model import catalogue
from tree6g.compute.model.footprint import Footprint, footprint, text_prompts
from tree6g.compute.replica import Parallel, Stored, stored
from tree6g.compute.roofline_fit import FloatArray, Runs, stacked
from tree6g.errors import DataError, nearest

GPUS: Final[Mapping[str, str]] = {
    "h100-sxm-80gb": "h100-sxm", "h100": "h100-sxm", "b200-sxm": "b200", "h200": "h200-sxm",
    "a100-sxm-40gb": "a100-40", "a100-sxm-80gb": "a100-80", "a40-pcie-48gb": "a40",
}  # fmt: skip
FORMATS: Final[Mapping[str, str]] = {
    "bfloat16": "fp16", "float16": "fp16", "bf16": "fp16", "fp16": "fp16", "fp8": "fp8",
    "int8": "int8", "mxfp4": "mxfp4", "nvfp4": "nvfp4",
}  # fmt: skip
# FP8 checkpoints of these are scaled per row (compressed-tensors, fbgemm); others per block.
PER_ROW: Final = ("llama",)
REQUIRED: Final = (
    "model_id", "family", "weight_precision", "num_gpus", "avg_batch", "avg_out_tokens",
)  # fmt: skip
SHOWN: Final = 10
LEAST: Final = 1e-9  # no energy, rate, length or number of anything in a table lies outside
MOST: Final = 1e9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One row.

    Attributes:
        line: Its line in the file.
        source: Rows of one source share constants: one engine in one version. Where a source of
            the file has several engines, or the file no sources, the engine's name is in it.
        engine: Engine and version as the file says.
        device: The accelerator.
        devices: How many.
        stages: Pipeline stages.
        task: Workload.
        model_id: The model's name in the file.
        family: Base model, as the file says.
        model: What it costs.
        scaled_from: The packaged model whose shape stands for it; empty where it is packaged.
        weights: Storage format.
        batch: Sequences served together.
        input_tok: Mean prompt; NaN where it is not known.
        output_tok: Mean answer.
        j_per_tok: Energy per output token.
        tok_per_s: Output tokens per second; NaN where it is not known.
        gap_s: Median gap between tokens of an answer; NaN where it is not known.
    """

    line: int
    source: str
    engine: str
    device: Accelerator
    devices: int
    stages: int
    task: str
    model_id: str
    family: str
    model: Footprint
    scaled_from: str
    weights: str
    batch: float
    input_tok: float
    output_tok: float
    j_per_tok: float
    tok_per_s: float
    gap_s: float

    @property
    def kind(self) -> str:
        """Class of architecture: experts, hybrid or dense."""
        if self.model.experts:
            return "experts"
        return "hybrid" if self.model.state_value else "dense"

    @property
    def deployment(self) -> tuple[str, ...]:
        """What one measured point calibrates: all but the batch."""
        return (self.source, self.model_id, self.device.name, str(self.devices), self.task,
                self.weights)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The runs of a file and what was left out of it."""

    runs: tuple[Run, ...]
    notes: tuple[str, ...]


def read_runs(file: Path) -> Read:
    """Read the runs of a file.

    Raises:
        DataError: The file is not such a table, with all that is wrong with it.
    """
    rows = _rows(file)
    faults: list[str] = []
    left: dict[str, int] = {}
    runs = []
    for line, row in enumerate(rows, start=2):
        reason = _passed_over(row)
        if reason:
            left[reason] = left.get(reason, 0) + 1
            continue
        wrong = [f"line {line}: {fault}" for fault in _faults(row)]
        faults += wrong
        if not wrong:
            runs.append(_run(row, line))
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise DataError(f"{file} cannot be used: {'; '.join(faults[:SHOWN])}{more}")
    if not runs:
        said = ", ".join(f"{n} {why}" for why, n in left.items()) or "nothing below its header"
        raise DataError(f"Expected runs of text with data_parallel 1; {file} has none ({said}).")
    notes = [f"{n} rows left out: {why}" for why, n in left.items()]
    borrowed = sorted({f"{r.model_id} ({r.scaled_from})" for r in runs if r.scaled_from})
    if borrowed:
        notes.append(
            "not packaged, so the shape of a packaged model is scaled to its parameters: "
            + ", ".join(borrowed)
        )
    return Read(runs=tuple(_by_engine(runs)), notes=tuple(notes))


def _by_engine(runs: Sequence[Run]) -> Iterator[Run]:
    """The runs, those of a source with several engines or versions kept apart."""
    engines_of: dict[str, set[str]] = {}
    for run in runs:
        engines_of.setdefault(run.source, set()).add(run.engine)
    for run in runs:
        several = len(engines_of[run.source]) > 1 or not run.source
        named = f"{run.source} {run.engine}".strip()
        yield dataclasses.replace(run, source=named) if several else run


def gathered(runs: Sequence[Run]) -> Runs:
    """Runs as arrays."""
    devices = tuple({r.device.name: r.device for r in runs}.values())
    names = [d.name for d in devices]
    tasks = tuple(dict.fromkeys(r.task for r in runs))
    families = list(dict.fromkeys(r.family for r in runs))
    bare = [dataclasses.replace(r.model, name="", remarks=()) for r in runs]
    return Runs(
        devices=devices,
        device=np.array([names.index(r.device.name) for r in runs]),
        tasks=tasks,
        task=np.array([tasks.index(r.task) for r in runs]),
        model=stacked(bare),
        weights=stacked([_stored(r) for r in runs]),
        parallel=stacked([Parallel(devices=r.devices, stages=r.stages) for r in runs]),
        batch=_array(runs, "batch"),
        input_tok=_array(runs, "input_tok"),
        output_tok=_array(runs, "output_tok"),
        j_per_tok=_array(runs, "j_per_tok"),
        tok_per_s=_array(runs, "tok_per_s"),
        gap_s=_array(runs, "gap_s"),
        family=np.array([families.index(r.family) for r in runs]),
    )


def _array(runs: Sequence[Run], name: str) -> FloatArray:
    return np.array([getattr(r, name) for r in runs], dtype=float)


def _stored(run: Run) -> Stored:
    return stored(run.device, run.model, run.weights)


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            titles = list(reader.fieldnames or ())
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Expected a CSV file; {file} cannot be read: {error}.") from error
    missing = [name for name in REQUIRED if name not in titles]
    if "gpu" not in titles and "accelerator" not in titles:
        missing.append("gpu")
    if "j_per_out_token" not in titles and not {"gpu_power_w", "out_tok_s"} <= set(titles):
        missing.append("j_per_out_token (or gpu_power_w and out_tok_s)")
    if missing:
        raise DataError(
            f"Expected the columns {', '.join(REQUIRED)}, gpu, j_per_out_token; {file} lacks "
            f"{', '.join(missing)}. Rename its columns."
        )
    return rows


def _passed_over(row: Mapping[str, str]) -> str:
    if row.get("modality", "text") not in ("", "text"):
        return "prompts with pictures or films"
    if row.get("data_parallel", "1") not in ("", "1", "1.0"):
        return "data_parallel above 1: the batch of a replica is not stated"
    if not row["num_gpus"] or not row["avg_batch"] or not row["avg_out_tokens"]:
        return "no batch, answer length or number of GPUs"
    if "legacy" in row.get("source", ""):
        return "PyTorch one request at a time, no serving engine"
    return ""


def _faults(row: Mapping[str, str]) -> Iterator[str]:
    """All that is wrong with a row."""
    readers: tuple[Callable[[Mapping[str, str]], object], ...] = (
        _accelerator, _model, _weights, _spread, _rates, _lengths,
    )  # fmt: skip
    for read in readers:
        try:
            read(row)
        except DataError as error:
            yield str(error)


def _run(row: Mapping[str, str], line: int) -> Run:
    model, scaled_from = _model(row)
    devices, stages = _spread(row)
    joules, tok_per_s = _rates(row)
    batch, input_tok, output_tok = _lengths(row)
    return Run(
        line=line,
        source=row.get("source", ""),
        engine=row.get("engine", "") or row.get("source", ""),
        device=_accelerator(row),
        devices=devices,
        stages=stages,
        task=row.get("task", "") or "all",
        model_id=row["model_id"],
        family=row["family"] or row["model_id"],
        model=model,
        scaled_from=scaled_from,
        weights=_weights(row),
        batch=batch,
        input_tok=input_tok,
        output_tok=output_tok,
        j_per_tok=joules,
        tok_per_s=tok_per_s,
        gap_s=1e-3 * _number(row, "median_itl_ms", optional=True),
    )


def _accelerator(row: Mapping[str, str]) -> Accelerator:
    """The accelerator with the constants of the row's engine, if these are packaged."""
    said = row.get("gpu") or row.get("accelerator", "")
    name, rows = GPUS.get(said.lower(), said.lower()), data.table("accelerators")
    if name not in rows:
        raise DataError(f"expected a packaged accelerator; got {said!r}. {nearest(name, rows)}")
    engine = row.get("engine", "")
    return accelerator(name, engine if engine in engines(name) else None)


def _weights(row: Mapping[str, str]) -> str:
    """The storage format of the weights."""
    said = row["weight_precision"]
    found = FORMATS.get(said.lower(), said)
    if found not in data.table("weight_formats"):
        raise DataError(
            f"expected a weight_precision like bfloat16, fp8 or Q4_K_M; got {said!r}. "
            f"{nearest(found, data.table('weight_formats'))}"
        )
    model = _known(row)
    by_row = model is not None and model.name.startswith(PER_ROW)
    return "fp8-row" if found == "fp8" and by_row else found


def _spread(row: Mapping[str, str]) -> tuple[int, int]:
    """Devices and pipeline stages."""
    devices = _number(row, "num_gpus")
    stages = _number(row, "pipeline_parallel", optional=True, otherwise=1.0)
    if devices % 1.0 or stages % 1.0 or devices % stages:
        raise DataError(
            f"expected whole numbers of num_gpus and of pipeline_parallel that parts them evenly; "
            f"got {devices:g} and {stages:g}"
        )
    return int(devices), int(stages)


def _rates(row: Mapping[str, str]) -> tuple[float, float]:
    """Joules per output token and output tokens per second."""
    tok_per_s = _number(row, "out_tok_s", optional=True)
    power_w = _number(row, "gpu_power_w", optional=True)
    joules = _number(row, "j_per_out_token", optional=not math.isnan(power_w * tok_per_s))
    return power_w / tok_per_s if math.isnan(joules) else joules, tok_per_s


def _lengths(row: Mapping[str, str]) -> tuple[float, float, float]:
    """Batch, prompt and answer."""
    return (
        _number(row, "avg_batch"),
        _number(row, "avg_in_tokens", optional=True),
        _number(row, "avg_out_tokens"),
    )


def _number(
    row: Mapping[str, str], name: str, *, optional: bool = False, otherwise: float = math.nan
) -> float:
    text = row.get(name, "")
    if not text and optional:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not LEAST <= value <= MOST:
        raise DataError(f"expected a number above 0 and up to {MOST:g} in {name}; got {text!r}")
    return value


def _model(row: Mapping[str, str]) -> tuple[Footprint, str]:
    """What a row's model costs, and the packaged model whose shape stands for it."""
    found = _known(row)
    if found is not None:
        return found, ""
    total = _number(row, "params_total_b", optional=True) * 1e9
    active = _number(row, "params_active_b", optional=True) * 1e9
    if math.isnan(total):
        raise DataError(
            f"expected a packaged model, or params_total_b for another; got {row['model_id']!r}. "
            "Add its config.json: tree6g model add NAME config.json"
        )
    like = _alike(total, total if math.isnan(active) else active)
    return _scaled(like, total), like.name


def _known(row: Mapping[str, str]) -> Footprint | None:
    """The packaged model that a row names, itself or by its family."""
    return _packaged(row["model_id"]) or _packaged(row["family"])


@functools.lru_cache(maxsize=1024)
def _packaged(name: str) -> Footprint | None:
    try:
        return text_prompts(footprint(catalogue.architecture(name)))
    except DataError:
        return None


def _alike(total: float, active: float) -> Footprint:
    """The packaged decoder of nearest size, all and active parameters."""

    def apart(f: Footprint) -> float:
        """Distance in all and in active parameters, in logarithms."""
        share = f.experts_active / f.experts if f.experts else 0.0
        own = f.parameters - f.expert_parameters * (1.0 - share if f.experts else 0.0)
        return abs(math.log(f.parameters / total)) + abs(math.log(own / active))

    return min(_decoders(), key=apart)


@functools.cache
def _decoders() -> list[Footprint]:
    every = [footprint(catalogue.architecture(name)) for name in catalogue.names()]
    return [
        f for f in every if f.head_flop and not f.vision_parameters and not f.encoder_parameters
    ]


def _scaled(model: Footprint, total: float) -> Footprint:
    """A model of the same shape with other parameters: all its parts grow alike."""
    by = total / model.parameters
    grown: dict[str, Any] = {
        name: getattr(model, name) * by
        for name in (
            "parameters", "step_parameters", "expert_parameters", "prompt_flop_per_tok",
            "decode_flop_per_tok", "head_flop", "embedding_parameters", "head_parameters",
        )
    }  # fmt: skip
    return dataclasses.replace(model, **grown)
