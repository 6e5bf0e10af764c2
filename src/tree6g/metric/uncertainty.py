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
    energy = _energy_by_source(book)
    total = math.fsum(value for _, value, _, _ in energy)
    if not total > 0:
        return None, None
    unknown = math.fsum(missing for _, _, _, missing in energy) / total
    if unknown > UNKNOWN_LIMIT_FRAC:
        return None, unknown
    known = [(s, v - m, e / (v - m)) for s, v, e, m in energy if v > m]
    return math.hypot(combine(known), _of_work(book)), unknown


def sources_without_coverage(book: Book) -> list[str]:
    """Sources with rows of a quantity and node inside the boundary, and no statement on them."""
    rows = book.rows(
        "SELECT DISTINCT r.source FROM (SELECT source, node, 'energy' AS quantity FROM"
        " covered_energy UNION SELECT source, node, 'work' FROM covered_work) r"
        " JOIN inside USING (node) ANTI JOIN (SELECT * FROM coverage WHERE status = 'ok') c"
        " ON c.source = r.source AND c.quantity = r.quantity"
        " AND coalesce(c.node, r.node) = r.node ORDER BY 1"
    )
    return [source for (source,) in rows]


def _of_work(book: Book) -> float:
    """Relative half width of the utility, rows weighted by the utility that they bring."""
    rows = book.rows(
        "SELECT source, sum(worth), sum(worth * u95_frac) FROM (SELECT w.source, w.u95_frac,"
        f" w.amount * f.utility_beq * {_in_window(book)} AS worth"
        " FROM covered_work w JOIN inside USING (node) JOIN factor f ON f.service = w.service"
        " AND f.kind = w.kind AND f.model IS NOT DISTINCT FROM w.model) GROUP BY ALL ORDER BY 1"
    )
    return combine((s, v, (e or 0.0) / v) for s, v, e in rows if v > 0)


def _energy_by_source(book: Book) -> list[tuple[str, float, float, float]]:
    """Source, its joules, the sum of their errors, and the joules that have no known error."""
    return book.rows(
        "SELECT source, sum(part_j), coalesce(sum(part_j * u95_frac), 0),"
        " coalesce(sum(part_j) FILTER (u95_frac IS NULL), 0)"
        f" FROM (SELECT source, u95_frac, energy_j * {_in_window(book)} AS part_j"
        " FROM covered_energy JOIN inside USING (node)) GROUP BY source ORDER BY source"
    )


def _in_window(book: Book) -> str:
    """SQL of the share of a row that lies in the window."""
    low, high = f"greatest(t0_s, {book.t0_s!r})", f"least(t1_s, {book.t1_s!r})"
    return f"greatest({high} - {low}, 0) / (t1_s - t0_s)"
