"""Energy-efficiency greedy: the most bits per joule first; servers batch whatever is there.

A cell draws the same watts whomever it serves, so the most bits per joule are the most per second.
"""

from __future__ import annotations

import dataclasses

import numpy.typing as npt

from tree6g.engine.policies.schedule import Air


@dataclasses.dataclass(slots=True)
class Scheduler:
    """By rate."""

    def send(self, air: Air) -> npt.ArrayLike:
        """Joules per bit."""
        return air.send_w * air.air_s / air.bit
