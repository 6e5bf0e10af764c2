"""What `--json` prints: figures as plain data under keys that carry their unit."""

from __future__ import annotations

import dataclasses
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tree6g.metric.result import SERVICE_KEYS, figure_result
from tree6g.report import numerals

if TYPE_CHECKING:
    from tree6g.engine.run import RunResult
    from tree6g.ledger.check import CheckReport
    from tree6g.ledger.reading import Ledger
    from tree6g.metric.figure import Figure

HOURS: Final = 24.0
BYTE_PER_GB: Final = 1e9
J_PER_KWH: Final = 3.6e6

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
        "requests_per_user_day": HOURS * result.requests_per_user_hour,
        "ran_j_per_byte": ran_j_per_byte(figure),
        **learning_result(result.ledger),
        "notes": list(result.ledger.meta.notes),
        "run_info": info,
    }


def learning_result(ledger: Ledger) -> dict[str, Any]:
    """What was learnt, with joules by tier and bits by kind; nothing where nothing was."""
    from tree6g.metric.learning import learnt

    known = learnt(ledger)
    if known is None:
        return {}
    return {
        "learning": {
            "service": known.service,
            "accuracy_frac": known.accuracy_frac,
            "energy_j": known.energy_j,
            "bit": known.bit,
            "rounds": [dataclasses.asdict(one) for one in known.rounds],
        }
    }


def learning(ledger: Ledger) -> str:
    """What was learnt, and the joules of it by tier, as a line; empty where nothing was."""
    from tree6g.metric.learning import AIR, learnt

    known = learnt(ledger)
    if known is None or not known.rounds:
        return ""
    tiers = [f"{tier} {joules:.3g} J" for tier, joules in known.energy_j.items()]
    sent = numerals.quantity(sum(known.bit.get(kind, 0.0) for kind in AIR), "bit")
    accuracy = numerals.known_percent(known.accuracy_frac)
    return (
        f"{len(known.rounds)} rounds, accuracy {accuracy}, {sent} over the air; above idle "
        f"{', '.join(tiers)}"
    )


def ran_j_per_byte(figure: Figure) -> float | None:
    """Energy of the radio access network per byte delivered; None where there is none of either."""
    return 8.0 / figure.ee_ran_bit_per_j if figure.ee_ran_bit_per_j else None


def lines(result: RunResult, figure: Figure) -> list[str]:
    """What the summary of a ledger does not say of a run: its load, and what was learnt."""
    told = {"Load": loads(result, figure), "Learning": learning(result.ledger)}
    return [f"{name}: {text}" for name, text in told.items() if text]


def loads(result: RunResult, figure: Figure) -> str:
    """How heavily the network was used, in the numbers that operators know, as a line."""
    told = []
    j_per_byte = ran_j_per_byte(figure)
    if j_per_byte is not None:
        told.append(f"RAN {j_per_byte * BYTE_PER_GB / J_PER_KWH:.3g} kWh per GB delivered")
    if result.requests.arrived:
        a_day = HOURS * result.requests_per_user_hour
        told.append(f"{a_day:.3g} AI requests per user and day")
    return ", ".join(told)


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
