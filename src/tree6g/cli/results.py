"""What `--json` prints: figures as plain data under keys that carry their unit."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tree6g.metric.result import SERVICE_KEYS, figure_result

if TYPE_CHECKING:
    from tree6g.engine.run import RunResult
    from tree6g.ledger.check import CheckReport
    from tree6g.metric.figure import Figure

__all__ = ["SERVICE_KEYS", "Stopwatch", "check_result", "figure_result", "run_result"]


def run_result(
    result: RunResult, figure: Figure, checked: CheckReport, info: dict[str, Any]
) -> dict[str, Any]:
    """The outcome of a run; only `run_info` may differ between two runs of one seed."""
    error = max(figure.conservation_error_frac, checked.conservation_error_frac or 0.0)
    return {
        "scenario": result.scenario.name,
        "scenario_hash": result.ledger.meta.scenario_hash,
        "seed": result.scenario.seed,
        **figure_result(figure),
        "conservation_error_frac": error,
        "requests": dataclasses.asdict(result.requests),
        "requests_per_user_hour": result.requests_per_user_hour,
        "notes": list(result.ledger.meta.notes),
        "run_info": info,
    }


def check_result(checked: CheckReport, figure: Figure | None) -> dict[str, Any]:
    """What `check` found."""
    return {
        "rows": dict(checked.rows),
        "conservation_error_frac": checked.conservation_error_frac,
        "unattributed_frac": unattributed_frac(figure),
        "problems": [dataclasses.asdict(problem) for problem in checked.problems],
        "notes": list(checked.notes),
    }


def unattributed_frac(figure: Figure | None) -> float | None:
    """Share of the joules that no service answers for; None where there are no joules."""
    if figure is None or figure.energy_j <= 0:
        return None
    return sum(figure.unattributed_j.values()) / figure.energy_j


class Stopwatch:
    """Wall and CPU time of a command, and the memory it took."""

    def __init__(self) -> None:
        self._wall_s, self._cpu_s = time.perf_counter(), time.process_time()

    def info(self, **paths: Path | None) -> dict[str, Any]:
        """The `run_info` of a result."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "wall_s": round(time.perf_counter() - self._wall_s, 3),
            "cpu_s": round(time.process_time() - self._cpu_s, 3),
            "peak_rss_byte": peak if sys.platform == "darwin" else peak * 1024,
            **{name: None if path is None else str(path) for name, path in paths.items()},
        }
