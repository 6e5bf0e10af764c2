"""Whose rows a ledger refuses, so that one target that is wrong does not stop all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Rows = Mapping[str, Mapping[str, list[Any]]]


def at_fault(rows: Rows, refusal: Callable[[Rows], str]) -> dict[str, str]:
    """Targets whose rows are refused, with the reason; of two that clash it is the later one.

    Args:
        rows: Columns by table; rows of tables without a column `source` are nobody's.
        refusal: Why rows are refused; empty: they are not.
    """
    sources = [name for columns in rows.values() for name in columns.get("source", ())]
    fine: list[str] = []
    wrong: dict[str, str] = {}

    def sift(group: Sequence[str]) -> None:
        why = refusal(_of(rows, {*fine, *group}))
        if not why:
            fine.extend(group)
        elif len(group) == 1:
            wrong[group[0]] = why
        else:
            half = len(group) // 2
            sift(group[:half])
            sift(group[half:])

    names = list(dict.fromkeys(sources))
    if names:
        sift(names)
    return wrong


def _of(rows: Rows, sources: set[str]) -> dict[str, dict[str, list[Any]]]:
    """Rows of some targets."""
    found: dict[str, dict[str, list[Any]]] = {}
    for table, columns in rows.items():
        at = [i for i, name in enumerate(columns.get("source", ())) if name in sources]
        if at:
            found[table] = {name: [column[i] for i in at] for name, column in columns.items()}
    return found
