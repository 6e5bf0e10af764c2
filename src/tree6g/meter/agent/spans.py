"""Times that were taken already, by series: an interval that comes again is not counted again."""

from __future__ import annotations

import bisect
import json
from collections.abc import Mapping
from typing import Final

MAX_SPANS: Final = 64  # of one series; what lies before the oldest kept ones counts as taken
MAX_SERIES: Final = 50_000
TOUCH_S: Final = 1e-3

Span = tuple[float, float]


class Taken:
    """Disjoint times by series, in order; `free` asks, `take` plans, `commit` makes it so."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = {}
        self._planned: dict[str, list[Span]] = {}

    def free(self, series: str, span: Span) -> bool:
        """Whether nothing of a time was taken, nor planned, yet."""
        t0_s, t1_s = span[0] + TOUCH_S, span[1] - TOUCH_S
        for held in (self._spans.get(series, ()), self._planned.get(series, ())):
            if any(a < t1_s and t0_s < b for a, b in held):
                return False
        known = self._spans.get(series)
        if known is None:
            return len(self._spans) < MAX_SERIES
        return len(known) < MAX_SPANS or t0_s >= known[0][0]

    def plan(self, series: str, span: Span) -> None:
        """Take a time once the rows of it are durable."""
        self._planned.setdefault(series, []).append(span)

    def drop(self) -> None:
        """Forget the plans."""
        self._planned = {}

    def commit(self) -> None:
        """Take what was planned."""
        self._spans = self._then()
        self._planned = {}

    def state(self) -> bytes | None:
        """The state as it will be after `commit`; None: as it is."""
        if not self._planned:
            return None
        return json.dumps(self._then(), separators=(",", ":")).encode()

    def restore(self, raw: bytes) -> None:
        """Go on from a state."""
        found: Mapping[str, list[list[float]]] = json.loads(raw)
        self._spans = {name: [(a, b) for a, b in spans] for name, spans in found.items()}

    def _then(self) -> dict[str, list[Span]]:
        """Spans with those that are planned."""
        spans = dict(self._spans)
        for series, new in self._planned.items():
            for span in new:
                spans[series] = _with(spans.get(series, []), span)
        return spans


def _with(spans: list[Span], new: Span) -> list[Span]:
    """Spans with another one that shares nothing with them; those that touch are joined."""
    found = list(spans)
    bisect.insort(found, new)
    joined = [found[0]]
    for t0_s, t1_s in found[1:]:
        if t0_s <= joined[-1][1] + TOUCH_S:
            joined[-1] = (joined[-1][0], max(t1_s, joined[-1][1]))
        else:
            joined.append((t0_s, t1_s))
    return joined[-MAX_SPANS:]
