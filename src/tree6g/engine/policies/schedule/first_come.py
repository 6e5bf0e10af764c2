"""First come, first served: the oldest message first; servers batch whatever is there."""

from __future__ import annotations

import dataclasses

import numpy.typing as npt

from tree6g.engine.policies.schedule import Air


@dataclasses.dataclass(slots=True)
class Scheduler:
    """By arrival."""

    def send(self, air: Air) -> npt.ArrayLike:
        """The time of arrival."""
        return air.ready_s
