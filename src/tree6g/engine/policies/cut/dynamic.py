"""The best cut anew in every step, if the rest of the answer pays for the move."""

from __future__ import annotations

from typing import Final

import numpy as np

from tree6g.compute.splitting.migration import recut
from tree6g.engine.policies.cut import CutQuery, cheapest

# A move must save three times its own price: the link may change once more, and what moves holds up
# everybody else's tokens in the same queue.
HYSTERESIS_FRAC: Final = 2.0


def choose(query: CutQuery) -> int:
    """Stays while the answer is on time and no move pays; moves at once where it would be late."""
    if query.cut is None:
        return cheapest(query)
    timely = query.timely
    if not timely[query.cut]:
        return cheapest(query) if timely.any() else _fastest(query, query.cut)
    if query.prompting:  # what was computed so far would be lost
        return query.cut
    return recut(
        query.token_j.copy(),
        query.move_j,
        cut=query.cut,
        rest_tok=query.rest_tok,
        hysteresis_frac=HYSTERESIS_FRAC,
        allowed=timely,
    )


def _fastest(query: CutQuery, cut: int) -> int:
    """The cut that ends first, if it does so well before the present one; else the present one."""
    whole_s = np.where(query.allowed, query.whole_s, np.inf)
    found = int(np.argmin(whole_s))
    gain_s = float(whole_s[cut] - whole_s[found])
    return found if gain_s > HYSTERESIS_FRAC * float(query.move_s[found]) else cut
