"""Benchmark of offloads: requests carried per CPU second by our engine and by a peer.

Both get the same terminals, servers and times of arrival. Ours carries each request over the air,
through transport, a batching server that works token by token, and back when the answer is whole,
and writes a ledger; the peer places three tasks on nodes and two flows on links, holds them for a
fixed time and reads a power meter each second. So results have nothing to agree in but the number
of requests. The fastest of some turns counts for both, for the machine is shared and noise only
adds.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from process import DATA, HERE, Cost, environment, generated, run


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlacementBench:
    """Requests of many terminals to many servers.

    Attributes:
        name: Folder with `generate.py`, `ours.py` and the peer's program.
        peer: Name of the peer; its requirements are in `requirements-<peer>.txt`.
        script: Its program.
        ratio: How many times the peer's requests per CPU second ours must be.
        peak_limit_byte: Our peak memory must not be more.
        workload: What both do, in words.
        repeats: Turns of both.
    """

    name: str
    peer: str
    script: str
    ratio: float
    peak_limit_byte: float
    workload: str
    repeats: int = 2


BENCHES = (
    PlacementBench(
        name="offloads",
        peer="leaf",
        script="leaf_peer.py",
        ratio=100.0,
        peak_limit_byte=700e6,
        workload="10,000 offloads a second from 1,000 devices to 50 edges, 20 s",
    ),
)


def compared(bench: PlacementBench) -> Iterator[dict[str, object]]:
    """One row: our CPU for all requests beside the peer's."""
    source = generated(bench.name)
    python = environment(bench.name, bench.peer)
    ours, theirs = [], []
    for turn in range(bench.repeats):
        ours.append(_run(bench, source, Path(sys.executable), "ours.py"))
        theirs.append(_run(bench, source, python, bench.script))
        seconds = ", ".join(f"{found[-1][0]['cpu_s']:.2f} s" for found in (ours, theirs))
        print(f"  {bench.name} ours and {bench.peer} {turn + 1}: {seconds}", file=sys.stderr)
    yield _row(bench, *(min(found, key=lambda one: one[0]["cpu_s"]) for found in (ours, theirs)))


def _run(
    bench: PlacementBench, source: Path, python: Path, script: str
) -> tuple[dict[str, Any], Cost]:
    out = DATA / f"{bench.name}-{Path(script).stem}.json"
    cost = run([str(python), str(HERE / bench.name / script), str(source), str(out)])
    return json.loads(out.read_text()), cost


def _row(
    bench: PlacementBench, ours: tuple[dict[str, Any], Cost], theirs: tuple[dict[str, Any], Cost]
) -> dict[str, object]:
    """One entry of results.json."""
    (mine, cost), (peer, _) = ours, theirs
    if mine["requests"] != peer["requests"]:
        raise SystemExit(f"{bench.name}: {mine['requests']} requests, {bench.peer} {peer}")
    rates_hz = [found["requests"] / found["cpu_s"] for found in (mine, peer)]
    times = rates_hz[0] / rates_hz[1]
    met = times >= bench.ratio and cost.peak_rss_byte <= bench.peak_limit_byte
    return {
        "name": bench.name,
        "ours_cpu_s": round(mine["cpu_s"], 3),
        "peer": bench.peer,
        "peer_cpu_s": round(peer["cpu_s"], 3),
        "ratio": mine["cpu_s"] / peer["cpu_s"],
        "peak_rss_byte": cost.peak_rss_byte,
        "note": f"{'within' if met else 'over'} the bar: {rates_hz[0]:,.0f} requests per CPU "
        f"second, the peer {rates_hz[1]:,.0f}: {times:.3g} times (bar {bench.ratio:g}); "
        f"{mine['served']:,} of {mine['requests']:,} served; {bench.workload}; peak at most "
        f"{bench.peak_limit_byte / 1e6:.0f} MB",
    }
