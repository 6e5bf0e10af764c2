"""The figure of a run on a terminal: a few lines of plain ASCII."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Final

from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.report import listings, numerals, weight, words
from tree6g.report.markup import visible
from tree6g.report.tables import Cell, Column, Missing, shown

_WIDTH: Final = 78
_MOST_SERVICES: Final = 8
_ASCII: Final = {
    "\u2013": "-", "\u00a0": " ", "\u00b5": "u", "\u00b1": "+-", "\u201c": '"', "\u201d": '"',
    "\u03b1": "alpha", "\u2026": "...", "\u00b7": "|", "\u2264": "<=",
}  # fmt: skip
# A number whose unit stands in the head of its column.
_COMPACT: Final = "compact"
_HEADS: Final = ("service", "bits", "energy", "value", "served", "asym.", "bit-eq/J", "J/token")
_FIELDS: Final = (
    ("bit_share_frac", "frac"), ("energy_share_frac", "frac"), ("utility_share_frac", "frac"),
    ("served_share_frac", "frac"), ("asymmetry", ""), ("tree_beq_per_j", _COMPACT),
    ("j_per_tok", _COMPACT),
)  # fmt: skip


def terminal_summary(ledger: Ledger, figure: Figure, report: Path | None = None) -> str:
    """At most 30 lines: what it means, the efficiencies, the services, what it holds for.

    Args:
        ledger: The ledger, for its notes.
        figure: Its figure.
        report: Path of the written report, named in the last line.
    """
    lines = [*_wrapped(words.headline(figure)), ""]
    lines += [_efficiency(figure, *e) for e in _EFFICIENCIES]
    lines += ["", *_services(figure), ""]
    meaning = _wrapped(" ".join([words.second_sentence(figure), *_worth(figure)]).strip())
    lines += [*meaning, *([""] if meaning else []), *_holds_for(figure)]
    for note in ledger.meta.notes[:2]:
        lines += _wrapped(f"Note: {note}")[:2]
    shown_lines = [ascii_only(line).rstrip() for line in lines]
    return "\n".join([*shown_lines, *([f"report       {report}"] if report is not None else [])])


def ascii_only(text: str) -> str:
    """Text that any terminal shows."""
    known = "".join(_ASCII.get(c, c) for c in visible(text))
    return known.encode("ascii", "replace").decode("ascii")


_EFFICIENCIES: Final = (
    ("TREE", "tree_beq_per_j", "beq_per_j", "worth of all services per joule"),
    ("EE", "ee_bit_per_j", "bit_per_j", "bits per joule, same boundary"),
    ("EE_ran", "ee_ran_bit_per_j", "bit_per_j", "bits per joule of the radio access network"),
)


def _efficiency(figure: Figure, name: str, field: str, unit: str, meaning: str) -> str:
    cell = listings.defined(figure, field)
    if isinstance(cell, Missing):
        return f"{name:<12} {'-':<16} not defined: {cell.reason}"
    return f"{name:<12} {numerals.quantity(float(cell or 0), unit):<16} {meaning}"


def _services(figure: Figure) -> list[str]:
    rows = [_HEADS, *(_row(s) for s in figure.services[:_MOST_SERVICES])]
    widths = [max(len(ascii_only(r[i])) for r in rows) for i in range(len(_HEADS))]
    lines = [_line([ascii_only(c) for c in row], widths) for row in rows]
    left_out = len(figure.services) - _MOST_SERVICES
    more = [f"... and {left_out} more in the report"] if left_out > 0 else []
    return [lines[0], "-" * len(lines[0]), *lines[1:], *more]


def _row(service: ServiceFigure) -> tuple[str, ...]:
    cells = (_short(listings.defined(service, f), unit) for f, unit in _FIELDS)
    return (numerals.shorten(visible(service.name), 18), *cells)


def _short(cell: Cell, unit: str) -> str:
    if unit == _COMPACT and isinstance(cell, float):
        return numerals.tick(cell) if cell >= 1 else numerals.plain(cell)
    return shown(cell, Column(key="", head="", unit=unit))


def _line(cells: list[str], widths: list[int]) -> str:
    first = f"{cells[0]:<{widths[0]}}"
    return "  ".join([first, *(f"{c:>{w}}" for c, w in zip(cells[1:], widths[1:], strict=True))])


def _holds_for(figure: Figure) -> list[str]:
    window = numerals.quantity(figure.t1_s - figure.t0_s, "s")
    cover = figure.coverage_frac
    covered = numerals.DASH if cover is None else numerals.percent(cover)
    rest_j = sum(figure.unattributed_j.values())
    energy = numerals.quantity(figure.energy_j, "j")
    rest = f" ({numerals.quantity(rest_j, 'j')} of it unattributed)" if rest_j > 0 else ""
    nodes = len(figure.inside) + len(figure.outside)
    error = "unknown" if figure.u95_frac is None else f"+- {numerals.percent(figure.u95_frac)}"
    return [
        f"energy       {energy}{rest}",
        f"requests     {_count(figure, 'requests')} served, {_count(figure, 'requests_lost')} lost",
        f"boundary     {figure.boundary}, {len(figure.inside)} of {nodes} nodes inside",
        f"attribution  {figure.rule}, idle {figure.idle}",
        f"coverage     {covered} of {window}; uncertainty {error}",
        f"profiles     {figure.profile_set}",
    ]


def _worth(figure: Figure) -> list[str]:
    """For which worth of a token AI earns the energy that it takes."""
    curve = weight.token_weight(figure)
    return [] if isinstance(curve, Missing) else words.weight_sentences(curve)[:2]


def _count(figure: Figure, field: str) -> str:
    return numerals.plain(sum(getattr(s, field) for s in figure.services))


def _wrapped(text: str) -> list[str]:
    # Wrapped with the non-breaking spaces in place, which textwrap keeps together.
    return textwrap.wrap(text, _WIDTH)
