"""Every request to the cloud."""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query, least_expected


def choose(query: Query, options: Sequence[Option]) -> int | None:  # noqa: ARG001 - protocol
    """The option of tier `cloud` that answers first; without one the request is refused."""
    return least_expected(options, "cloud")
