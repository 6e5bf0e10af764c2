"""Nobody sleeps: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies.sleep import CellReport, Order


def decide(t_s: float, cells: Sequence[CellReport]) -> list[Order]:  # noqa: ARG001 - protocol
    """Every cell stays awake, whatever its scenario allows."""
    return [Order(sleeps=False) for _ in cells]
