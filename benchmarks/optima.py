"""Benchmark of placements: how near to the optimum is proven, and for how much CPU.

Fifty services at fifty sites, three of them near: a fixed problem of about 31,000 ways. CPU seconds
are from arrays to the solution, the ways included. There is no peer; the bars are a gap and a time.
A second run goes on until nothing is left of the gap.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from typing import Any

from process import DATA, HERE, generated, run


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OptimumBench:
    """A placement to be proven.

    Attributes:
        name: Folder with `generate.py` and `ours.py`.
        gap: Proven gap at most, as a share.
        limit_s: CPU seconds at most.
        barred_w: Idle power of a site for which both bars hold; others are printed.
    """

    name: str
    gap: float
    limit_s: float
    barred_w: float


BENCHES = (OptimumBench(name="placement_optimum", gap=0.01, limit_s=60.0, barred_w=40.0),)


def compared(bench: OptimumBench) -> Iterator[dict[str, object]]:
    """One row per idle power, required services and gap asked for."""
    source = generated(bench.name)
    for gap in (bench.gap, 0.0):
        out = DATA / f"{bench.name}-{gap:g}.json"
        script = HERE / bench.name / "ours.py"
        cost = run([sys.executable, str(script), str(source), str(out), str(gap)])
        for found in json.loads(out.read_text()):
            yield row(bench, gap, found, cost.peak_rss_byte)


def row(bench: OptimumBench, gap: float, found: dict[str, Any], peak: int) -> dict[str, object]:
    """One entry of results.json."""
    barred = found["idle_w"] == bench.barred_w and gap == bench.gap
    over = found["gap_frac"] > bench.gap or found["cpu_s"] > bench.limit_s
    bar = f"{'over' if over else 'within'} the bar (gap {bench.gap:g}, {bench.limit_s:g} s)"
    who = "all served" if found["required"] else "free to refuse"
    gaps = (
        f"{found['gap_frac']:.2e} by {found['bound_by']}, {found['relaxed_gap_frac']:.2e} by prices"
    )
    size = f"{found['ways']} ways, {found['priced']} in the program"
    chosen = f"{found['served']} services served, {found['open']} sites on"
    return {
        "name": f"{bench.name} {found['idle_w']:g} W",
        "ours_cpu_s": round(found["cpu_s"], 3),
        "peer": "none",
        "peer_cpu_s": 0.0,
        "ratio": 0.0,
        "peak_rss_byte": peak,
        "note": f"{bar if barred else 'no bar'}: {who}, asked {gap:g}, proven {gaps}; "
        f"{size}; {chosen}",
    }
