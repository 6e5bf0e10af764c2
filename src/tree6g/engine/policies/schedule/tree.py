"""The TREE scheduler: worth per joule at a tracked price, with queues by drift-plus-penalty.

A ratio of sums N/P is greatest where N - price P is, with the price at the ratio itself
(Dinkelbach). Online, the price is the ratio of the sums so far. Every message and every token has a
virtual queue: its worth times the share of its time budget that has passed,

    Q_i(t) = w_i (t - ready_i) / (due_i - ready_i)

**The cell.** Sending costs airtime, the same whenever it is done; waking the cell costs `wake_j`
each time, however much it then sends. It stays asleep while

    sum_i Q_i(t) < V price wake_j

and no budget is nearly used up, no interval's worth of airtime waits, and nothing else keeps it
awake. Awake it serves the greatest Q_i per second of air first (max-weight). What is late already
is worth nothing and goes last.

**The server.** An iteration costs `shared_j` however many sequences take part: weights are read
once. The next one begins when sum_i Q_i reaches V price shared_j, when a token would else be late,
or when the batch has no room. So each token is computed with as many others as its budget allows.

With V = 0 nothing waits; the greater V, the longer (the gap to the optimum falls as 1/V, queues
grow as V: Neely 2010). Budgets bound the wait whatever V is: `KEPT_FRAC` of them is kept for what
the model does not foresee. Valid for budgets that are long against an iteration and an interval.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.engine.policies.schedule import Air, Batch

KEPT_FRAC: Final = 0.1  # of a budget, for what comes in between
LOOSE_S: Final = 1.0  # budget of messages without one: they wait no longer than a user notices
LEAST_ROOM_FRAC: Final = 0.1  # of the batch: with less nobody waits, for others queue outside
FRESH: Final = 1e-3  # of a budget: what has just come is worth a little already


@dataclasses.dataclass(slots=True)
class Scheduler:
    """Sends and computes when it pays."""

    def send(self, air: Air) -> npt.ArrayLike:
        """Worth per second of air, weighted by the budget used; infinity while the cell waits."""
        due_s = np.where(np.isfinite(air.due_s), air.due_s, air.ready_s + LOOSE_S)
        budget_s = np.maximum(due_s - air.ready_s, air.interval_s)
        late = air.due_s < air.t_s + air.air_s
        queue_beq = np.where(late, 0.0, air.worth_beq)
        queue_beq *= np.clip((air.t_s - air.ready_s) / budget_s, FRESH, 1.0)
        if not self._opens(air, due_s, budget_s, queue_beq):
            return np.full(len(late), np.inf)
        place = -queue_beq / air.air_s
        place[late] = 1.0 + air.ready_s[late] - air.ready_s.min()
        return place

    @staticmethod
    def _opens(
        air: Air, due_s: npt.NDArray[np.float64], budget_s: npt.NDArray[np.float64],
        queue_beq: npt.NDArray[np.float64],
    ) -> bool:  # fmt: skip
        """Whether the cell sends in this interval."""
        if air.awake or queue_beq.sum() >= air.caution * air.price_beq_per_j * air.wake_j:
            return True
        left_s = due_s - air.air_s - air.t_s - 2.0 * air.interval_s
        return bool((left_s <= KEPT_FRAC * budget_s).any() or air.air_s.sum() >= air.interval_s)

    def start(self, batch: Batch) -> float:
        """When worth and urgency of the waiting tokens are worth an iteration."""
        if batch.room_frac < LEAST_ROOM_FRAC:
            return batch.t_s
        kept_s = KEPT_FRAC * batch.budget_s + batch.iteration_s
        latest_s = float((batch.due_s - kept_s).min())
        slope = batch.worth_beq / batch.budget_s
        if not slope.sum() > 0.0:
            return max(batch.t_s, latest_s)
        begun_s = batch.due_s - batch.budget_s
        worth_beq = batch.caution * batch.price_beq_per_j * batch.shared_j
        enough_s = (worth_beq + float((slope * begun_s).sum())) / float(slope.sum())
        return max(batch.t_s, min(latest_s, enough_s))
