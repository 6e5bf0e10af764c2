"""Benchmark of environments: CPU seconds of a step of one user, ours against mobile-env's.

Both take actions at random that were drawn beforehand, time starts after some steps, and programs
take turns. The models differ. mobile-env: which stations users connect to, users walk, rates by
Okumura-Hata path loss, no queues, no energy, one environment at a time, Python objects. Ours: which
part of the time users have and how cells radiate, queues with deadlines, requests with prompts and
answers, servers, interference by load, joules; users stay and shadowing changes; 256 episodes in
the same NumPy calls.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from process import DATA, HERE, environment, run


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentBench:
    """Steps that we and a peer take.

    Attributes:
        name: Folder with `ours.py` and the peer's program.
        peer: Name of the peer; its requirements are in `requirements-<peer>.txt`.
        steps: Steps of ours and of the peer.
        least_per_s: User-steps that ours must take at least in a CPU second, at every size.
        repeats: Runs of each program, of which the median counts.
    """

    name: str
    peer: str
    steps: tuple[int, int]
    least_per_s: float
    repeats: int = 3


BENCHES = (
    EnvironmentBench(name="environment", peer="mobile-env", steps=(200, 300), least_per_s=1e5),
)


def compared(bench: EnvironmentBench) -> Iterator[dict[str, object]]:
    """One row per size."""
    DATA.mkdir(exist_ok=True)
    peer = environment(bench.name, bench.peer)
    programs = {
        "ours": (Path(sys.executable), "ours.py", bench.steps[0]),
        bench.peer: (peer, f"{bench.peer.replace('-', '_')}_peer.py", bench.steps[1]),
    }
    found: dict[str, list[dict[str, Any]]] = {who: [] for who in programs}
    peak = 0
    for turn in range(bench.repeats):
        for who, (python, script, steps) in programs.items():
            out = DATA / f"{bench.name}-{who}.json"
            cost = run([str(python), str(HERE / bench.name / script), str(out), str(steps)])
            peak = max(peak, cost.peak_rss_byte) if who == "ours" else peak
            found[who].append(json.loads(out.read_text()))
            print(f"  {bench.name} {who} {turn + 1}: {cost.cpu_s:.1f} s", file=sys.stderr)
    for size in found["ours"][0]:
        yield row(bench, size, found["ours"], found[bench.peer], peak)


def row(
    bench: EnvironmentBench,
    size: str,
    ours: list[dict[str, Any]],
    theirs: list[dict[str, Any]],
    peak: int,
) -> dict[str, object]:
    """One entry of results.json; CPU seconds are those of a user-step."""
    cpu_s, peer_s = (statistics.median(t[size]["cpu_s"] for t in turns) for turns in (ours, theirs))
    over = 1.0 / cpu_s < bench.least_per_s
    return {
        "name": f"{bench.name} {size}",
        "ours_cpu_s": cpu_s,
        "peer": bench.peer,
        "peer_cpu_s": peer_s,
        "ratio": cpu_s / peer_s,
        "peak_rss_byte": peak,
        "note": f"{'over' if over else 'within'} the bar ({bench.least_per_s:,.0f} user-steps per "
        f"CPU second): {1.0 / cpu_s:,.0f} with {ours[0][size]['users']} users, its "
        f"{1.0 / peer_s:,.0f} with {theirs[0][size]['users']}; {peer_s / cpu_s:,.0f} times less "
        "CPU, another model",
    }


if __name__ == "__main__":
    for result in compared(BENCHES[0]):
        print(json.dumps(result))
