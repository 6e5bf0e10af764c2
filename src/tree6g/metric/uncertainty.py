"""Uncertainty of a figure: rows of one source share their error, sources are independent."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tree6g.metric.cells import Book

UNKNOWN_LIMIT_FRAC = 0.01


def combine(parts: Iterable[tuple[str, float, float]]) -> float:
    """Half width of the 95 % interval of a sum.

    Args:
        parts: Source, value and relative half width of each row. Rows of one source add linearly,
            sources as the root of the sum of squares; the number of rows never helps.

    Returns:
        Relative half width of the sum, 0 for an empty one.

    >>> round(combine([("a", 100.0, 0.1), ("b", 100.0, 0.1)]), 4)
    0.0707
    """
    by_source: dict[str, float] = {}
    total = 0.0
    for source, value, u95_frac in parts:
        by_source[source] = by_source.get(source, 0.0) + value * u95_frac
        total += value
    return math.sqrt(math.fsum(u * u for u in by_source.values())) / total if total > 0 else 0.0


def of_tree(book: Book) -> tuple[float | None, float | None]:
    """Interval of TREE from its energy, and the share of joules whose uncertainty is unknown.

    Counts of bits and tokens are exact unless their rows say otherwise; the interval of alpha is a
    choice of weights and shown apart. None where more than 1 % of the joules are of unknown
    uncertainty, or there is no energy.
    """
    energy = _by_source(book, "covered_energy", "energy_j")
    total = math.fsum(value for _, value, _, _ in energy)
    if not total > 0:
        return None, None
    unknown = math.fsum(missing for _, _, _, missing in energy) / total
    if unknown > UNKNOWN_LIMIT_FRAC:
        return None, unknown
    known = [(s, v - m, e / (v - m)) for s, v, e, m in energy if v > m]
    return math.hypot(combine(known), _of_work(book)), unknown


def sources_without_coverage(book: Book) -> list[str]:
    """Sources of rows inside the boundary that never state what time they covered."""
    rows = book.rows(
        "SELECT DISTINCT source FROM (SELECT source, node FROM covered_energy UNION"
        " SELECT source, node FROM covered_work) JOIN inside USING (node)"
        " ANTI JOIN (SELECT source FROM coverage WHERE status = 'ok') USING (source) ORDER BY 1"
    )
    return [source for (source,) in rows]


def _of_work(book: Book) -> float:
    """Relative half width of the utility, rows weighted by the utility that they bring."""
    rows = book.rows(
        "SELECT w.source, sum(w.amount * f.utility_beq), sum(w.amount * f.utility_beq * w.u95_frac)"
        " FROM covered_work w JOIN inside USING (node) JOIN factor f ON f.service = w.service"
        " AND f.kind = w.kind AND f.model IS NOT DISTINCT FROM w.model GROUP BY ALL ORDER BY 1"
    )
    return combine((s, v, (e or 0.0) / v) for s, v, e in rows if v > 0)


def _by_source(book: Book, table: str, column: str) -> list[tuple[str, float, float, float]]:
    """Source, its sum, the sum of its errors, and what of the sum has no known error."""
    return book.rows(
        f"SELECT source, sum({column}), coalesce(sum({column} * u95_frac), 0),"
        f" coalesce(sum({column}) FILTER (u95_frac IS NULL), 0)"
        f" FROM {table} JOIN inside USING (node) GROUP BY source ORDER BY source"
    )
