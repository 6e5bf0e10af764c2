"""The host with the most room in its batch."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query
from tree6g.engine.policies.table import LOAD_FRAC, least
from tree6g.radio.pathloss import FloatArray


def choose(query: Query, options: Sequence[Option]) -> int | None:  # noqa: ARG001 - protocol
    """The least share of places taken, queue included; of equal ones the nearest."""
    return min(range(len(options)), key=lambda i: options[i].load_frac, default=None)


def pick(asked: FloatArray, options: FloatArray, count: int) -> int:  # noqa: ARG001 - protocol
    """The same of columns (`table`)."""
    return least(options, count, LOAD_FRAC)
