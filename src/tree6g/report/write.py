"""Write a report: one page that opens anywhere, its figures and its tables as files."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from tree6g.errors import LedgerError
from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Query
from tree6g.report import method, results, tables
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence, gather
from tree6g.report.frame import page
from tree6g.report.tables import Table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReportFiles:
    """What was written.

    Attributes:
        page: The self-contained page.
        figures: SVG, PNG and CSV of each figure.
        tables: CSV and LaTeX of each table.
    """

    page: Path
    figures: tuple[Path, ...]
    tables: tuple[Path, ...]


def write_report(ledger: Ledger, out: Path, query: Query | None = None) -> ReportFiles:
    """Write the report of a ledger, simulated or measured, into a folder.

    The same ledger and query give the same bytes.

    Args:
        ledger: The ledger.
        out: Folder, made if absent; receives `report.html`, `figures/` and `tables/`.
        query: How the figures are taken; None takes what the ledger's header says.

    Raises:
        LedgerError: The ledger breaks a rule of the metric, or the folder cannot be written.
    """
    evidence = gather(ledger, query or Query())
    findings = results.find(evidence)
    return write_files(
        out,
        name="report.html",
        html=report_page(findings),
        drawings=findings.drawings(),
        listed=[*results.all_tables(evidence), method.record_table(evidence)],
        stamp=evidence.stamp,
    )


def report_page(findings: results.Findings) -> str:
    """The page of a report."""
    evidence = findings.evidence
    return page(
        title=f"tree6g: {evidence.title}",
        header=results.header(evidence),
        sections=[*results.sections(findings), *method.sections(evidence)],
        footer=[evidence.stamp, _written_by(evidence)],
    )


def write_files(
    out: Path,
    *,
    name: str,
    html: str,
    drawings: Iterable[Drawing],
    listed: Iterable[Table],
    stamp: str,
) -> ReportFiles:
    """Write a page with the files of its figures and tables.

    Raises:
        LedgerError: The folder cannot be written.
    """
    try:
        figures = [p for d in drawings for p in _write_figure(out / "figures", d)]
        written = [p for t in listed for p in _write_table(out / "tables", t, stamp)]
        return ReportFiles(
            page=_put(out / name, html.encode()), figures=tuple(figures), tables=tuple(written)
        )
    except OSError as error:
        raise LedgerError(f"cannot write the report to {out}: {error}.") from error


def write_figures(out: Path, drawings: Iterable[Drawing]) -> Path:
    """Write the files of figures without a page, into `out`/figures; returns that folder.

    Raises:
        LedgerError: The folder cannot be written.
    """
    folder = out / "figures"
    try:
        for drawing in drawings:
            _write_figure(folder, drawing)
    except OSError as error:
        raise LedgerError(f"cannot write figures to {folder}: {error}.") from error
    return folder


def _write_figure(folder: Path, drawing: Drawing) -> list[Path]:
    return [
        _put(folder / f"{drawing.name}.svg", drawing.svg),
        _put(folder / f"{drawing.name}.png", drawing.png),
        _put(folder / f"{drawing.name}.csv", tables.to_csv(drawing.table).encode()),
    ]


def _write_table(folder: Path, table: Table, stamp: str) -> list[Path]:
    return [
        _put(folder / f"{table.name}.csv", tables.to_csv(table).encode()),
        _put(folder / f"{table.name}.tex", tables.to_latex(table, stamp).encode()),
    ]


def _put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _written_by(evidence: Evidence) -> str:
    producer = evidence.meta.producer
    return f"Written by tree6g from a ledger by {producer}. This page loads nothing from the web."
