"""The GPU at the end of the shortest path; of several there, the one with the least to do."""

from collections.abc import Sequence

from tree6g.engine.policies import Option, Query


def choose(query: Query, options: Sequence[Option]) -> int | None:  # noqa: ARG001  # protocol
    """Index of the option with the least latency, None without options."""

    def far(i: int) -> tuple[float, float]:
        return options[i].latency_s, options[i].load_frac

    return min(range(len(options)), key=far, default=None)
