"""Benchmark of reading Prometheus text: the same scrapes by us and by a peer, in turns.

CPU seconds are those of reading alone, texts in memory, without the start of the interpreter; the
fastest run of each counts, for the machine is shared and noise only adds. Ours counts twice:
scrapes of one target one after the other, as a meter has them, which has to keep the bar; and each
text as if it were the first one. Both must find the peer's samples, in a second pass.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from process import DATA, HERE, environment, generated, run


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeBench:
    """Texts that we and a peer read.

    Attributes:
        name: Folder with `generate.py`, `ours.py` and the peer's program.
        peer: Name of the peer; its requirements are in `requirements-<peer>.txt`.
        script: Its program.
        times: How many times less CPU than the peer ours must take, scrape after scrape.
        peak_limit_byte: Our peak memory must not be more.
        repeats: Runs of each, of which the fastest counts.
    """

    name: str
    peer: str
    script: str
    times: float
    peak_limit_byte: float
    repeats: int = 5


BENCHES = (
    ScrapeBench(
        name="exposition",
        peer="prometheus_client",
        script="prometheus_client_peer.py",
        times=50.0,
        peak_limit_byte=100e6,
    ),
)


def compared(bench: ScrapeBench) -> Iterator[dict[str, object]]:
    """One row for scrapes that follow one another, and one for texts alone."""
    source = generated(bench.name)
    ours = (Path(sys.executable), HERE / bench.name / "ours.py")
    theirs = (environment(bench.name, bench.peer), HERE / bench.name / bench.script)
    found: dict[str, list[dict[str, Any]]] = {}
    peak = 0
    for turn in range(bench.repeats):
        for who, (python, script) in (("ours", ours), (bench.peer, theirs)):
            out = DATA / f"{bench.name}-{who}.json"
            cost = run([str(python), str(script), str(source), str(out)])
            peak = max(peak, cost.peak_rss_byte) if who == "ours" else peak
            found.setdefault(who, []).append(json.loads(out.read_text()))
            print(f"  {bench.name} {who} {turn + 1}", file=sys.stderr)
    agree(bench, found["ours"][-1], found[bench.peer][-1])
    peer_s = min(one["cpu_s"] for one in found[bench.peer])
    for case, times in (("followed", bench.times), ("alone", None)):
        cpu_s = min(one[f"{case}_cpu_s"] for one in found["ours"])
        over = times is not None and (peer_s < times * cpu_s or peak > bench.peak_limit_byte)
        bar = "no bar" if times is None else f"{'over' if over else 'within'} the bar ({times:g})"
        samples = found["ours"][-1]["samples"]
        yield {
            "name": f"{bench.name} {case}",
            "ours_cpu_s": round(cpu_s, 4),
            "peer": bench.peer,
            "peer_cpu_s": round(peer_s, 3),
            "ratio": cpu_s / peer_s,
            "peak_rss_byte": peak,
            "note": f"{bar}: {peer_s / cpu_s:.1f} times less; {samples} samples agree",
        }


def agree(bench: ScrapeBench, ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Every sample is the same, or an end."""
    if ours["samples"] != theirs["samples"] or ours["sums"] != theirs["sums"]:
        raise SystemExit(f"{bench.name}: {bench.peer} finds other samples than we do")


if __name__ == "__main__":
    for result in compared(BENCHES[0]):
        print(json.dumps(result))
