"""The host where the request takes the least joules, whatever comes of it.

What an operator would do who looks at joules alone: time and worth are not asked for. A terminal
with a queue of minutes is still taken if it is the cheapest.
"""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query


def choose(query: Query, options: Sequence[Option]) -> int | None:  # noqa: ARG001 - protocol
    """Least expected joules above idle; of equal ones the nearest."""
    return min(range(len(options)), key=lambda i: options[i].expected_energy_j, default=None)
