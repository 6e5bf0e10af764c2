"""What an agent has done."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(slots=True)
class Counts:
    """What an agent has done since it started."""

    ticks: int = 0
    looks: int = 0
    failed_looks: int = 0
    rows: int = 0
    failed_records: int = 0
