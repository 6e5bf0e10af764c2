"""The smallest model that is good enough and in time."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query, first_to_answer, good_enough, on_time


def choose(query: Query, options: Sequence[Option]) -> int | None:
    """Fewest parameters among models of enough quality that keep the budgets, the nearest of equal.

    Quality is the scenario's `quality` of the model for this service, held against `quality_min`.
    If no good one is in time, the good one that answers first; if none is good, the best ones are
    taken for good.
    """
    good = good_enough(query, options)
    timely = [i for i in good if on_time(query, options[i])]
    if timely:
        return min(timely, key=lambda i: options[i].prospect.parameters)
    first = first_to_answer([options[i] for i in good])
    return None if first is None else good[first]
