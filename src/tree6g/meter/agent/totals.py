"""Joules by node as they were counted beside the rows, over all runs of the agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tree6g.ledger import parts
from tree6g.meter.agent.journal import CONTROL

_Sum = tuple[float, float]  # and what rounding has cost, which is added at the end
_NONE: Final = (0.0, 0.0)


class Totals:
    """Sums with what rounding costs; `plan` plans, `commit` makes it so.

    A ledger that was begun without them does without: nobody counted what it holds.
    """

    def __init__(self, ledger: Path, state: Mapping[str, bytes]) -> None:
        """Go on from a durable state."""
        has_rows = bool(parts.list_parts(ledger, "energy")) or bool(state)
        self._is_on = CONTROL in state or not has_rows
        known = json.loads(state.get(CONTROL, b"{}"))
        self._now: dict[str, _Sum] = {node: (total, lost) for node, (total, lost) in known.items()}
        self._then = self._now

    def plan(self, energy_j: Mapping[str, float]) -> dict[str, bytes]:
        """What has to be durable together with the rows of this energy, by node."""
        if not self._is_on:
            return {}
        self._then = dict(self._now)
        for node, value in energy_j.items():
            self._then[node] = _added(self._now.get(node, _NONE), value)
        return {CONTROL: json.dumps(self._then, separators=(",", ":")).encode()}

    def commit(self) -> None:
        """The rows are durable."""
        self._now = self._then


def _added(total: _Sum, value: float) -> _Sum:
    """Neumaier's sum: its error does not grow with the number of terms."""
    old, lost = total
    new = old + value
    lost += (old - new) + value if abs(old) >= abs(value) else (value - new) + old
    return new, lost
