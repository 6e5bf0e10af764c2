"""Whose rows a ledger refuses, so that one target that is wrong does not stop all others."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from tree6g.meter.agent import arrow
from tree6g.meter.agent.files import Folder
from tree6g.meter.agent.journal import Journal
from tree6g.meter.agent.targets import Source

Rows = Mapping[str, Mapping[str, list[Any]]]


def blamed(rows: Rows, journal: Journal, targets: Container[str]) -> dict[str, str]:
    """Which of some targets' rows a journal refuses, and why; nobody's if it is the disk."""
    if not journal.usable:
        return {}
    found = at_fault(rows, lambda some: journal.refusal(arrow.tables(some)))
    return {
        name: f"its rows are refused: {' '.join(why.split())[:600]}"
        for name, why in found.items()
        if name in targets
    }


def given_up(
    wrong: Mapping[str, str], sources: Mapping[str, Source], say: Callable[[str], None]
) -> set[str]:
    """Folders among targets that are wrong: they look for the file, and go on with the next."""
    found = set()
    for name, why in wrong.items():
        source = sources[name]
        if isinstance(source, Folder):
            found.add(name)
            for path in source.refused():
                say(f"target '{name}': {path} is left out: {why}")
    return found


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
        """Halve a group that is refused until the wrong ones stand alone."""
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
