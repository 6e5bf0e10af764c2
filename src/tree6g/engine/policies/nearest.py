"""Nearest host that is expected to keep the time to first token: device, then edge, then cloud."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import SAFE_FRAC, Option, Query, first_to_answer
from tree6g.engine.policies.table import (
    BUDGET_S,
    LOAD_FRAC,
    NOBODY,
    TTFT_S,
    as_near,
    first_of_all,
)
from tree6g.radio.pathloss import FloatArray


def choose(query: Query, options: Sequence[Option]) -> int | None:
    """The nearest option well within the budget; if none is, the one that answers first.

    Of servers that are as near, the one with the most room, so that neighbours share the work.
    """
    limit_s = SAFE_FRAC * query.ttft_budget_s
    early = [i for i, option in enumerate(options) if option.expected_ttft_s <= limit_s]
    if not early:
        return first_to_answer(options)
    first = options[early[0]]
    place = (first.tier, first.latency_s)
    near = [i for i in early if (options[i].tier, options[i].latency_s) == place]
    return min(near, key=lambda i: options[i].load_frac)


def pick(asked: FloatArray, options: FloatArray, count: int) -> int:
    """The same of columns (`table`)."""
    found = NOBODY
    for i in range(count):
        if options[TTFT_S, i] > SAFE_FRAC * asked[BUDGET_S]:
            continue
        if found == NOBODY or (
            as_near(options, i, found) and options[LOAD_FRAC, i] < options[LOAD_FRAC, found]
        ):
            found = i
    return first_of_all(options, count) if found == NOBODY else found
