"""Replays of the package: `ours.py SOURCE OUT COPIES`.

One H100 with Qwen3-8B in bf16 and the settings of current vLLM. COPIES 1 is the trace as it is; a
larger number is the trace so often in a row, with four times the time between requests. Compiled
before, or read from disk; every replay starts anew and the CPU of each is written.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import numpy as np

from tree6g.compute.serving.requests import requests
from tree6g.compute.serving.run import serve
from tree6g.engine.serving import Options, setup
from tree6g.scenario.trace import read_trace

SLOWER = 4.0
REPLAYS = {1: 100}  # by copies


def main(source: Path, out: Path, copies: int) -> None:
    """Replay again and again."""
    trace = read_trace(source / "trace.csv")
    arrival_s = trace.arrival_s
    if copies > 1:
        length_s = SLOWER * (arrival_s[-1] + 1.0)
        arrival_s = (SLOWER * arrival_s + length_s * np.arange(copies)[:, None]).ravel()
    asked = requests(arrival_s, np.tile(trace.input_tok, copies), np.tile(trace.output_tok, copies))
    server = setup(Options(accelerator="h100-sxm", model="qwen3-8b"))
    settings = dataclasses.replace(server.settings, async_scheduling=False)  # as the peer has it
    serve(server.replica, settings, asked.where(slice(0, 1000)))
    spent, done = [], None
    for _ in range(REPLAYS.get(copies, 3)):
        del done  # one replay in memory at a time
        start = time.process_time()
        done = serve(server.replica, settings, asked)
        spent.append(time.process_time() - start)
    found = {name: float(np.nanmean(getattr(done, name))) for name in ("ttft_s", "tpot_s", "e2e_s")}
    found |= {"cpu_s": spent, "requests": int(done.served.sum()), "iterations": done.iterations}
    found |= {"unaccounted_frac": done.unaccounted_frac}
    out.write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
