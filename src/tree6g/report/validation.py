"""The page and the tables of a validation: what was compared, errors, figures, misses."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tree6g.calibrate.result import Constant, Fit, Group, Validation
from tree6g.report import numerals
from tree6g.report.canvas import Drawing
from tree6g.report.figures import validation as figures
from tree6g.report.frame import Section, figure, page, paragraphs
from tree6g.report.markup import Markup, tag
from tree6g.report.tables import Cell, Column, Table, to_html
from tree6g.report.write import ReportFiles, write_files
from tree6g.version import __version__

_HEADS: Final[Mapping[str, str]] = {
    "mape_frac": "mean error",
    "median_ape_frac": "median error",
    "p90_ape_frac": "90 % are below",
    "within_25_frac": "within 25 %",
    "max_ape_frac": "largest error",
    "mean_abs_error": "mean error",
    "max_abs_error": "largest error",
    "inside_range_frac": "inside",
    "max_outside_db": "farthest outside",
    "rms_error_db": "rms error, SNR",
    "median_abs_error_db": "median error, SNR",
    "max_abs_error_db": "largest error, SNR",
    "fitted_constants": "constants",
    "cdf_percent": "percentile",
    "group": "what",
    "ours_db": "ours",
    "low_db": "range from",
    "high_db": "range to",
    "outside_db": "outside by",
    "d2D_m": "distance",
    "error_db": "error",
    "error_frac": "error",
    "tolerance_frac": "tolerance",
}
_ABSOLUTE: Final = ("mean_abs_error", "max_abs_error")
_SUFFIXES: Final = ("frac", "db", "m")
_LOW, _HIGH = "_low", "_high"
_UNIT: Final = re.compile(r"(\d) (%|dB|h)")  # a number and its unit stay on one line


def write_validation(result: Validation, out: Path) -> ReportFiles:
    """Write the page of a validation, `validation.html`, with its figures and tables.

    Args:
        result: What the validation found.
        out: Folder, made if absent.

    Raises:
        LedgerError: The folder cannot be written.
    """
    stamp = f"tree6g {__version__}, validate {result.kind}, {result.rows:,} rows"
    drawings = figures.drawings(result.plots, stamp=stamp)
    tables = [*error_tables(result), *constant_tables(result), *miss_tables(result)]
    html = page(
        title=f"tree6g: validation of {result.kind}",
        header=_header(result),
        sections=_sections(result, drawings),
        footer=[stamp, "This page loads nothing from the web."],
    )
    return write_files(
        out, name="validation.html", html=html, drawings=drawings, listed=tables, stamp=stamp
    )


def error_tables(result: Validation) -> list[Table]:
    """Errors by group, and those of simpler models on the same rows."""
    headings = dict.fromkeys(group.heading for group in result.groups)
    tables = [
        _table(heading.lower().replace(" ", "-"), heading, own, result)
        for heading in headings
        if (own := [group for group in result.groups if group.heading == heading])
    ]
    if result.baselines:
        title = "Errors of simpler models on the same rows"
        tables.append(_table("baselines", title, result.baselines, result))
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


def miss_tables(result: Validation, limit: int | None = None) -> list[Table]:
    """The misses, in one table if there are any; `limit` keeps the first."""
    misses = result.misses[:limit]
    if not misses:
        return []
    keys = list(dict.fromkeys(name for miss in misses for name in miss))
    units = {k: _unit(k, result) for k in keys}
    columns = tuple(
        Column(
            key=k,
            head=_head(k),
            unit=None if any(isinstance(miss.get(k), str) for miss in misses) else units[k],
        )
        for k in keys
    )
    count = len(result.misses)
    some = f", the first {len(misses):,} of {count:,}" if len(misses) < count else f": {count:,}"
    words = {g.name: g.words for g in result.groups if g.words}
    rows = tuple(tuple(words.get(str(miss.get(k)), miss.get(k)) for k in keys) for miss in misses)
    return [Table(name="misses", title=result.misses_are + some, columns=columns, rows=rows)]


def constants_heading(result: Validation) -> str:
    """How many of the constants of a validation were fitted, if any were."""
    count = result.fitted_constants
    return f"Constants, {count} of them fitted" if count else "Constants"


def constant_lines(constants: Sequence[Constant]) -> list[str]:
    """Constants as lines: in words, or under the name of the thing that several belong to."""
    lines: list[str] = []
    shown = ""
    for constant in constants:
        thing, _, own = constant.name.rpartition(": ")
        if constant.words or not thing:
            lines.append(constant.words or _constant_line(constant.name, constant))
            continue
        if thing != shown:
            lines.append(f"\n{thing}")
            shown = thing
        lines.append("  " + _constant_line(f"{own:<50}", constant))
    return lines


def fit_lines(fitted: Fit) -> list[str]:
    """A fit as lines for a terminal."""
    return [
        fitted.headline
        or f"{fitted.kind}: {fitted.rows:,} rows, mean error {fitted.error or 0.0:.2%}",
        "Constants with 95 % intervals, in SI units or the unit of the file:",
        *constant_lines(fitted.constants),
    ]


def _sections(result: Validation, drawings: Sequence[Drawing]) -> list[Section]:
    tables = [to_html(t) for t in error_tables(result)]
    drawn: list[Markup] = []
    for plot, drawing in zip([p for p in result.plots if p.curves], drawings, strict=True):
        drawn.append(figure(drawing, plot.reads))
    sections = [
        Section(
            id="about",
            short="What was compared",
            title="What was compared",
            body=[paragraphs(*result.about)],
        ),
        Section(id="errors", short="Errors", title="Errors", body=tables),
        Section(
            id="curves",
            short="Figures",
            title="Figures",
            body=drawn or [tag("p", "There is no curve to draw.")],
        ),
    ]
    if result.constants:
        lines = [tag("li", line.strip()) for line in constant_lines(result.constants)]
        body: list[object] = [tag("ul", *lines)]
        heading = constants_heading(result)
        sections.append(Section(id="constants", short="Constants", title=heading, body=body))
    listed: list[object] = [to_html(t) for t in miss_tables(result)]
    if result.problems:
        listed.append(tag("ul", *(tag("li", note) for note in result.problems)))
    listed = listed or [tag("p", "Nothing misses its bar, and nothing was left out.")]
    sections.append(
        Section(id="notes", short="Misses and notes", title="Misses and notes", body=listed)
    )
    return [section for section in sections if section.body]


def _constant_line(name: str, constant: Constant) -> str:
    line = (
        f"{name}: {constant.value:.4g}"
        if name == constant.name
        else f"{name} {constant.value:>8.4g}"
    )
    if constant.low is not None and constant.high is not None:
        line = f"{line}  ({constant.low:.4g} to {constant.high:.4g})"
    return f"{line}  {constant.remark}" if constant.remark else line


def _header(result: Validation) -> list[Markup]:
    return [
        tag("p", "Validation", class_="kind"),
        tag("h1", result.title or result.kind),
        tag("p", _UNIT.sub("\\1\u00a0\\2", result.headline), class_="takeaway"),
    ]


def _head(name: str) -> str:
    return _HEADS.get(name, name.removesuffix("_frac").replace("_", " "))


def _unit(name: str, result: Validation) -> str:
    """The suffix of the unit that a figure is shown in."""
    if name in _ABSOLUTE:
        return result.unit
    suffix = name.rpartition("_")[2]
    return suffix if suffix in _SUFFIXES and "_" in name else ""


def _figure_head(name: str, result: Validation) -> str:
    """The head of a column; errors that are no decibels say what they are."""
    head = _head(name)
    if result.kind == "calibration":  # companies differ; none of them is the truth
        head = head.replace("error", "deviation")
    of = {"": ", unit of the file", "frac": " of the rate", "db": ""}[result.unit]
    return head + of if name in _ABSOLUTE else head


def _table(name: str, title: str, groups: Sequence[Group], result: Validation) -> Table:
    """One row per group, one column per figure; an interval is a column of words."""
    found = dict.fromkeys(figure for group in groups for figure in group.figures)
    edges = {f for f in found if f.endswith((_LOW, _HIGH))}
    names = [f for f in found if f not in edges]
    intervals = [f for f in names if f + _LOW in edges and f + _HIGH in edges]
    columns = [Column(key="group", head="group"), Column(key="rows", head="rows", unit="")]
    for figure_name in names:
        unit = _unit(figure_name, result)
        head = _figure_head(figure_name, result)
        columns.append(Column(key=figure_name, head=head, unit=unit))
        if figure_name in intervals:
            columns.append(Column(key=f"{figure_name}_interval", head="95 % interval"))
    rows = tuple(_row(group, names, intervals) for group in groups)
    return Table(name=name, title=title, columns=tuple(columns), rows=rows)


def _row(group: Group, names: Sequence[str], intervals: Sequence[str]) -> tuple[Cell, ...]:
    cells: list[Cell] = [group.words or group.name, float(group.rows)]
    for name in names:
        cells.append(group.figures.get(name))
        if name in intervals:
            low, high = group.figures.get(name + _LOW), group.figures.get(name + _HIGH)
            known = None if low is None or high is None else (low, high)
            cells.append(known and " to ".join(numerals.percent(edge) for edge in known))
    return tuple(cells)
