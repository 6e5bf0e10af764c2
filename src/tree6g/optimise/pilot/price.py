"""What a joule is worth: TREE so far, the running ratio of what was earned to what was spent.

Dinkelbach's method for the greatest ratio N/P takes the decision of the greatest N - l P and sets l
to the ratio that this gives; online, l follows the running N/P (design notes, OPTIMISE 1e). From
the meter's ledger it is TREE over the newest time, with all power inside the boundary. Without one
it is the sums of the pilot's own expectations, which forget, with the idle power of its servers.
"""

from __future__ import annotations

import math

from tree6g.ledger.reading import Ledger
from tree6g.metric.figure import Query
from tree6g.metric.tree import figure


class Price:
    """The price in bit-equivalents per joule."""

    def __init__(self, start_beq_per_j: float, idle_w: float, memory_s: float) -> None:
        """Begin at a price; `idle_w`: power of all servers whatever is decided."""
        self._start, self._idle_w, self._memory_s = start_beq_per_j, idle_w, memory_s
        self._utility_beq = self._energy_j = 0.0
        self._at_s: float | None = None
        self.metered: float | None = None

    def add(self, utility_beq: float, energy_j: float, now_s: float) -> None:
        """Take what a request has earned, and what it cost beyond idle power."""
        passed_s = 0.0 if self._at_s is None else max(now_s - self._at_s, 0.0)
        keep = math.exp(-passed_s / self._memory_s)
        self._utility_beq = keep * self._utility_beq + utility_beq
        self._energy_j = keep * self._energy_j + energy_j + self._idle_w * passed_s
        self._at_s = now_s

    @property
    def now_beq_per_j(self) -> float:
        """The price: the meter's, else that of the own sums, else the first one."""
        if self.metered is not None:
            return self.metered
        if self._energy_j > 0.0 and self._utility_beq > 0.0:
            return self._utility_beq / self._energy_j
        return self._start


def metered_price(ledger: Ledger, memory_s: float) -> float | None:
    """TREE of the newest time of a ledger; None where it is not defined.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    ends = ledger.query("SELECT max(t1_s) AS t1_s FROM energy").to_pylist()
    end_s = ends[0]["t1_s"]
    if end_s is None:
        return None
    return figure(ledger, Query(t0_s=end_s - memory_s)).tree_beq_per_j
