"""Sleep between bursts after a time without traffic: the default."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies.sleep import CellReport, Order


def decide(t_s: float, cells: Sequence[CellReport]) -> list[Order]:  # noqa: ARG001 - protocol
    """Every cell by its own timer."""
    return [Order(timer_s=cell.idle_timer_s) for cell in cells]
