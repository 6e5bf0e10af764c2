"""Benchmark of allocations: the same cells by our prices and by a conic solver.

CPU seconds are those from arrays to the solution, without the start of the interpreter, the fastest
of some runs of each cell, and of cells the median; the time that the peer's solver states for
itself stands beside. A cell counts as solved by the peer if its value is that of our certified one
to 1e-6: its status does not tell. Bars hold for mild cells; wild ones show how often it fails.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from process import DATA, HERE, environment, generated, run

AGREE = 1e-6
GAP = 1e-9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AllocationBench:
    """Cells of some families.

    Attributes:
        name: Folder with `generate.py`, `ours.py` and the peer's program.
        peer: Name of the peer; its requirements are in `requirements-<peer>.txt`.
        times: How many times less CPU than the peer ours must take, by family, users and power.
        limit_s: CPU seconds that ours may take at most, by users.
    """

    name: str
    peer: str
    times: dict[str, float]
    limit_s: dict[int, float]


BENCHES = (
    AllocationBench(
        name="allocation",
        peer="cvxpy",
        times={
            "mild-100-slack": 15.0,
            "mild-1000-slack": 15.0,
            "mild-100-binding": 5.0,
            "mild-1000-binding": 5.0,
        },
        limit_s={10_000: 0.5, 1_000_000: 60.0},
    ),
)


def compared(bench: AllocationBench) -> Iterator[dict[str, object]]:
    """One row per family, number of users and power limit."""
    source = generated(bench.name)
    python = environment(bench.name, bench.peer)
    programs = {
        "ours": (Path(sys.executable), HERE / bench.name / "ours.py"),
        bench.peer: (python, HERE / bench.name / f"{bench.peer}_peer.py"),
    }
    found: dict[str, dict[str, Any]] = {}
    peak = 0
    for who, (interpreter, script) in programs.items():
        out = DATA / f"{bench.name}-{who}.json"
        cost = run([str(interpreter), str(script), str(source), str(out)])
        peak = cost.peak_rss_byte if who == "ours" else peak
        found[who] = json.loads(out.read_text())
        print(f"  {bench.name} {who}: {cost.cpu_s:.1f} s", file=sys.stderr)
    groups = sorted({name.rpartition("-")[0] for name in found["ours"]})
    for group in groups:
        yield row(bench, group, found["ours"], found[bench.peer], peak)


def row(
    bench: AllocationBench, group: str, ours: dict[str, Any], theirs: dict[str, Any], peak: int
) -> dict[str, object]:
    """One entry of results.json."""
    names = [name for name in ours if name.rpartition("-")[0] == group]
    gap = max(ours[name]["upper_bound"] / ours[name]["value"] - 1.0 for name in names)
    if gap > GAP:
        raise SystemExit(f"{bench.name}: a gap of {gap:.1e} in {group}")
    cpu_s = statistics.median(ours[name]["cpu_s"] for name in names)
    tried = [theirs[name] | {"name": name} for name in names if name in theirs]
    good = [one for one in tried if off(one, ours) <= AGREE]
    peer_s = statistics.median(one["cpu_s"] for one in good) if good else None
    over = False
    notes = []
    if group in bench.times:
        over = peer_s is not None and peer_s < bench.times[group] * cpu_s
        notes.append(f"bar {bench.times[group]:g} times less")
    limit_s = bench.limit_s.get(int(group.split("-")[1]))
    if limit_s is not None:
        over = over or cpu_s > limit_s
        notes.append(f"bar {limit_s:g} s")
    notes.append(f"gap {gap:.0e}")
    if tried:
        notes.append(said(bench.peer, tried, good, ours))
    if peer_s is not None:
        alone = statistics.median(one["solver_s"] for one in good) / cpu_s
        notes.append(f"{peer_s / cpu_s:.1f} times less, than its solver alone {alone:.1f} times")
    return {
        "name": f"{bench.name} {group}",
        "ours_cpu_s": round(cpu_s, 5),
        "peer": bench.peer if tried else "none",
        "peer_cpu_s": 0.0 if peer_s is None else round(peer_s, 4),
        "ratio": 0.0 if peer_s is None else cpu_s / peer_s,
        "peak_rss_byte": peak,
        "note": f"{'over' if over else 'within'}: " + ", ".join(notes),
    }


def said(
    peer: str, tried: list[dict[str, Any]], good: list[dict[str, Any]], ours: dict[str, Any]
) -> str:
    """How often the peer is right, and how far off it is where it says `optimal` and is not."""
    wrong = [off(one, ours) for one in tried if one["status"] == "optimal" and one not in good]
    text = f"{peer} right in {len(good)} of {len(tried)}"
    if wrong:
        text += f", 'optimal' but {max(wrong):.0e} off in {len(wrong)}"
    return text


def off(one: dict[str, Any], ours: dict[str, Any]) -> float:
    """Relative difference of the peer's value; infinite if it has none."""
    value = ours[one["name"]]["value"]
    return float("inf") if one["value"] is None else abs(one["value"] / value - 1.0)


if __name__ == "__main__":
    for result in compared(BENCHES[0]):
        print(json.dumps(result))
