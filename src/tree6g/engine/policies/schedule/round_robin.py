"""Round robin: the terminal that has waited longest since it was served; servers batch all."""

from __future__ import annotations

import dataclasses

import numpy.typing as npt

from tree6g.engine.policies.schedule import Air
from tree6g.engine.policies.schedule.memory import Memory


@dataclasses.dataclass(slots=True)
class Scheduler:
    """By turn.

    Attributes:
        served: When each terminal was last served, by direction.
    """

    served: dict[bool, Memory] = dataclasses.field(default_factory=dict)

    def send(self, air: Air) -> npt.ArrayLike:
        """When the terminal was served last; the first in this order count as served now."""
        memory = self.served.setdefault(air.uplink, Memory(start=-1.0))
        last_s = memory.of(air.terminal)
        fits = memory.first_in(last_s, air)
        memory.value[air.terminal[fits]] = air.t_s
        return last_s
