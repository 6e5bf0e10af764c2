"""The page and the tables of a validation: errors by group, baselines, constants, figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tree6g.calibrate.result import Constant, Group, Validation
from tree6g.report import numerals
from tree6g.report.figures import validation as figures
from tree6g.report.frame import Section, figure, page
from tree6g.report.markup import Markup, tag
from tree6g.report.tables import Cell, Column, Table, to_html
from tree6g.report.write import ReportFiles, write_files
from tree6g.version import __version__

_HEADS: Final[Mapping[str, str]] = {
    "mape_frac": "mean error",
    "median_ape_frac": "median error",
    "p90_ape_frac": "90 % below",
    "within_25_frac": "within 25 %",
    "mean_abs_error": "mean |error|",
    "max_abs_error": "largest |error|",
    "inside_range_frac": "inside range",
    "fitted_constants": "constants",
}
_LOW, _HIGH = "_low", "_high"


def write_validation(result: Validation, out: Path) -> ReportFiles:
    """Write the page of a validation, `validation.html`, with its figures and tables.

    Args:
        result: What the validation found.
        out: Folder, made if absent.

    Raises:
        LedgerError: The folder cannot be written.
    """
    stamp = f"tree6g {__version__}, validate {result.kind}, {result.rows:,} rows"
    drawings = figures.drawings(result.curves, stamp=stamp)
    tables = [*error_tables(result), *constant_tables(result)]
    curves = [figure(d, d.description) for d in drawings]
    curves = curves or [tag("p", "There is no curve to draw.")]
    notes = [tag("li", note) for note in (*map(miss_text, result.misses), *result.problems)]
    sections = [
        Section(id="errors", short="Errors", title="Errors", body=[to_html(t) for t in tables]),
        Section(id="curves", short="Figures", title="Figures", body=curves),
    ]
    if notes:
        body = [tag("ul", *notes)]
        sections.append(Section(id="notes", short="Misses", title="Misses and notes", body=body))
    html = page(
        title=f"tree6g: validation of {result.kind}",
        header=_header(result),
        sections=sections,
        footer=[stamp, "This page loads nothing from the web."],
    )
    return write_files(
        out, name="validation.html", html=html, drawings=drawings, listed=tables, stamp=stamp
    )


def takeaway(result: Validation) -> str:
    """The sentence that a reader takes away."""
    said = [
        f"{_head(name)} {_shown(name, value)}"
        for name, value in result.figures.items()
        if name in _HEADS
    ]
    fitted = f"{result.fitted_constants:,}" if result.fitted_constants else "no"
    return (
        f"{result.kind}: {result.rows:,} rows, {fitted} fitted constants; "
        f"{numerals.listing(said) or 'no figure'}."
    )


def error_tables(result: Validation) -> list[Table]:
    """Errors by group, and those of simpler models on the same rows."""
    tables = []
    if result.groups:
        tables.append(_table("groups", "Errors by group", result.groups))
    if result.baselines:
        tables.append(_table("baselines", "Errors of simpler models", result.baselines))
    return tables


def constant_tables(result: Validation) -> list[Table]:
    """The constants worth printing, in one table if there are any."""
    if not result.constants:
        return []
    columns = (
        Column(key="name", head="constant"),
        *(Column(key=k, head=k, unit="") for k in ("value", "low", "high")),
    )
    rows = tuple((c.name, c.value, c.low, c.high) for c in result.constants)
    return [Table(name="constants", title="Fitted constants", columns=columns, rows=rows)]


def constant_lines(constants: Sequence[Constant]) -> list[str]:
    """One line per constant, with its interval where there is one."""
    return [_constant_line(c) for c in constants]


def miss_text(miss: Mapping[str, Any]) -> str:
    """A miss in one line: what identifies it, then its figures."""
    return ", ".join(
        f"{name} {value if isinstance(value, str) else _shown(name, float(value))}"
        for name, value in miss.items()
        if value is not None
    )


def _constant_line(constant: Constant) -> str:
    line = f"{constant.name}: {constant.value:.6g}"
    if constant.low is None or constant.high is None:
        return line
    return f"{line} ({constant.low:.6g} to {constant.high:.6g})"


def _header(result: Validation) -> list[Markup]:
    return [
        tag("p", "Validation", class_="kind"),
        tag("h1", result.kind),
        tag("p", takeaway(result), class_="takeaway"),
    ]


def _head(name: str) -> str:
    return _HEADS.get(name, name.removesuffix("_frac").replace("_", " "))


def _shown(name: str, value: float) -> str:
    return numerals.quantity(value, "frac" if name.endswith("_frac") else "")


def _table(name: str, title: str, groups: Sequence[Group]) -> Table:
    """One row per group, one column per figure; an interval is a column of words."""
    found = dict.fromkeys(figure for group in groups for figure in group.figures)
    edges = {f for f in found if f.endswith((_LOW, _HIGH))}
    names = [f for f in found if f not in edges]
    intervals = [f for f in names if f + _LOW in edges and f + _HIGH in edges]
    columns = [Column(key="group", head="group"), Column(key="rows", head="rows", unit="")]
    for figure_name in names:
        unit = "frac" if figure_name.endswith("_frac") else ""
        columns.append(Column(key=figure_name, head=_head(figure_name), unit=unit))
        if figure_name in intervals:
            columns.append(Column(key=f"{figure_name}_interval", head="95 % interval"))
    rows = tuple(_row(group, names, intervals) for group in groups)
    return Table(name=name, title=title, columns=tuple(columns), rows=rows)


def _row(group: Group, names: Sequence[str], intervals: Sequence[str]) -> tuple[Cell, ...]:
    cells: list[Cell] = [group.name, float(group.rows)]
    for name in names:
        cells.append(group.figures.get(name))
        if name in intervals:
            low, high = group.figures.get(name + _LOW), group.figures.get(name + _HIGH)
            known = None if low is None or high is None else (low, high)
            cells.append(known and " to ".join(_shown(name, edge) for edge in known))
    return tuple(cells)
