"""The page of a study: for which loads and rules "few bits, much energy" holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tree6g.ledger.meta import digest
from tree6g.report.canvas import Drawing
from tree6g.report.cases import KEYS, SHARES, Case, ai_cases, statements, takeaway
from tree6g.report.figures import study as study_figure
from tree6g.report.frame import Section, figure, folded, page
from tree6g.report.markup import Markup, tag
from tree6g.report.tables import Cell, Column, Missing, Table, to_html
from tree6g.report.write import ReportFiles, write_files

_COLUMNS = (
    Column(key="requests_per_user_hour", head="requests per user and hour", unit=""),
    Column(key="rule", head="rule"),
    Column(key="idle", head="idle"),
)


def write_study(
    cells: Sequence[Mapping[str, Any]], out: Path, *, about: str = "", notes: Sequence[str] = ()
) -> ReportFiles:
    """Write `study.html`: shares per service over load x attribution rule x idle rule.

    Args:
        cells: Rows `{requests_per_user_hour, rule, idle, service, kind, bit_share_frac,
            energy_share_frac, utility_share_frac, asymmetry}`, one per service and cell;
            `unattributed_frac` where it is known.
        out: Folder, made if absent.
        about: What was studied, for which boundary and weights; it is on every figure and table.
        notes: What a reader has to know first.

    Raises:
        LedgerError: No rows, a row without one of the keys, or a folder that cannot be written.
    """
    cases = ai_cases(cells)
    stamp = f"tree6g \u00b7 study {digest([dict(c) for c in cells])[:12]}"
    stamp += f" \u00b7 {about}" if about else ""
    table, cases_listed = share_table(cells), case_table(cases)
    drawing = study_figure.drawing(cases, stamp)
    html = page(
        title="tree6g: study of bit, energy and value shares",
        header=[
            tag("p", "tree6g study", class_="kind"),
            tag("h1", "Few bits, much energy?"),
            tag("p", takeaway(cases), class_="takeaway"),
            tag("p", about, class_="lead") if about else "",
            _aside(notes),
        ],
        sections=_sections(cases, table, cases_listed, drawing),
        footer=[stamp, "This page loads nothing from the web."],
    )
    drawings = [drawing] if isinstance(drawing, Drawing) else []
    return write_files(
        out, name="study.html", html=html, drawings=drawings, listed=[table, cases_listed],
        stamp=stamp,
    )  # fmt: skip


def share_table(cells: Sequence[Mapping[str, Any]]) -> Table:
    """Shares of every service in every cell."""
    columns = (
        *_COLUMNS,
        Column(key="service", head="service"),
        Column(key="kind", head="kind"),
        Column(key="bit_share_frac", head="of the bits", unit="frac"),
        Column(key="energy_share_frac", head="of the energy", unit="frac"),
        Column(key="utility_share_frac", head="of the value", unit="frac"),
        Column(key="asymmetry", head="asymmetry", unit=""),
        Column(key="unattributed_frac", head="of all energy unattributed", unit="frac"),
    )
    rows = tuple(
        (float(c["requests_per_user_hour"]), *(str(c[k]) for k in KEYS[1:]),
         *(_number(c.get(k)) for k in (*SHARES, "asymmetry", "unattributed_frac")))
        for c in cells
    )  # fmt: skip
    return Table(name="study", title="Shares by service and cell", columns=columns, rows=rows)


def case_table(cases: Sequence[Case]) -> Table:
    """The AI services together, with the verdict of each cell."""
    words = {True: "yes", False: "no", None: "not known"}
    columns = (
        *_COLUMNS,
        Column(key="bit_share_frac", head="of the bits", unit="frac"),
        Column(key="energy_share_frac", head="of the energy", unit="frac"),
        Column(key="utility_share_frac", head="of the value", unit="frac"),
        Column(key="verdict", head="<2 % bits, >30 % energy"),
    )
    rows = tuple(
        (c.requests_per_user_hour, c.rule, c.idle, _number(c.bit_share_frac),
         _number(c.energy_share_frac), _number(c.utility_share_frac), words[c.holds])
        for c in cases
    )  # fmt: skip
    return Table(name="cells", title="AI services together", columns=columns, rows=rows)


def _aside(notes: Sequence[str]) -> Markup:
    if not notes:
        return Markup("")
    items = tag("ul", *(tag("li", note) for note in notes))
    return tag("aside", tag("h2", "Read this first"), items, class_="notes")


def _sections(
    cases: Sequence[Case], table: Table, cases_listed: Table, drawing: Drawing | Missing
) -> list[Section]:
    caption = (
        "Each point is one cell. In the marked corner AI moves under 2 % of the bits and causes "
        "over 30 % of the attributed energy."
    )
    return [
        Section(
            id="verdict",
            short="Verdict",
            title="Where it holds, and where not",
            body=[
                tag("ul", *(tag("li", s) for s in statements(cases))),
                figure(drawing, caption),
                to_html(cases_listed, limit=200),
            ],
        ),
        Section(
            id="shares",
            short="All shares",
            title="All services",
            body=[folded("Shares by service and cell", to_html(table, limit=400))],
        ),
    ]


def _number(value: float | None) -> Cell:
    return Missing(reason="not defined in this cell") if value is None else float(value)
