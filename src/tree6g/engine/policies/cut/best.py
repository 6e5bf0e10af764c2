"""The best cut when an answer begins, kept to its end."""

from __future__ import annotations

from tree6g.engine.policies.cut import CutQuery, cheapest


def choose(query: CutQuery) -> int:
    """Least joules on time, over the link as it is when the answer begins."""
    return cheapest(query) if query.cut is None else query.cut
