"""From edge to edge until somebody ends it."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, Final

from tree6g.meter.agent.agent import Agent
from tree6g.meter.agent.clock import Clock

NAP_S: Final = 60.0  # so that a clock that is set is seen


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """When an agent ends by itself.

    Attributes:
        looks: After this many edges.
        length_s: After this time.
    """

    looks: float = math.inf
    length_s: float = math.inf


def run(agent: Agent, clock: Clock, stopped: Any, until: Until) -> None:
    """Ask at every edge; closes the agent at the end, whatever ended it.

    Args:
        agent: The agent.
        clock: Its clock.
        stopped: Has `is_set()`; then no other edge is waited for.
        until: When to end without being told.

    Raises:
        LedgerError: The disk refuses the last rows; they stay in the journal if they were there.
    """
    end_s = agent.time.now_s() + until.length_s
    edge_s = agent.time.now_s()  # the first look is at once: it is what all others are held against
    sound = False
    try:
        while not stopped.is_set() and agent.counts.ticks < until.looks:
            now_s = agent.time.now_s()
            if edge_s > now_s:
                if now_s >= end_s:
                    break
                clock.sleep(min(edge_s, end_s, now_s + NAP_S) - now_s)
                continue
            agent.tick()
            edge_s = agent.next_edge_s()
        sound = True
    finally:
        agent.close(whole=sound)
