"""One run of a sweep, as a worker does it: simulate, take the figure, forget the ledger."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tree6g.engine.run import RunResult, run
from tree6g.errors import InfeasibleError
from tree6g.ledger.check import check
from tree6g.ledger.reading import Ledger, sql_errors
from tree6g.metric.figure import Figure, Query
from tree6g.metric.histogram import percentile
from tree6g.metric.result import figure_result
from tree6g.metric.tree import figure
from tree6g.scenario.model import Scenario
from tree6g.sweep import scratch

INFEASIBLE: Final = "infeasible"
TTFT_FRAC: Final = 0.9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a worker needs for a run.

    Attributes:
        key: Of the run.
        scenario: The resolved scenario.
        traces: Files by service in place of drawn requests; None: for all.
        query: How the figure is taken.
        overrides: What made the scenario, for the reader of the part.
    """

    key: str
    scenario: Scenario
    traces: Path | Mapping[str, Path] | None
    query: Query
    overrides: tuple[str, ...]


def work(task: Task) -> dict[str, Any]:
    """The figures of one run under flat keys, such as `services.chat.energy_j`.

    They are those of `tree6g run --json`, with `ttft_p90_s` and `served_share_frac` over all
    services. A design that cannot work, such as a model too large for its server, is a result: its
    figures are absent and `infeasible` says why. The same task gives the same result everywhere.
    """
    about = {
        "key": task.key,
        "scenario": task.scenario.name,
        "seed": task.scenario.seed,
        "overrides": list(task.overrides),
    }
    with scratch.folder() as folder:
        try:
            result = run(task.scenario, out=folder, trace=task.traces)
        except InfeasibleError as error:
            return about | {INFEASIBLE: str(error)}
        taken = figure(result.ledger, task.query)
        return about | flat(_figures(result, taken))


def flat(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Nested data under joined keys; services by their name, lists of words as one text.

    >>> flat({"a": {"b": 1}, "services": [{"name": "chat", "energy_j": 2.0}], "marks": ["x", "y"]})
    {'a.b': 1, 'services.chat.energy_j': 2.0, 'marks': 'x; y'}
    """
    found: dict[str, Any] = {}
    for key, value in tree.items():
        inner = value
        if key == "services":
            inner = {s["name"]: {k: v for k, v in s.items() if k != "name"} for s in value}
        if isinstance(inner, Mapping):
            found |= {f"{key}.{under}": v for under, v in flat(inner).items()}
        else:
            found[key] = "; ".join(map(str, inner)) if isinstance(inner, list) else inner
    return found


def ttft_p90_s(ledger: Ledger) -> float | None:
    """Time to first token that nine of ten answered requests do not exceed, of all AI services.

    From the requests one by one, else from the histogram, where it is the upper edge of a bucket.
    None without either.
    """
    exact = "SELECT quantile_cont(ttft_s, $1) FROM request WHERE ttft_s IS NOT NULL"
    rough = "SELECT le_s, fsum(count) FROM latency WHERE kind = 'ttft' GROUP BY le_s ORDER BY le_s"
    with sql_errors(ledger.path), ledger.connect() as connection:
        found = connection.execute(exact, [TTFT_FRAC]).fetchone()
        if found is not None and found[0] is not None:
            return float(found[0])
        buckets = connection.execute(rough).fetchall()
    return percentile([(float(edge), float(count)) for edge, count in buckets], TTFT_FRAC)


def _figures(result: RunResult, taken: Figure) -> dict[str, Any]:
    checked = check(result.ledger)
    error = max(taken.conservation_error_frac, checked.conservation_error_frac or 0.0)
    return {
        "scenario_hash": result.ledger.meta.scenario_hash,
        **figure_result(taken),
        "conservation_error_frac": error,
        "served_share_frac": _served_share(taken),
        "ttft_p90_s": ttft_p90_s(result.ledger),
        "requests": dataclasses.asdict(result.requests),
        "requests_per_user_hour": result.requests_per_user_hour,
        "notes": list(result.ledger.meta.notes),
    }


def _served_share(taken: Figure) -> float | None:
    """Utility that was earned over what on-time delivery of everything would have earned."""
    pairs = [(s.utility_beq, s.offered_beq) for s in taken.services]
    earned = [value for value, _ in pairs if value is not None]
    offered = [value for _, value in pairs if value is not None]
    if len(earned) < len(pairs) or len(offered) < len(pairs) or math.fsum(offered) <= 0.0:
        return None
    return math.fsum(earned) / math.fsum(offered)
