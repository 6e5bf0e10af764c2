"""Benchmarks of a step: programs that take the same steps and time each of them.

A program gets its input, its output and a size, warms up, and writes for every case the CPU seconds
of its steps and what the last one found. What is compared is the median step, so that neither the
start of the interpreter nor a compiler counts; peak memory is that of the whole process.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from process import DATA, HERE, environment, generated, run

SINR_DB = 1e-3  # greatest difference of an SINR
RATE = 1e-6  # relative, where the SINR is not at the edge of a step of the staircase
EDGE_FRAC = 1e-3  # users that may be at one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of step.

    Attributes:
        name: Name in our program.
        peer: Name in the peer's.
        limit: Our CPU over the peer's must not be more.
        alike: Whether both compute the same and must agree.
    """

    name: str
    peer: str
    limit: float
    alike: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepBench:
    """One kind of step that we and a peer take.

    Attributes:
        name: Folder with `generate.py`, `ours.py` and the peer's program.
        peer: Name of the peer; its requirements are in `requirements-<peer>.txt`.
        script: Its program.
        sizes: Sizes; the limits are those of `bar`.
        bar: The size at which cases have to keep their limits.
        cases: Kinds of step.
        peak_limit_byte: Our peak memory must not be more, at any size.
        repeats: Runs of each program, taking turns.
    """

    name: str
    peer: str
    script: str
    sizes: tuple[int, ...]
    bar: int
    cases: tuple[Case, ...]
    peak_limit_byte: float
    repeats: int = 3


BENCHES = (
    StepBench(
        name="radio_step",
        peer="crrm",
        script="crrm_peer.py",
        sizes=(570, 5_700, 57_000),
        bar=5_700,
        cases=(
            Case(name="all", peer="all", limit=1 / 20),
            Case(name="moved", peer="moved", limit=1 / 5),
            Case(name="full", peer="all", limit=1 / 5, alike=False),
        ),
        peak_limit_byte=250e6,
    ),
)


def compared(bench: StepBench) -> Iterator[dict[str, object]]:
    """Our steps beside the peer's, one row for each size and case."""
    source = generated(bench.name)
    programs = {
        "ours": (Path(sys.executable), HERE / bench.name / "ours.py"),
        bench.peer: (environment(bench.name, bench.peer), HERE / bench.name / bench.script),
    }
    for size in bench.sizes:
        steps: dict[str, list[dict[str, np.ndarray]]] = {who: [] for who in programs}
        peak = 0
        for turn in range(bench.repeats):
            for who, (python, script) in programs.items():
                out = DATA / f"{bench.name}-{who}-{size}.npz"
                cost = run([str(python), str(script), str(source), str(out), str(size)])
                peak = max(peak, cost.peak_rss_byte) if who == "ours" else peak
                steps[who].append(dict(np.load(out)))
                print(f"  {bench.name} {size} {who} {turn + 1}", file=sys.stderr)
        for case in bench.cases:
            yield row(bench, size, case, (steps["ours"], steps[bench.peer]), peak)


def row(
    bench: StepBench,
    size: int,
    case: Case,
    steps: tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]],
    peak: int,
) -> dict[str, object]:
    """One entry of results.json."""
    keys = (f"{case.name}_cpu_s", f"{case.peer}_cpu_s")
    cpu_s, peer_s = (
        statistics.median(float(np.median(turn[key])) for turn in turns)
        for key, turns in zip(keys, steps, strict=True)
    )
    over = peak > bench.peak_limit_byte or (size == bench.bar and cpu_s > case.limit * peer_s)
    agree = "a richer model than the peer's"
    if case.alike:
        worst_db = disagreement(bench, case, steps[0][-1], steps[1][-1])
        agree = f"results agree to {worst_db:.1e} dB"
    bar = f"{1 / case.limit:.0f} at {bench.bar}, peak {bench.peak_limit_byte / 1e6:.0f} MB"
    return {
        "name": f"{bench.name} {size} {case.name}",
        "ours_cpu_s": cpu_s,
        "peer": bench.peer,
        "peer_cpu_s": peer_s,
        "ratio": cpu_s / peer_s,
        "peak_rss_byte": peak,
        "note": f"{'over' if over else 'within'} the bar ({bar}): {peer_s / cpu_s:.1f} times less; "
        f"{agree}",
    }


def disagreement(
    bench: StepBench, case: Case, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]
) -> float:
    """Greatest difference of an SINR in dB; an end if it or the rates differ by too much."""
    if not np.array_equal(ours[f"{case.name}_serving"], theirs[f"{case.peer}_serving"]):
        raise SystemExit(f"{bench.name}: {bench.peer} attaches other users than we do")
    sinr_db = ours[f"{case.name}_sinr_db"] - theirs[f"{case.peer}_sinr_db"]
    worst_db = float(np.abs(sinr_db).max())
    rate = ours[f"{case.name}_rate_bps"] / theirs[f"{case.peer}_rate_bps"]
    differ = float(np.mean(np.abs(rate - 1.0) > RATE))
    if worst_db > SINR_DB or differ > EDGE_FRAC:
        raise SystemExit(
            f"{bench.name} {case.name}: {bench.peer} differs by {worst_db:.1e} dB, rates of "
            f"{differ:.1%} of the users"
        )
    return worst_db
