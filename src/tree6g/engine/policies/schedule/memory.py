"""What schedulers remember of terminals."""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.engine.policies.schedule import Air, FloatArray, IntArray


@dataclasses.dataclass(slots=True)
class Memory:
    """A number for each terminal, as many as have been seen.

    Attributes:
        start: Number of a terminal that was never seen.
        value: The numbers. [terminal]
    """

    start: float = 0.0
    value: FloatArray = dataclasses.field(default_factory=lambda: np.empty(0))

    def of(self, terminal: IntArray) -> FloatArray:
        """The numbers of some terminals. [message]."""
        missing = int(terminal.max(initial=-1)) + 1 - len(self.value)
        if missing > 0:
            self.value = np.append(self.value, np.full(missing, self.start))
        return self.value[terminal]

    @staticmethod
    def first_in(place: FloatArray, air: Air) -> IntArray:
        """Messages that an interval has room for in some order."""
        order = np.argsort(place, kind="stable")
        before_s = np.cumsum(air.air_s[order]) - air.air_s[order]
        return order[before_s < air.interval_s]
