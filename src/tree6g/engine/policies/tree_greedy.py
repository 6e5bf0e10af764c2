"""The host where a joule brings the most: TREE of the single request.

TREE is worth on time over joules (METRIC: sum of w U(T) over energy). Here both are those that this
request adds at a host:

    score = w U(q (k_in N_in on time + k_out N_out on time)) / (joules above idle)

with the service's weight w, utility U and k, the quality q of the host's model, the prompt's length
N_in and the mean answer N_out. Of the answer those tokens count that are expected on time: token n
by TTFT budget + (n - 1) TPOT budget; the prompt counts if token 1 does. Late work counts as
the service's profile says, by default nothing.

Greedy by request is not the optimum of the run's ratio of sums: idle power is left out, and where
options bring different worth the best ratio of sums would weigh worth - TREE x joules instead. For
hosts of equal quality both mean the least joules on time.
"""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query, first_to_answer


def choose(query: Query, options: Sequence[Option]) -> int | None:  # noqa: ARG001 - protocol
    """Most worth on time per joule; if nothing is expected on time, the one that answers first.

    It never refuses: less work done would raise the ratio, but it would not be the same service.
    """
    scores = [_score(option) for option in options]
    if not any(scores):
        return first_to_answer(options)
    return max(range(len(options)), key=scores.__getitem__)


def _score(option: Option) -> float:
    """Bit-equivalents per joule; work that takes no joules is better than any that does."""
    ahead = option.prospect
    if ahead.energy_j <= 0.0:
        return float("inf") if ahead.on_time_beq > 0.0 else 0.0
    return ahead.on_time_beq / ahead.energy_j
