"""Benchmark of federated learning: CPU seconds of our federation against Flower's simulation.

The same split, first weights, batches and rounds. Flower runs twice: with a client written by hand
in NumPy, which is what is compared, and with our adapter, whose ledger must conserve energy. Our
CPU is that of the whole process; Flower's is that of the program and of all that it starts, which
Ray does in processes of its own (`process.run_family`: a lower bound).
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from collections.abc import Iterator

import numpy as np
from process import DATA, HERE, SOURCE, Cost, Family, environment, generated, run, run_family

import tree6g
from tree6g.ledger.check import check

AGREE = 1e-6  # accuracy and weights
CONSERVED = 1e-9
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # as Ray does to its workers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FederationBench:
    """A federation that we and Flower run.

    Attributes:
        name: Folder with `generate.py`, `ours.py` and Flower's programs.
        times: How many times less CPU than Flower's ours must take, by the model that is learnt.
        repeats: Runs of ours, of which the median counts; Flower's runs are long, one each.
    """

    name: str
    times: dict[str, float]
    repeats: int = 5


BENCHES = (FederationBench(name="federated", times={"softmax": 20.0, "network": 20.0}),)


def compared(bench: FederationBench) -> Iterator[dict[str, object]]:
    """One row per task."""
    source = generated(bench.name)
    python = environment(bench.name, "flower")
    flower = {**ONE_THREAD, "FLWR_TELEMETRY_ENABLED": "0", "PYTHONPATH": str(SOURCE)}
    for task in bench.times:
        outs = {
            who: DATA / f"{bench.name}-{task}-{who}.npz"
            for who in ("ours", "flower_peer", "flower_adapter")
        }
        commands = {
            who: [str(HERE / bench.name / f"{who}.py"), str(source), str(out), task]
            for who, out in outs.items()
        }
        ours = [
            run([sys.executable, *commands["ours"]], **ONE_THREAD) for _ in range(bench.repeats)
        ]
        theirs = {
            who: run_family([str(python), *commands[who]], **flower)
            for who in ("flower_peer", "flower_adapter")
        }
        found = {who: dict(np.load(out)) for who, out in outs.items()}
        ledger = outs["flower_adapter"].with_suffix("")
        yield row(bench, task, ours, theirs["flower_peer"], found, told(theirs, found, str(ledger)))


def row(
    bench: FederationBench,
    task: str,
    ours: list[Cost],
    theirs: Family,
    found: dict[str, dict[str, np.ndarray]],
    adapter: str,
) -> dict[str, object]:
    """One entry of results.json."""
    cpu_s = statistics.median(cost.cpu_s for cost in ours)
    times, bar = theirs.cpu_s / cpu_s, bench.times[task]
    right, weight = apart(found["ours"], found["flower_peer"])
    return {
        "name": f"{bench.name} {task}",
        "ours_cpu_s": round(cpu_s, 3),
        "peer": "flower",
        "peer_cpu_s": round(theirs.cpu_s, 3),
        "ratio": round(cpu_s / theirs.cpu_s, 4),
        "peak_rss_byte": max(cost.peak_rss_byte for cost in ours),
        "note": f"{'over' if times < bar else 'within'} the bar ({bar:g} times "
        f"less CPU): {times:.0f} times, than its driver alone {theirs.alone_cpu_s / cpu_s:.0f}; "
        f"accuracy {found['ours']['accuracy'][-1]:.4f}, {right:.1e} apart, weights {weight:.1e}; "
        f"{adapter}",
    }


def told(theirs: dict[str, Family], found: dict[str, dict[str, np.ndarray]], ledger: str) -> str:
    """What our adapter found in Flower, and whether its ledger is sound."""
    right, weight = apart(found["ours"], found["flower_adapter"])
    checked = check(tree6g.open_ledger(ledger))
    error = checked.conservation_error_frac
    if checked.problems or error is None or error > CONSERVED:
        raise SystemExit(f"federated: the recorder's ledger is not sound: {checked}")
    return (
        f"with our adapter {theirs['flower_adapter'].cpu_s:.1f} CPU s, accuracy {right:.1e} apart, "
        f"weights {weight:.1e}, joules of its ledger to {error:.0e}"
    )


def apart(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> tuple[float, float]:
    """Largest difference of accuracy in any round and of any weight; an end if one is too large."""
    gap = {name: float(np.abs(ours[name] - theirs[name]).max()) for name in ours}
    if ours.keys() != theirs.keys() or not max(gap.values()) <= AGREE:
        raise SystemExit(f"federated: Flower learns something else than we do: {gap}")
    right = gap.pop("accuracy")
    return right, max(gap.values())


if __name__ == "__main__":
    for result in compared(BENCHES[0]):
        print(json.dumps(result))
