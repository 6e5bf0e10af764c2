"""How the clocks of two ledgers are laid over each other."""

from __future__ import annotations

import dataclasses
import datetime as dt

from tree6g.errors import LedgerError, nearest
from tree6g.metric.cells import Book

WAYS = ("zero", "start")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """What is added to the times of the other ledger.

    Attributes:
        way: `zero`, by the headers' `t_zero`; `start`, by the start of what is covered; `shift`.
        shift_s: Seconds added to the other's times.
    """

    way: str
    shift_s: float

    @property
    def words(self) -> str:
        """How the clocks were aligned, in a sentence."""
        how = {
            "zero": "by the date in both headers",
            "start": "by the start of what each covers",
            "shift": "as you said",
        }[self.way]
        return f"Clocks are aligned {how}: {self.shift_s:+,.10g} s on the other's times."


def aligned(reference: Book, other: Book, *, align: str | None, shift_s: float | None) -> Alignment:
    """The alignment that is asked for, or that the headers allow.

    Raises:
        LedgerError: An unknown way, both a way and a shift, or no dates to align by.
    """
    if align is not None and align not in WAYS:
        raise LedgerError(f"expected a way to align clocks; got {align!r}. {nearest(align, WAYS)}")
    if shift_s is not None:
        if align is not None:
            raise LedgerError("expected a way to align clocks or a shift; got both. Leave one out.")
        return Alignment(way="shift", shift_s=shift_s)
    zeros = [_instant_s(book) for book in (reference, other)]
    if align == "start" or (align is None and None in zeros):
        starts = [_start_s(book) for book in (reference, other)]
        return Alignment(way="start", shift_s=starts[0] - starts[1])
    for book, zero in zip((reference, other), zeros, strict=True):
        if zero is None:
            raise LedgerError(
                f"{book.ledger.path} has no t_zero, so it stands at no date. Align by start, or "
                "state a shift."
            )
    return Alignment(way="zero", shift_s=(zeros[1] or 0.0) - (zeros[0] or 0.0))


def _instant_s(book: Book) -> float | None:
    """UNIX time of the ledger's t = 0."""
    text = book.ledger.meta.t_zero
    if text is None:
        return None
    try:
        instant = dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise LedgerError(
            f"expected a date of ISO 8601 as t_zero of {book.ledger.path}; got {text!r}."
        ) from error
    return (instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)).timestamp()


def _start_s(book: Book) -> float:
    if not book.cover:
        raise LedgerError(
            f"no time of {book.ledger.path} is covered by all of its sources; `tree6g check` "
            "says more."
        )
    return book.cover[0][0]
