"""A measured ledger laid over a simulated one: the error of each quantity.

The error is (other - reference) / reference; the reference is the measured ledger. Amounts are
taken over the time that both cover, so that sums compare; where no time is common, each over its
own covered time, and what compares are amounts per second. Shares of windows are prorated by time.
`mape_frac` is the mean of |error| over the windows in which the reference has more than 1 % of its
mean window.

Nodes have other names in another world, so energy is compared by tier and component, work by
service. Only what lies inside one boundary counts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Final

from tree6g.calibrate.overlay_clock import Alignment, aligned
from tree6g.calibrate.overlay_rows import ErrorRow, Side, rows_of
from tree6g.errors import LedgerError
from tree6g.ledger.reading import Ledger
from tree6g.metric import coverage, windows
from tree6g.metric.amounts import Piece, pieces_of, row_length_s
from tree6g.metric.cells import Book, open_book
from tree6g.metric.coverage import Span
from tree6g.metric.figure import Query

WINDOWS: Final = 60
_WHOLE: Final = (
    "no time is covered by both, so each ledger is taken over its own covered time, and amounts "
    "are compared per second"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """Two ledgers over each other.

    Attributes:
        reference: Name of the ledger that is right by definition: the measured one.
        other: Name of the other one.
        measured: Whether reference and other are measured.
        alignment: How the clocks were laid over each other.
        boundary: What counts.
        basis: `common`, the time that both cover, or `whole`, each its own.
        reference_s: Time of the reference that counts.
        other_s: Time of the other that counts.
        window_s: Length of a window.
        rows: The quantities.
        notes: What a reader of the errors must know.
        spans: Time that counts, in the reference's clock.
    """

    reference: str
    other: str
    measured: tuple[bool, bool]
    alignment: Alignment
    boundary: str
    basis: str
    reference_s: float
    other_s: float
    window_s: float
    rows: tuple[ErrorRow, ...]
    notes: tuple[str, ...] = ()
    spans: tuple[Span, ...] = ()

    def row(self, quantity: str, of: str = "") -> ErrorRow:
        """The row of a quantity.

        Raises:
            LedgerError: Neither ledger has it.
        """
        for row in self.rows:
            if (row.quantity, row.of) == (quantity, of):
                return row
        raise LedgerError(f"neither ledger has {quantity} of {of or 'all'!r}.")

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the keys of the command's `--json`."""
        kept = ("reference", "other", "boundary", "basis", "reference_s", "other_s", "window_s")
        return {
            **{name: getattr(self, name) for name in kept},
            "reference_is_measured": self.measured[0],
            "other_is_measured": self.measured[1],
            "aligned_by": self.alignment.way,
            "shift_s": self.alignment.shift_s,
            "quantities": [row.to_dict() for row in self.rows],
            "notes": list(self.notes),
        }


def is_measured(ledger: Ledger) -> bool:
    """Whether a ledger came from no scenario."""
    return ledger.meta.scenario is None


def overlay(
    ledgers: Mapping[str, Ledger],
    query: Query | None = None,
    *,
    align: str | None = None,
    shift_s: float | None = None,
    window_s: float | None = None,
    services: Mapping[str, str] | None = None,
    reference: str | None = None,
) -> Overlay:
    """Lay two ledgers over each other.

    Args:
        ledgers: Two ledgers by name. If only one of them is measured it is the reference, else the
            first.
        query: Boundary, rule and weights as in `figure`; its window is in the reference's clock.
            Without a boundary that of the reference counts.
        align: `zero`, by `t_zero` of the headers; `start`, by the start of what is covered. None:
            by `t_zero` if both have one, else by start.
        shift_s: What is added to the times of the other, in place of `align`.
        window_s: Length of a window; None: a round length that gives about 60,
            no shorter than rows.
        services: Names of the other's services that the reference calls otherwise: theirs to its.
        reference: Name of the ledger that is right by definition; None: as above.

    Raises:
        LedgerError: Not two ledgers, an alignment that the headers do not allow, or damaged rows.
    """
    if len(ledgers) != 2:
        raise LedgerError(f"expected two ledgers to lay over each other; got {len(ledgers)}.")
    names = sorted(ledgers, key=lambda name: not is_measured(ledgers[name]))
    if reference is not None:
        names.sort(key=lambda name: name != reference)
    asked = dataclasses.replace(
        query or Query(),
        boundary=(query and query.boundary) or ledgers[names[0]].meta.boundary,
    )
    books = [open_book(ledgers[name], _unbounded(asked), cells=False) for name in names]
    alignment = aligned(books[0], books[1], align=align, shift_s=shift_s)
    spans, other_spans, basis = _spans(books, asked, alignment.shift_s)
    length_s = window_s or _window_s(books, spans)
    pieces = pieces_of(spans, length_s) if basis == "common" else _one_window(spans)
    sides = (
        Side(book=books[0], pieces=pieces, spans=spans, services={}),
        Side(
            book=books[1],
            pieces=_moved(pieces, -alignment.shift_s)
            if basis == "common"
            else _one_window(other_spans),
            spans=other_spans,
            services=dict(services or {}),
        ),
    )
    rows, notes = rows_of(sides, asked, length_s, by_window=basis == "common")
    return Overlay(
        reference=names[0],
        other=names[1],
        measured=(is_measured(ledgers[names[0]]), is_measured(ledgers[names[1]])),
        alignment=alignment,
        boundary=str(asked.boundary),
        basis=basis,
        reference_s=coverage.length_s(spans),
        other_s=coverage.length_s(other_spans),
        window_s=length_s,
        rows=rows,
        notes=(*((_WHOLE,) if basis == "whole" else ()), *notes),
        spans=tuple(spans),
    )


def _unbounded(query: Query) -> Query:
    return dataclasses.replace(query, t0_s=None, t1_s=None)


def _spans(books: list[Book], query: Query, shift_s: float) -> tuple[list[Span], list[Span], str]:
    """Time of both that counts, each in its own clock."""
    low = -math.inf if query.t0_s is None else query.t0_s
    high = math.inf if query.t1_s is None else query.t1_s
    one = coverage.intersection(books[0].cover, [(low, high)])
    two = [(a + shift_s, b + shift_s) for a, b in books[1].cover]
    common = coverage.intersection(one, two)
    if common:
        return common, [(a - shift_s, b - shift_s) for a, b in common], "common"
    for book, spans in zip(books, (one, two), strict=True):
        if not spans:
            raise LedgerError(
                f"no time of {book.ledger.path} is covered by all of its sources"
                f"{' in the window' if book.cover else ''}; `tree6g check` says more."
            )
    return one, list(books[1].cover), "whole"


def _window_s(books: list[Book], spans: list[Span]) -> float:
    least = max(max(book.grid_s, row_length_s(book)) for book in books)
    return windows.window_length_s(spans[-1][1] - spans[0][0], least, WINDOWS)


def _one_window(spans: list[Span]) -> list[Piece]:
    return [(a, b, 0) for a, b in spans]


def _moved(pieces: list[Piece], by_s: float) -> list[Piece]:
    return [(a + by_s, b + by_s, number) for a, b, number in pieces]
