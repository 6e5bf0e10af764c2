"""Constants of accelerators that a person fitted, from the table that `tree6g fit` writes."""

from __future__ import annotations

import csv
import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tree6g.compute.accelerator import CONSTANTS, Accelerator, accelerator, with_constants
from tree6g.errors import DataError

FRACTIONS: Final = tuple(
    name for name in CONSTANTS if name.endswith("_frac") and "doubling" not in name
)


def fitted_accelerator(file: Path, name: str, engine: str | None = None) -> Accelerator:
    """An accelerator with constants from a table.

    Args:
        file: CSV with the columns of the packaged `engine_constants`.
        name: The accelerator, a packaged one.
        engine: Which engine's row; None for the only one, or the first.

    Raises:
        DataError: The file is not such a table, with all its faults, or has no such row.
    """
    rows = _rows(file)
    mine = [row for row in rows if row["accelerator"] == name]
    chosen = [row for row in mine if engine in (None, row["engine"])]
    if not chosen:
        known = ", ".join(f"{row['accelerator']} with {row['engine']}" for row in rows)
        asked = name if engine is None else f"{name} with {engine}"
        raise DataError(f"Expected constants of {asked}; {file} has those of {known or 'none'}.")
    row = chosen[0]
    values = {constant: float(row[constant]) for constant in CONSTANTS}
    fitted = with_constants(accelerator(name), row["engine"], values)
    return dataclasses.replace(fitted, u95_frac=float(row["u95_frac"]))


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            titles = reader.fieldnames or ()
            rows = [{k: (v or "").strip() for k, v in row.items() if k} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"Expected a table of constants; {file} cannot be read: {error}."
        ) from error
    missing = [c for c in ("accelerator", "engine", *CONSTANTS, "u95_frac") if c not in titles]
    if missing:
        raise DataError(
            f"Expected a table of constants as `tree6g fit accelerator` writes it; {file} lacks "
            f"the columns {', '.join(missing)}."
        )
    faults = [fault for line, row in enumerate(rows, start=2) for fault in _faults(row, line)]
    if faults:
        raise DataError(f"{file} cannot be used: {'; '.join(faults)}.")
    return rows


def _faults(row: Mapping[str, str], line: int) -> list[str]:
    faults = []
    for name in (*CONSTANTS, "u95_frac"):
        most = 1.0 if name in FRACTIONS else math.inf
        try:
            value = float(row[name])
        except ValueError:
            value = math.nan
        if not 0.0 < value <= most or math.isinf(value):
            span = "above 0" if math.isinf(most) else "above 0 and at most 1"
            faults.append(f"line {line}: expected a number {span} in {name}; got {row[name]!r}")
    return faults
