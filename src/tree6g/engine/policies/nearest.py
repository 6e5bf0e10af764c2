"""Nearest host that is expected to keep the time to first token: device, then edge, then cloud."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tree6g.engine.policies import Option, Query

# The expectation is a mean; half of the budget is kept for what comes in between.
BUDGET_FRAC: Final = 0.5


def choose(query: Query, options: Sequence[Option]) -> int | None:
    """The nearest option well within the budget; if none is, the one that answers first."""
    for i, option in enumerate(options):
        if option.expected_ttft_s <= BUDGET_FRAC * query.ttft_budget_s:
            return i
    everyone = range(len(options))
    return min(everyone, key=lambda i: options[i].expected_ttft_s, default=None)
