"""Benchmark of the counting proxy: what it adds to a request, beside the same request without it.

The server behind it answers at once and does nothing else, so its CPU is about what any server in
Python takes to receive a request and to send an answer. Of several runs the one with the lowest
median counts, for the machine is shared and noise only adds.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator

from process import HERE

MS = 1e3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForwardingBench:
    """Requests that go through the proxy and past it.

    Attributes:
        name: Folder with `ours.py`.
        requests: Requests of a run each way.
        most_added_s: Median time to the end of a whole answer must not rise by more.
        peak_limit_byte: Peak memory of the proxy must not be more.
        repeats: Runs.
    """

    name: str
    requests: int
    most_added_s: float
    peak_limit_byte: float
    repeats: int = 5


BENCHES = (ForwardingBench(name="proxy", requests=1000, most_added_s=1e-3, peak_limit_byte=100e6),)


def compared(bench: ForwardingBench) -> Iterator[dict[str, object]]:
    """One row for whole answers, one for streams."""
    command = [sys.executable, str(HERE / bench.name / "ours.py"), str(bench.requests)]
    runs = []
    for turn in range(bench.repeats):
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout))
        print(f"  {bench.name} {turn + 1}", file=sys.stderr)
    for kind in runs[0]:
        best = min((run[kind] for run in runs), key=lambda one: one["added_last_s"])
        cpu_s = min(run[kind]["cpu_s"] for run in runs)
        server_s = min(run[kind]["server_cpu_s"] for run in runs)
        peak = max(run[kind]["peak_rss_byte"] for run in runs)
        added_s = best["added_first_s"] if best["events"] else best["added_last_s"]
        barred = not best["events"]
        over = peak > bench.peak_limit_byte or (barred and added_s > bench.most_added_s)
        bar = f"{'over' if over else 'within'} the bar ({bench.most_added_s * MS:g} ms)"
        to = f"first of {best['events']} events" if best["events"] else "end of the answer"
        yield {
            "name": f"{bench.name} {kind}",
            "ours_cpu_s": cpu_s,
            "peer": "server",
            "peer_cpu_s": server_s,
            "ratio": cpu_s / server_s,
            "peak_rss_byte": peak,
            "added_s": added_s,
            "note": f"{bar if barred else 'no bar'}: adds {added_s * MS:.2f} ms to the {to}",
        }


if __name__ == "__main__":
    for result in compared(BENCHES[0]):
        print(json.dumps(result))
