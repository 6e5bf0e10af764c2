"""Rows of coverage: what touches and says the same is one row, so a lasting gap is few of them.

A time that goes on being covered, or not, stays open and is written when it ends, or from time to
time as long as it lasts: at each flush if it is covered, and each time that its length has doubled
if it is a gap.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tree6g.meter.agent.tracker import Cover, dumped

TOUCH_S: Final = 1e-6
MAX_OPEN: Final = 20_000

Key = tuple[str, str, str | None]  # source, quantity, node


class _Open(NamedTuple):
    t0_s: float
    t1_s: float
    reason: str
    told_s: float = 0.0  # length of the same that was written already


class Coverage:
    """The open times of all sources; `add` and `tell` plan, `commit` makes it so."""

    def __init__(self) -> None:
        self._open: dict[Key, _Open] = {}
        self._then: dict[Key, _Open] = {}
        self._rows: list[tuple[Key, _Open]] = []

    def begin(self) -> None:
        """A tick begins, or begins again."""
        self._then, self._rows = dict(self._open), []

    def add(self, source: str, covers: Iterable[Cover]) -> None:
        """Take what a source says of a time."""
        for cover in sorted(covers, key=lambda c: c.t0_s):
            if cover.t1_s > cover.t0_s:
                self._add((source, cover.quantity, cover.node), cover)

    def tell(self, *, whole: bool = False) -> None:
        """Write what is open: what is covered, and gaps that have doubled; or all of it."""
        for key, span in list(self._then.items()):
            length_s = span.t1_s - span.t0_s
            if length_s > 0.0 and (whole or not span.reason or length_s >= span.told_s):
                self._rows.append((key, span))
                told_s = span.told_s + length_s
                self._then[key] = _Open(span.t1_s, span.t1_s, span.reason, told_s)

    def rows(self) -> dict[str, list[Any]]:
        """The rows that are planned, as columns."""
        return {
            "t0_s": [span.t0_s for _, span in self._rows],
            "t1_s": [span.t1_s for _, span in self._rows],
            "source": [source for (source, _, _), _ in self._rows],
            "quantity": [quantity for (_, quantity, _), _ in self._rows],
            "node": [node for (_, _, node), _ in self._rows],
            "status": ["gap" if span.reason else "ok" for _, span in self._rows],
            "reason": [_line(span.reason) or None for _, span in self._rows],
        }

    def commit(self) -> None:
        """The rows are durable."""
        self._open, self._rows = self._then, []

    def state(self) -> bytes:
        """What is open, as it will be after `commit`."""
        return dumped([[*key, *span] for key, span in self._then.items()])

    def restore(self, raw: bytes) -> None:
        """Go on from a state."""
        self._open = {tuple(row[:3]): _Open(*row[3:]) for row in json.loads(raw)}

    def _add(self, key: Key, cover: Cover) -> None:
        old = self._then.get(key)
        new = _Open(cover.t0_s, cover.t1_s, cover.reason)
        if old is not None and new.t1_s < old.t0_s - TOUCH_S:  # a late file
            self._rows.append((key, new))
            return
        if old is not None and new.t0_s <= old.t1_s + TOUCH_S:
            if new.reason == old.reason:
                t0_s = old.t0_s if new.reason else min(old.t0_s, new.t0_s)
                t1_s = max(old.t1_s, new.t1_s)
                self._then[key] = old._replace(t0_s=t0_s, t1_s=t1_s)
                return
            new = new._replace(t0_s=max(old.t1_s, new.t0_s))  # what was said first stands
            if new.t1_s <= new.t0_s:
                return
        if old is not None and old.t1_s > old.t0_s:
            self._rows.append((key, old))
        if len(self._then) >= MAX_OPEN and key not in self._then:
            first = next(iter(self._then))
            self._rows.append((first, self._then.pop(first)))
        self._then[key] = new


def _line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
