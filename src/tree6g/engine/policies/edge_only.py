"""Every request to the edge."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query, least_expected
from tree6g.engine.policies.table import EDGE, first_of_tier
from tree6g.radio.pathloss import FloatArray


def choose(query: Query, options: Sequence[Option]) -> int | None:  # noqa: ARG001 - protocol
    """The option of tier `edge` that answers first; without one the request is refused."""
    return least_expected(options, "edge")


def pick(asked: FloatArray, options: FloatArray, count: int) -> int:  # noqa: ARG001 - protocol
    """The same of columns (`table`)."""
    return first_of_tier(options, count, EDGE)
