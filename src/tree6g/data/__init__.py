"""Packaged tables of products, profiles and standards; each row has source, licence and status.

`status` is `read` (stated by the source), `measured` (computed from measurements named in the
source) or `typical` (usual value without a citable measurement; never a validation).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from tree6g.errors import DataError, nearest

TABLES: Final = (
    "accelerators", "models", "base_stations", "token_classes", "request_lengths", "quantities",
    "modulation_coding", "channel_quality", "engine_constants", "clock_states",
    "weight_formats", "traffic_models", "day_curves", "processors", "training_runs",
    "grid_carbon", "embodied_carbon", "quality",
)  # fmt: skip
STATUSES: Final = ("read", "measured", "typical")
Row = Mapping[str, str | float | None]


@cache
def table(name: str) -> Mapping[str, Row]:
    """All rows of a packaged table by the value of its first column, in file order.

    Cells that read as numbers are floats, empty cells are None.

    Raises:
        DataError: No such table.
    """
    if name not in TABLES:
        raise DataError(f"expected a packaged table; got {name!r}. {nearest(name, TABLES)}")
    text = resources.files("tree6g.data").joinpath("tables", f"{name}.csv").read_text("utf-8")
    rows = [MappingProxyType({k: _cell(v) for k, v in r.items()}) for r in _records(text)]
    key = next(iter(rows[0]))
    return MappingProxyType({str(r[key]): r for r in rows})


def row(name: str, key: str) -> Row:
    """One row of a packaged table.

    Raises:
        DataError: No such row; the message names the nearest.
    """
    rows = table(name)
    if key not in rows:
        raise DataError(f"expected a row of table '{name}'; got {key!r}. {nearest(key, rows)}")
    return rows[key]


@cache
def model_config(name: str) -> Mapping[str, Any]:
    """The config of a packaged model: those fields of its `config.json` that are counted.

    Raises:
        DataError: There is no such config; the message names the nearest.
    """
    folder = resources.files("tree6g.data").joinpath("configs")
    file = folder.joinpath(f"{name}.json")
    if not file.is_file():
        known = [entry.name.removesuffix(".json") for entry in folder.iterdir()]
        raise DataError(f"expected a packaged model; got {name!r}. {nearest(name, known)}")
    config: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return MappingProxyType(config)


def number(record: Row, column: str) -> float:
    """A cell that must hold a number.

    Raises:
        DataError: The cell is empty or text.
    """
    value = record.get(column)
    if not isinstance(value, float):
        name = next(iter(record.values()))
        raise DataError(f"expected a number in column '{column}' of {name!r}; got {value!r}.")
    return value


def text(record: Row, column: str) -> str:
    """A cell as text, empty if it is empty."""
    value = record.get(column)
    return "" if value is None else str(value)


def _records(text: str) -> csv.DictReader[str]:
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))


def _cell(value: str) -> str | float | None:
    if value == "":
        return None
    try:
        return float(value)
    except ValueError:
        return value
