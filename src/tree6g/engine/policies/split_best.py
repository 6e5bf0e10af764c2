"""The model shared by terminal and server at the best cut, where the service offers that."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query, least_expected
from tree6g.engine.policies.nearest import choose as nearest


def choose(query: Query, options: Sequence[Option]) -> int | None:
    """The option of tier `split`; a terminal that cannot share is answered by the nearest host.

    Which cut it is, the service's `split.cut` decides (`best`: by the link when the answer begins).
    """
    shared = least_expected(options, "split")
    return nearest(query, options) if shared is None else shared
