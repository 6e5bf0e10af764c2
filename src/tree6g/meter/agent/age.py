"""How old rows are: time that a clock only jumped over makes nothing older.

A ledger that keeps its last 30 days would drop all of it once the wall clock is set a year ahead.
So what is kept is judged by time that passed: the monotonic clock of a run, and between two runs
at most `OFF_S` or a tenth of what is kept. Jumps are remembered with the rows, and do not count.

What this assumes: an agent that was off for longer than that was off for just that long, for
nothing tells a long rest from a wrong clock. Rows are then kept longer, by the rest of that time,
never shorter. A ledger with a limit of size keeps to that all the same.
"""

from __future__ import annotations

import json
from typing import Final

from tree6g.meter.agent.tracker import dumped

OFF_S: Final = 86_400.0
OFF_FRAC: Final = 0.1
SHORTEST_S: Final = 60.0  # less does not matter for what is kept
MOST: Final = 200


class Age:
    """Jumps of the agent's time, oldest first."""

    def __init__(self, raw: bytes = b"[]") -> None:
        """As they were remembered."""
        self._jumps: list[tuple[float, float]] = [(t0_s, t1_s) for t0_s, t1_s in json.loads(raw)]

    def off(self, last_s: float, now_s: float, keep_s: float) -> None:
        """A run begins at `now_s` whose ledger ends at `last_s`."""
        self.jumped(last_s + min(OFF_S, OFF_FRAC * keep_s), now_s)

    def jumped(self, t0_s: float, t1_s: float) -> None:
        """Time went from one to the other, and did not pass."""
        if t1_s - t0_s < SHORTEST_S:
            return
        self._jumps.append((t0_s, t1_s))
        if len(self._jumps) > MOST:  # what is between the oldest two does not count either
            (first_s, _), (_, last_s), *others = self._jumps
            self._jumps = [(first_s, last_s), *others]

    def now_s(self, now_s: float, keep_s: float) -> float:
        """The time `keep_s` before which `keep_s` have passed until now."""
        for t0_s, t1_s in reversed(self._jumps):
            if now_s - keep_s >= t1_s:
                break
            now_s -= t1_s - t0_s
        return now_s

    def state(self) -> bytes:
        """What has to be durable."""
        return dumped(self._jumps)
