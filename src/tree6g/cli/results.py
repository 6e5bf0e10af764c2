"""What `--json` prints: figures as plain data under keys that carry their unit."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tree6g.engine.run import RunResult
    from tree6g.ledger.check import CheckReport
    from tree6g.metric.figure import Figure, ServiceFigure

SERVICE_KEYS = (
    "name", "kind", "profile", "weight", "k_in", "bit_share_frac", "energy_share_frac",
    "utility_share_frac", "served_share_frac", "asymmetry", "tree_beq_per_j",
    "tree_marginal_beq_per_j", "ee_bit_per_j", "j_per_tok", "utility_beq", "energy_j", "bits_bit",
    "tokens_in_tok", "tokens_out_tok", "tokens_late_tok",
)  # fmt: skip


def figure_result(figure: Figure) -> dict[str, Any]:
    """A figure with everything that it has to come with."""
    return {
        "tree_beq_per_j": figure.tree_beq_per_j,
        "ee_bit_per_j": figure.ee_bit_per_j,
        "ee_ran_bit_per_j": figure.ee_ran_bit_per_j,
        "tok_per_j": figure.tok_per_j,
        "j_per_tok": figure.j_per_tok,
        "j_per_bit": figure.j_per_bit,
        "energy_j": figure.energy_j,
        "utility_beq": figure.utility_beq,
        "bits_bit": figure.bits_bit,
        "tokens_out_tok": figure.tokens_out_tok,
        "services": [_service(service) for service in figure.services],
        "unattributed_j": dict(figure.unattributed_j),
        "boundary": figure.boundary,
        "inside": list(figure.inside),
        "outside": list(figure.outside),
        "attribution_rule": figure.rule,
        "idle_rule": figure.idle,
        "profile_set": figure.profile_set,
        "coverage_frac": figure.coverage_frac,
        "u95_frac": figure.u95_frac,
        "gini": figure.gini,
        "marks": list(figure.marks),
        "reasons": dict(figure.reasons),
    }


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


def _service(service: ServiceFigure) -> dict[str, Any]:
    body = {key: getattr(service, key) for key in SERVICE_KEYS}
    return body | {"reasons": dict(service.reasons)}
