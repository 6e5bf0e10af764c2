"""Benchmark of the simulated server: a trace replayed by us and by a peer, warm and as a command.

What is compared is the CPU of a replay alone and that of the whole command. Our replay counts warm
(compiled code loaded) as the fastest of many, for the machine is shared and noise only adds; the
peer's is the fastest of its runs as well. Both simulate another engine model, so latencies are
printed beside each other and need not agree.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from process import DATA, HERE, Cost, environment, generated, run

COPIES = (13, 26, 52)  # of the trace: a quarter, half, all of a million requests


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReplayBench:
    """A trace that a simulated server replays.

    Attributes:
        name: Folder with `generate.py`, `ours.py` and the peer's program.
        peer: Name of the peer; its requirements are in `requirements-<peer>.txt`.
        script: Its program.
        least_hz: Requests per CPU second that we must replay at least.
        ratio: How many times less CPU than the peer's replay ours must take.
        command_s: CPU of the second command at most.
        million_s: CPU of a million requests at most.
        peak_limit_byte: Our peak memory must not be more.
        repeats: Runs of the peer.
    """

    name: str
    peer: str
    script: str
    least_hz: float
    ratio: float
    command_s: float
    million_s: float
    peak_limit_byte: float
    repeats: int = 2


BENCHES = (
    ReplayBench(
        name="serving",
        peer="aisimulate",
        script="aisimulate_peer.py",
        least_hz=2.5e6,
        ratio=1000.0,
        command_s=2.5,
        million_s=1.0,
        peak_limit_byte=400e6,
    ),
)


def compared(bench: ReplayBench) -> Iterator[dict[str, object]]:
    """Replay, command and a million requests, one row each."""
    source = generated(bench.name)
    peer = environment(bench.name, bench.peer)
    theirs = [_peer(bench, source, peer) for _ in range(bench.repeats)]
    ours, cost = _ours(bench, source, 1)
    yield _replay_row(bench, ours, cost, min(theirs, key=lambda found: found["replay_cpu_s"]))
    yield from _command_rows(bench, source, peer)
    yield _million_row(bench, source)


def _peer(bench: ReplayBench, source: Path, python: Path) -> dict[str, Any]:
    out = DATA / f"{bench.name}-{bench.peer}.json"
    run([str(python), str(HERE / bench.name / bench.script), str(source), str(out)])
    print(f"  {bench.name} {bench.peer}", file=sys.stderr)
    return json.loads(out.read_text())


def _ours(bench: ReplayBench, source: Path, copies: int) -> tuple[dict[str, Any], Cost]:
    out = DATA / f"{bench.name}-ours-{copies}.json"
    script = HERE / bench.name / "ours.py"
    cost = run([sys.executable, str(script), str(source), str(out), str(copies)])
    print(f"  {bench.name} ours x{copies}", file=sys.stderr)
    return json.loads(out.read_text()), cost


def _replay_row(
    bench: ReplayBench, ours: dict[str, Any], cost: Cost, theirs: dict[str, Any]
) -> dict[str, object]:
    cpu_s, peer_s = min(ours["cpu_s"]), theirs["replay_cpu_s"]
    rate_hz = ours["requests"] / cpu_s
    met = rate_hz >= bench.least_hz and peer_s >= bench.ratio * cpu_s
    met = met and ours["requests"] == theirs["requests"]
    means = "; ".join(
        f"{what} {1e3 * ours[key]:,.1f} and {1e3 * theirs[key]:,.1f} ms"
        for what, key in (("TTFT", "ttft_s"), ("TPOT", "tpot_s"), ("E2E", "e2e_s"))
    )
    note = (
        f"{rate_hz:,.0f} requests per CPU second, {peer_s / cpu_s:,.0f} times the peer's "
        f"(bars {bench.least_hz:,.0f} and {bench.ratio:,.0f}); means, ours and its: {means}"
    )
    return _row(bench, "replay", cpu_s, peer_s, cost, note, met=met)


def _command_rows(bench: ReplayBench, source: Path, python: Path) -> Iterator[dict[str, object]]:
    """Our command with nothing compiled, then again; the peer's whole command beside it."""
    config = json.loads((source / "peer.json").read_text())
    config["traffic"]["source"]["paths"] = [str(source / "trace.jsonl")]
    written, out = DATA / f"{bench.name}-peer.json", DATA / f"{bench.name}-peer-out"
    written.write_text(json.dumps(config))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    words = ["predict", "-c", str(written), "--output-dir", str(out), "--overwrite"]
    theirs = run([str(python.with_name("aisimulate")), *words, "--format", "json"], quiet=True)
    cache = DATA / f"{bench.name}-compiled"
    shutil.rmtree(cache, ignore_errors=True)
    os.environ["NUMBA_CACHE_DIR"] = str(cache)
    words = ["serve-sim", str(source / "trace.csv"), "--accelerator", "h100-sxm"]
    words += ["--model", "qwen3-8b", "--json"]
    command = [str(Path(sys.executable).with_name("tree6g")), *words]
    cold = run(command, quiet=True)
    again = min((run(command, quiet=True) for _ in range(3)), key=lambda cost: cost.cpu_s)
    del os.environ["NUMBA_CACHE_DIR"]
    met = again.cpu_s < bench.command_s
    note = f"whole command, compiled code on disk (bar {bench.command_s} s)"
    yield _row(bench, "command", again.cpu_s, theirs.cpu_s, again, note, met=met)
    note = "whole command, everything compiled first (no bar)"
    yield _row(bench, "first command", cold.cpu_s, theirs.cpu_s, cold, note, met=True)


def _million_row(bench: ReplayBench, source: Path) -> dict[str, object]:
    """A million requests; three sizes show how memory grows. The peer's column is the bar."""
    found = [_ours(bench, source, copies) for copies in COPIES]
    peaks = [cost.peak_rss_byte for _, cost in found]
    whole, cost = found[-1]
    cpu_s = min(whole["cpu_s"])
    more = (peaks[2] - peaks[1]) / max(peaks[1] - peaks[0], 1)
    met = cpu_s < bench.million_s
    note = (
        f"{whole['requests']:,} requests, four times slower arrivals, bar {bench.million_s} s; "
        f"peaks {', '.join(f'{peak / 1e6:.0f}' for peak in peaks)} MB for a quarter, half and all, "
        f"so twice the requests add {more:.1f} times what the step before added (linear: 2)"
    )
    return _row(bench, "million", cpu_s, bench.million_s, cost, note, met=met) | {"peer": "(bar)"}


def _row(
    bench: ReplayBench, what: str, cpu_s: float, peer_s: float, cost: Cost, note: str, *, met: bool
) -> dict[str, object]:
    """One entry of results.json."""
    met = met and (cost.peak_rss_byte <= bench.peak_limit_byte or what == "first command")
    return {
        "name": f"{bench.name} {what}",
        "ours_cpu_s": round(cpu_s, 5),
        "peer": bench.peer,
        "peer_cpu_s": round(peer_s, 3),
        "ratio": cpu_s / peer_s,
        "peak_rss_byte": cost.peak_rss_byte,
        "note": f"{'within' if met else 'over'} the bar: {note}; peak at most "
        f"{bench.peak_limit_byte / 1e6:.0f} MB",
    }
