"""When a token is late (METRIC rule 5)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tree6g.metric.utility import FloatArray


def due_s(
    arrival_s: npt.ArrayLike, token: npt.ArrayLike, ttft_budget_s: float, tpot_budget_s: float
) -> FloatArray:
    """Instant by which token n = 1, 2, ... of a request must reach the user.

    d_n = arrival + TTFT budget + (n - 1) TPOT budget. The rule is monotone: a token that comes
    earlier is never worse, whatever the others do, which limits per gap or on the mean do not give.

    Args:
        arrival_s: Arrival of the request that each token belongs to. [token]
        token: Number of the token in its request, from 1. [token]
        ttft_budget_s: Budget of the first token.
        tpot_budget_s: Budget per further token.
    """
    number = np.asarray(token, dtype=np.float64)
    return np.asarray(arrival_s) + ttft_budget_s + (number - 1.0) * tpot_budget_s


def late(
    arrival_s: npt.ArrayLike,
    token: npt.ArrayLike,
    delivered_s: npt.ArrayLike,
    *,
    ttft_budget_s: float,
    tpot_budget_s: float,
) -> npt.NDArray[np.bool_]:
    """Whether each token reaches the user after its budget: one truth value per token.

    >>> at = [0.80, 0.90, 1.15, 1.35, 1.38]
    >>> int(late(0.0, [1, 2, 3, 4, 5], at, ttft_budget_s=1.0, tpot_budget_s=0.1).sum())
    1
    """
    return np.asarray(delivered_s) > due_s(arrival_s, token, ttft_budget_s, tpot_budget_s)


def late_bounds(le_s: npt.ArrayLike, count: npt.ArrayLike, budget_s: float) -> tuple[float, float]:
    """Fewest and most late events when only a histogram is known.

    Args:
        le_s: Upper edges of the buckets, rising, the last may be inf. [bucket]
        count: Events per bucket, not cumulated. [bucket]
        budget_s: Time by which an event is on time.

    Returns:
        Lower and upper bound of the number of late events: the bucket that holds the budget may be
        all on time or all late.
    """
    upper = np.asarray(le_s, dtype=np.float64)
    counts = np.asarray(count, dtype=np.float64)
    lower = np.concatenate([[0.0], upper[:-1]])
    surely = float(counts[lower >= budget_s].sum())
    maybe = float(counts[(lower < budget_s) & (upper > budget_s)].sum())
    return surely, surely + maybe
