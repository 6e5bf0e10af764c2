"""Worth of a joule: the TREE of a run so far, which policies may weigh worth against joules by.

A ratio of sums N/P is greatest where N - price P is, with the price at the ratio itself
(Dinkelbach). The price is what a meter would have read when the last ledger interval ended: all
worth on time of all services over all joules inside the scenario's boundary, standby included.
Tokens count as for schedulers (`engine.worth.token_beq`), which is exact for a linear utility. It
steers, and is no figure of the run.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(slots=True, kw_only=True)
class Price:
    """What was earned and spent.

    Attributes:
        inside: Nodes inside the boundary.
        earned_beq: Worth on time.
        spent_j: Joules of these nodes.
    """

    inside: frozenset[str] = frozenset()
    earned_beq: float = 0.0
    spent_j: float = 0.0

    @property
    def beq_per_j(self) -> float:
        """Worth of a joule; 0 before the first interval has ended."""
        return self.earned_beq / self.spent_j if self.spent_j else 0.0
