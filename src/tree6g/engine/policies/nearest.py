"""Nearest host that is expected to keep the time to first token: device, then edge, then cloud."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import SAFE_FRAC, Option, Query, first_to_answer
from tree6g.engine.policies.table import BUDGET_S, TTFT_S, least
from tree6g.radio.pathloss import FloatArray


def choose(query: Query, options: Sequence[Option]) -> int | None:
    """The nearest option well within the budget; if none is, the one that answers first."""
    for i, option in enumerate(options):
        if option.expected_ttft_s <= SAFE_FRAC * query.ttft_budget_s:
            return i
    return first_to_answer(options)


def pick(asked: FloatArray, options: FloatArray, count: int) -> int:
    """The same of columns (`table`)."""
    for i in range(count):
        if options[TTFT_S, i] <= SAFE_FRAC * asked[BUDGET_S]:
            return i
    return least(options, count, TTFT_S)
