"""Contiguous carriers go off while the others carry the load; sleep between bursts as well."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from tree6g.engine.policies.sleep import CellReport, Order

TARGET_FRAC: Final = 0.5  # share of the carriers left on that the load of the last period may fill
FULL_FRAC: Final = 0.9  # above it the load is cut off by what there is, and tells no need


def decide(t_s: float, cells: Sequence[CellReport]) -> list[Order]:  # noqa: ARG001 - protocol
    """As few carriers as the load of the last period needs; all of them if it filled them."""
    return [Order(timer_s=cell.idle_timer_s, carriers=_needed(cell)) for cell in cells]


def _needed(cell: CellReport) -> int:
    if cell.load_frac > FULL_FRAC:
        return cell.carriers
    wanted = math.ceil(cell.load_frac * cell.carriers_on / TARGET_FRAC - 1e-9)
    return min(max(wanted, 1), cell.carriers)
