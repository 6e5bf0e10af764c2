"""Published footprints against ours: each row by the formula of its kind, in its own tolerance.

CSV with columns `id, quantity, kind, inputs_json, expected, unit, rel_tol, reproducible, reason`
(others, such as `source`, are passed over). `inputs_json` holds the inputs that were published;
`reproducible` is `no` for figures published without them, which are shown and never counted.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tree6g.calibrate.columns import Columns, raise_all, read_all, read_columns
from tree6g.calibrate.result import Group, Validation
from tree6g.errors import DataError
from tree6g.lifecycle.published import compute

TEXT: Final = ("id", "quantity", "kind", "inputs_json", "unit", "reproducible", "reason")
ABOUT: Final = (
    (
        "Compared: figures that papers, model cards and tools published, each with the formula of "
        "its kind on the inputs published with it: device hours and watts to energy, energy to "
        "carbon, shares of embodied carbon (SCI, ISO/IEC 21031), requests by EcoLogits' method."
    ),
    (
        "Passes: a relative difference within the tolerance of the row. Rows that were published "
        "without inputs are for comparison only and in no figure."
    ),
    (
        "Fitted: nothing. Where a grid intensity was not published, the file says what it was "
        "taken from."
    ),
)
_WORDS: Final[Mapping[str, str]] = {
    "gpu_hours_to_energy": "GPU hours to energy",
    "gpu_hours_to_carbon": "GPU hours to carbon",
    "devices_days_to_energy": "devices and days to energy",
    "devices_days_to_carbon": "devices and days to carbon",
    "energy_to_carbon": "energy to carbon",
    "difference": "a total without its parts",
    "sci_embodied": "SCI, embodied share",
    "ecologits_request": "a request by EcoLogits",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A published figure and ours.

    `ours` is None for a row that is for comparison only.
    """

    id: str
    kind: str
    unit: str
    theirs: float
    ours: float | None
    tolerance: float
    reason: str

    @property
    def error_frac(self) -> float:
        """Relative difference of a row that was computed."""
        return abs((self.ours or 0.0) - self.theirs) / abs(self.theirs)

    @property
    def inside(self) -> bool:
        """Whether it is within the tolerance of the row."""
        return self.error_frac <= self.tolerance


def validate(files: Sequence[Path]) -> Validation:
    """Compare every row that came with its inputs.

    Figures: `inside_range_frac`: the share of rows within their own tolerance, `mape_frac` and
    `max_ape_frac`.

    Raises:
        DataError: A file is not what it should be, with all its faults.
    """
    rows = [row for part in read_all(files, _rows) for row in part]
    tested = [row for row in rows if row.ours is not None]
    if not tested:
        raise DataError("Expected at least one row with reproducible = yes; got none.")
    kinds = dict.fromkeys(row.kind for row in tested)
    return Validation(
        kind="footprints",
        rows=len(tested),
        title="Published footprints",
        headline=_headline(rows, tested),
        about=ABOUT,
        figures=_figures(tested),
        groups=tuple(_group(kind, [r for r in tested if r.kind == kind]) for kind in kinds),
        misses=tuple(_miss(row) for row in tested if not row.inside),
        misses_are="Rows outside their tolerance",
        problems=_problems(rows),
    )


def _rows(file: Path) -> list[_Row]:
    table = read_columns(file, TEXT, ("expected",), optional=("rel_tol",))
    faults: list[str] = []
    found = [_row(table, n, faults) for n in range(table.rows)]
    raise_all(file, faults)
    return [row for row in found if row is not None]


def _row(table: Columns, n: int, faults: list[str]) -> _Row | None:
    """A row with our figure, or None with its fault."""
    words = {name: table.text[name][n] for name in TEXT}
    theirs = float(table.number["expected"][n])
    tolerance = float(table.number["rel_tol"][n]) if "rel_tol" in table.number else math.nan
    tested = words["reproducible"].lower()
    fault = _fault(words, tested, theirs, tolerance)
    ours = None
    if not fault and tested == "yes":
        try:
            ours = compute(
                words["kind"], words["quantity"], words["unit"], _inputs(words["inputs_json"])
            )
        except DataError as error:
            fault = str(error)
    if fault:
        faults.append(f"line {n + 2}: {words['id']}: {fault}")
        return None
    return _Row(
        id=words["id"],
        kind=words["kind"],
        unit=words["unit"],
        theirs=theirs,
        ours=ours,
        tolerance=tolerance,
        reason=words["reason"],
    )


def _fault(words: Mapping[str, str], tested: str, theirs: float, tolerance: float) -> str:
    if tested not in ("yes", "no"):
        return f"reproducible must be yes or no; got '{words['reproducible']}'"
    if tested == "no":
        return ""
    if not tolerance >= 0.0:
        return f"rel_tol must be a number of at least 0; got {tolerance:g}"
    return "" if theirs else "expected must not be 0: a relative tolerance has no meaning there"


def _inputs(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"inputs_json must be a JSON object; it cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise DataError(f"inputs_json must be a JSON object; got {text!r}")
    return found


def _figures(rows: Sequence[_Row]) -> dict[str, float]:
    errors = [row.error_frac for row in rows]
    return {
        "inside_range_frac": sum(row.inside for row in rows) / len(rows),
        "mape_frac": math.fsum(errors) / len(errors),
        "max_ape_frac": max(errors),
    }


def _group(kind: str, rows: Sequence[_Row]) -> Group:
    return Group(
        name=kind,
        rows=len(rows),
        figures=_figures(rows),
        words=_WORDS[kind],
        heading="Rows by formula",
    )


def _miss(row: _Row) -> dict[str, str | float]:
    return {
        "row": row.id,
        "published": row.theirs,
        "ours": row.ours or 0.0,
        "unit": row.unit,
        "error_frac": row.error_frac,
        "tolerance_frac": row.tolerance,
    }


def _problems(rows: Sequence[_Row]) -> tuple[str, ...]:
    """Rows for comparison only, and what else the file says of rows: each reason once."""
    told = []
    for tested in (False, True):
        mine = [row for row in rows if (row.ours is not None) == tested and row.reason]
        for reason in dict.fromkeys(row.reason for row in mine):
            named = [row for row in mine if row.reason == reason]
            if tested:
                listed = ", ".join(row.id for row in named)
            else:
                listed = ", ".join(f"{row.id} ({row.theirs:g} {row.unit})" for row in named)
            told.append(f"{'' if tested else 'not compared, '}{listed}: {reason}")
    bare = [row.id for row in rows if row.ours is None and not row.reason]
    return (*told, *(f"not compared: {name}: the file gives no reason" for name in bare))


def _headline(rows: Sequence[_Row], tested: Sequence[_Row]) -> str:
    inside = sum(row.inside for row in tested)
    share = f"all {inside}" if inside == len(tested) else f"{inside} of {len(tested)}"
    rest = len(rows) - len(tested)
    beside = f"; {rest} more are for comparison only" if rest else ""
    return f"Published footprints: {share} rows within their own tolerance{beside}."
