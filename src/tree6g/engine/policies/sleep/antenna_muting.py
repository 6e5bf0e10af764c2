"""Half of the transceivers go off at low load, then half of the rest; sleep between bursts as well.

With half of the transceivers the radiated power and the array gain both halve: 6 dB less downlink
SINR, 3 dB less uplink SINR. So rates fall, transmissions take longer, and the cell sleeps less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tree6g.engine.policies.sleep import CellReport, Order

LOW_FRAC: Final = 0.15  # below this load half of the transceivers go off
HIGH_FRAC: Final = 0.5  # above it twice as many come on
LEAST_FRAC: Final = 0.25


def decide(t_s: float, cells: Sequence[CellReport]) -> list[Order]:  # noqa: ARG001 - protocol
    """Transceivers by the load of the last period, never so few that a terminal is out of reach."""
    return [Order(timer_s=cell.idle_timer_s, antenna_frac=_active(cell)) for cell in cells]


def _active(cell: CellReport) -> float:
    least = max(LEAST_FRAC, cell.antenna_least_frac)
    if cell.load_frac > HIGH_FRAC:
        return min(1.0, 2.0 * cell.antenna_frac)
    wanted = 0.5 * cell.antenna_frac if cell.load_frac < LOW_FRAC else cell.antenna_frac
    return wanted if wanted >= least else cell.antenna_frac
