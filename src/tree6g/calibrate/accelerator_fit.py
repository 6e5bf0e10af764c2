"""Constants of accelerators fitted to runs or telemetry, as rows of `engine_constants`."""

from __future__ import annotations

import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from tree6g.calibrate.llm_fit import Fitted, fit_runs, left_out, listed
from tree6g.calibrate.llm_runs import Run, read_runs
from tree6g.calibrate.result import Constant, Fit, percent
from tree6g.compute.accelerator import CONSTANTS

COLUMNS: Final = ("constants", "accelerator", "engine", *CONSTANTS, "u95_frac", "source",
                  "licence", "status")  # fmt: skip


def fit(path: Path) -> Fit:
    """Fit the constants of every accelerator and engine in a table of runs.

    Columns: `llm_runs`. Which constants the data tell is said per constant; the others keep their
    usual values. Intervals are those of leaving model families out, where there are three or more.

    Raises:
        DataError: The file is not such a table, with all that is wrong with it.
    """
    read = read_runs(path)
    constants: list[Constant] = []
    rows: list[Mapping[str, object]] = []
    errors: list[float] = []
    sources = tuple(dict.fromkeys(run.source for run in read.runs))
    for source in sources:
        runs = [run for run in read.runs if run.source == source]
        fitted = fit_runs(runs)
        without = left_out(runs, fitted)
        engine = runs[0].engine or source or "unknown engine"
        constants += _named(source if len(sources) > 1 else "", listed(fitted, without))
        errors += _errors(runs, fitted)
        rows += _rows(runs, fitted, without, engine, path)
    error = float(np.mean(errors))
    devices = sorted({str(row["accelerator"]) for row in rows})
    return Fit(
        kind="accelerator",
        rows=len(read.runs),
        error=error,
        headline=f"{len(read.runs):,} runs on {', '.join(devices)}: energy per output token off by "
        f"{percent(error)} on average on the runs that were fitted.",
        constants=tuple(constants),
        problems=(*read.notes, *_untold(constants)),
        table=_csv(rows),
    )


def _errors(runs: Sequence[Run], fitted: Fitted) -> list[float]:
    joules, _ = fitted.predict(runs)
    measured = np.array([run.j_per_tok for run in runs])
    return [float(e) for e in np.abs(joules / measured - 1.0)]


def _named(source: str, constants: Sequence[Constant]) -> Iterator[Constant]:
    """Constants with their source in front, where there are several."""
    for c in constants:
        yield dataclasses.replace(c, name=f"{source} {c.name}".strip())


def _untold(constants: Sequence[Constant]) -> Iterator[str]:
    """Which constants of each accelerator the data hardly tell."""
    names: dict[str, list[str]] = {}
    for constant in constants:
        thing, _, own = constant.name.rpartition(": ")
        if own in CONSTANTS and constant.remark:
            names.setdefault(thing, []).append(own)
    for thing, own_names in names.items():
        yield f"{thing}: not settled by these data (see its remarks): {', '.join(own_names)}"


def _rows(
    runs: Sequence[Run], fitted: Fitted, without: Mapping[str, Fitted], engine: str, path: Path
) -> Iterator[Mapping[str, object]]:
    """A row of the packaged table's form for each accelerator."""
    for device in fitted.runs.devices:
        p95 = _left_out_p95(runs, without, device.name)
        values = fitted.constants(device.name)
        yield {
            "constants": f"{device.name}|{engine}",
            "accelerator": device.name,
            "engine": engine,
            **{name: f"{values[name]:.6g}" for name in CONSTANTS},
            "u95_frac": f"{device.u95_frac if p95 is None else p95:.2g}",
            "source": f"fitted to {len(runs)} runs of {path.name}",
            "licence": "own",
            "status": "measured",
        }


def _left_out_p95(runs: Sequence[Run], without: Mapping[str, Fitted], device: str) -> float | None:
    """Error that 95 % of an accelerator's runs stay below when their family is left out."""
    errors: list[float] = []
    for family, fitted in without.items():
        mine = [run for run in runs if (run.family, run.device.name) == (family, device)]
        errors += _errors(mine, fitted) if mine else []
    return float(np.quantile(errors, 0.95)) if errors else None


def _csv(rows: Sequence[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
