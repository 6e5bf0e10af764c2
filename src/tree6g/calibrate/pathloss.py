"""Path loss against a table of values, row by row.

Columns: `scenario` (UMa, UMi, RMa, InH, SMa), `los` (LOS or NLOS), `fc_GHz`, `h_BS_m`, `h_UT_m`,
`d2D_m` and `pathloss_dB`. The values have no shadowing and no wall.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.calibrate.columns import Columns, read_all, read_columns
from tree6g.calibrate.result import Curve, Group, Plot, Validation
from tree6g.errors import DataError
from tree6g.radio.pathloss import Environment, FloatArray, pathloss_db

TOLERANCE_DB: Final = 0.01
VALID_GHZ: Final = (0.5, 100.0)  # TR 38.901 clause 7.4.1
NUMBERS: Final = ("fc_GHz", "h_BS_m", "h_UT_m", "d2D_m", "pathloss_dB")
ENVIRONMENT: Final[dict[str, Environment]] = {
    "uma": "uma",
    "umi": "umi",
    "rma": "rma",
    "sma": "sma",
    # both kinds of office have the same path loss; only their lines of sight differ
    "inh": "inh-open",
    "inh-office": "inh-open",
    "inh-open": "inh-open",
    "inh-mixed": "inh-mixed",
    "indoor": "inh-open",
}

ABOUT: Final = (
    (
        "Compared: the path loss of each row of the file with the formulas of 3GPP TR 38.901 for "
        "the row's scenario, line of sight, frequency, heights and distance. Shadowing and walls "
        "are left out on both sides."
    ),
    f"Passes: a row that differs by at most {TOLERANCE_DB} dB.",
    "Fitted: nothing. The formulas and their constants are those of the report.",
)


def validate(files: Sequence[Path]) -> Validation:
    """Compare `radio.pathloss.pathloss_db` with every row of the files.

    Figures: `max_abs_error` and `mean_abs_error` in dB, `inside_range_frac`: the share of rows
    within 0.01 dB. Groups: by scenario and line of sight.

    Raises:
        DataError: A file is not of this form; all its faults are told. There is no file.
    """
    if not files:
        raise DataError("Expected at least one file of path losses; got none. Name one.")
    tables = read_all(files, _read)
    parts = [(group, *_compare(table, rows)) for table in tables for group, rows in _groups(table)]
    names = list(dict.fromkeys(name for name, _, _ in parts))
    distance_m = {n: np.concatenate([d for name, d, _ in parts if name == n]) for n in names}
    error_db = {n: np.concatenate([e for name, _, e in parts if name == n]) for n in names}
    whole_db = np.concatenate(list(error_db.values()))
    misses = tuple(
        {"group": name, "d2D_m": float(distance_m[name][row]), "error_db": float(errors[row])}
        for name, errors in error_db.items()
        for row in np.flatnonzero(np.abs(errors) > TOLERANCE_DB)
    )
    return Validation(
        kind="pathloss",
        rows=whole_db.size,
        title="Path loss",
        headline=_headline(whole_db),
        about=ABOUT,
        unit="db",
        figures=_figures(whole_db),
        groups=tuple(Group(name=n, rows=e.size, figures=_figures(e)) for n, e in error_db.items()),
        misses=misses,
        misses_are=f"Rows more than {TOLERANCE_DB} dB off",
        problems=_problems(tables),
        plots=(_plot([_curve(name, distance_m[name], error_db[name]) for name in names]),),
    )


def _read(file: Path) -> Columns:
    """Read a file and check what its rows say."""
    return read_columns(file, ("scenario", "los"), NUMBERS, check=_faults)


def _faults(table: Columns) -> list[str]:
    """Rows whose words are not known, or whose lengths and frequencies are not positive."""
    problems = []
    for n in range(table.rows):
        scenario, los = table.text["scenario"][n], table.text["los"][n]
        if scenario.lower() not in ENVIRONMENT:
            problems.append(
                f"line {n + 2}: scenario must be UMa, UMi, RMa, InH or SMa; got '{scenario}'"
            )
        if los.upper() not in ("LOS", "NLOS"):
            problems.append(f"line {n + 2}: los must be LOS or NLOS; got '{los}'")
    for name in NUMBERS[:-1]:
        problems += [
            f"line {n + 2}: {name} must be > 0; got {table.number[name][n]:g}"
            for n in np.flatnonzero(table.number[name] <= 0.0)
        ]
    return problems


def _problems(tables: Sequence[Columns]) -> tuple[str, ...]:
    """Rows that the formulas are not written for."""
    ghz = np.concatenate([table.number["fc_GHz"] for table in tables])
    count = int(((ghz < VALID_GHZ[0]) | (ghz > VALID_GHZ[1])).sum())
    rows = "1 row" if count == 1 else f"{count:,} rows"
    told = f"{rows} at frequencies outside {VALID_GHZ[0]:g} to {VALID_GHZ[1]:g} GHz: TR 38.901 "
    return (f"{told}has no formula there, its own are continued",) if count else ()


def _groups(table: Columns) -> list[tuple[str, npt.NDArray[np.intp]]]:
    """Rows of each scenario, line of sight and frequency, under the name of the first two."""
    keys = [
        (scenario, los.upper(), ghz)
        for scenario, los, ghz in zip(
            table.text["scenario"], table.text["los"], table.number["fc_GHz"], strict=True
        )
    ]
    rows: dict[tuple[str, str, float], list[int]] = {}
    for n, key in enumerate(keys):
        rows.setdefault(key, []).append(n)
    return [(f"{key[0]} {key[1]}", np.array(which)) for key, which in rows.items()]


def _compare(table: Columns, rows: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
    """Distances and errors of rows that share scenario, line of sight and frequency."""
    first = rows[0]
    number = {name: values[rows] for name, values in table.number.items()}
    ours_db = pathloss_db(
        ENVIRONMENT[table.text["scenario"][first].lower()],
        number["d2D_m"],
        table.text["los"][first].upper() == "LOS",
        frequency_hz=1e9 * float(number["fc_GHz"][0]),
        h_bs_m=number["h_BS_m"],
        h_ut_m=number["h_UT_m"],
    )
    return number["d2D_m"], ours_db - number["pathloss_dB"]


def _figures(error_db: FloatArray) -> dict[str, float]:
    away_db = np.abs(error_db)
    return {
        "max_abs_error": float(away_db.max()),
        "mean_abs_error": float(away_db.mean()),
        "inside_range_frac": float((away_db <= TOLERANCE_DB).mean()),
    }


def _headline(error_db: FloatArray) -> str:
    """How many rows are within the tolerance, and the largest error."""
    inside, largest_db = int((np.abs(error_db) <= TOLERANCE_DB).sum()), np.abs(error_db).max()
    count = (
        f"all {error_db.size:,}" if inside == error_db.size else f"{inside:,} of {error_db.size:,}"
    )
    largest = (
        f"largest error {_short(float(largest_db))} dB"
        if largest_db >= 0.0005
        else "none 0.001 dB off"
    )
    return f"Path loss: {count} rows within {TOLERANCE_DB} dB ({largest})."


def _short(value_db: float) -> str:
    return f"{value_db:.3f}" if value_db < 1e4 else f"{value_db:.3g}"


def _plot(curves: Sequence[Curve]) -> Plot:
    return Plot(
        name="pathloss-error",
        title="Path loss: what our formulas give above the file",
        reads="Each cross is a row of the file. Crosses on zero agree; those within the grey band "
        "pass.",
        x_label="horizontal distance (m)",
        y_label="ours - file (dB)",
        curves=tuple(curves),
        columns=2,
        accepted=f"{TOLERANCE_DB} dB either side",
        log_x=True,
    )


def _curve(name: str, distance_m: FloatArray, error_db: FloatArray) -> Curve:
    order = np.argsort(distance_m, kind="stable")
    edge_db = np.full(distance_m.size, TOLERANCE_DB)
    return Curve(
        panel=name,
        name="row of the file",
        x=distance_m[order],
        y=error_db[order],
        low=-edge_db,
        high=edge_db,
        form="points",
    )
