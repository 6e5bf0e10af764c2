"""Amounts of a ledger in pieces of time: what stands side by side when two ledgers are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tree6g.metric.cells import Book
from tree6g.metric.coverage import Span

Piece = tuple[float, float, int]  # start, end, number of its window
Amounts = dict[tuple[str, ...], dict[int, float]]  # by the keys, by window
_COLUMN: Final = {"energy": "energy_j", "work": "amount"}


def pieces_of(spans: Sequence[Span], window_s: float) -> list[Piece]:
    """Spans of time cut at the multiples of a window; a piece knows its window.

    >>> pieces_of([(5.0, 25.0)], 10.0)
    [(5.0, 10.0, 0), (10.0, 20.0, 1), (20.0, 25.0, 2)]
    """
    pieces = []
    for start, end in spans:
        number = int((start + 1e-9 * window_s) // window_s)
        low = start
        while low < end:
            high = min((number + 1) * window_s, end)
            if high > low:
                pieces.append((low, high, number))
            low, number = high, number + 1
    return pieces


def amounts(book: Book, pieces: Sequence[Piece], table: str, keys: Sequence[str]) -> Amounts:
    """Sum of a table inside the boundary, by keys and window; rows are prorated by time.

    Args:
        book: A ledger opened without cells.
        pieces: Disjoint pieces of its time.
        table: `energy` or `work`.
        keys: Columns of the table, all of them text.
    """
    a_s, b_s, windows = zip(*pieces, strict=True) if pieces else ((), (), ())
    columns = {"a_s": ("DOUBLE", a_s), "b_s": ("DOUBLE", b_s), "number": ("BIGINT", windows)}
    book.store("piece_of_time", columns)
    listed = ", ".join(keys)
    found = book.rows(
        f"WITH kept AS (SELECT t0_s, t1_s, {listed}, fsum({_COLUMN[table]}) AS amount"
        f" FROM covered_{table} SEMI JOIN inside USING (node) GROUP BY ALL)"
        f" SELECT {listed}, number,"
        " fsum(amount * (least(t1_s, b_s) - greatest(t0_s, a_s)) / (t1_s - t0_s))"
        " FROM kept JOIN piece_of_time ON t0_s < b_s AND t1_s > a_s GROUP BY ALL ORDER BY ALL"
    )
    sums: Amounts = {}
    for *key, number, amount in found:
        sums.setdefault(tuple(map(str, key)), {})[int(number)] = float(amount)
    return sums


def row_length_s(book: Book) -> float:
    """Length that nine of ten rows do not exceed; windows that are shorter show no more."""
    found = book.rows(
        "SELECT quantile_disc(t1_s - t0_s, 0.9) FROM (SELECT t0_s, t1_s FROM covered_energy"
        " UNION ALL SELECT t0_s, t1_s FROM covered_work)"
    )
    return float(found[0][0] or 0.0)
