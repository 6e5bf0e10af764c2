"""Proportional fair: the greatest rate over the average that the terminal had; servers batch all.

The average is exponential over `WINDOW_S`. Without fast fading, which the engine does not draw,
rates stay what they are and all terminals get the same airtime in the long run, as in round robin.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.engine.policies.schedule import Air
from tree6g.engine.policies.schedule.memory import Memory

WINDOW_S: Final = 1.0  # 1000 slots of 1 ms, as usual
LEAST_BPS: Final = 1.0


@dataclasses.dataclass(slots=True)
class Scheduler:
    """By rate over average rate.

    Attributes:
        average: Average rate of each terminal in bit/s, by direction.
        until_s: Until when the averages are known, by direction.
    """

    average: dict[bool, Memory] = dataclasses.field(default_factory=dict)
    until_s: dict[bool, float] = dataclasses.field(default_factory=dict)

    def send(self, air: Air) -> npt.ArrayLike:
        """The average rate over the rate now."""
        memory = self.average.setdefault(air.uplink, Memory())
        passed_s = air.t_s - self.until_s.get(air.uplink, air.t_s)
        self.until_s[air.uplink] = air.t_s
        memory.value *= math.exp(-passed_s / WINDOW_S)
        place = np.maximum(memory.of(air.terminal), LEAST_BPS) * air.air_s / air.bit
        fits = memory.first_in(place, air)
        np.add.at(memory.value, air.terminal[fits], air.bit[fits] / WINDOW_S)
        return place
