"""Benchmark of the meter's agent: what a hundred targets cost it, in CPU and in memory.

There is no peer: bars are shares of one core. CPU is that of the whole process, start included.
What the ledger holds is held against the texts: every target must have all tokens of all looks.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from process import DATA, HERE, Cost, run

from tree6g.ledger.reading import open_ledger

TARGETS = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AgentBench:
    """How often the targets are read.

    Attributes:
        name: Name of the row.
        interval_s: Time between looks.
        core_frac: Our CPU over the time must not be more.
        peak_limit_byte: Our peak memory must not be more.
        length_s: How long.
    """

    name: str
    interval_s: float
    core_frac: float
    peak_limit_byte: float = 150e6
    length_s: float = 600.0


BENCHES = (
    AgentBench(name="agent 10 s", interval_s=10.0, core_frac=0.05),
    AgentBench(name="agent 1 s", interval_s=1.0, core_frac=0.30),
)


def compared(bench: AgentBench) -> Iterator[dict[str, object]]:
    """One row: our CPU beside the bar."""
    words = [sys.executable, str(HERE / "agent" / "server.py"), str(bench.interval_s)]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        cost, wall_s, ledger = _ours(bench, port)
    finally:
        server.kill()
        server.wait()
    amounts, coverage = _found(ledger)
    whole = len(amounts) == TARGETS and len(set(amounts)) == 1
    frac = cost.cpu_s / wall_s
    within = frac <= bench.core_frac and cost.peak_rss_byte <= bench.peak_limit_byte and whole
    byte = sum(path.stat().st_size for path in ledger.rglob("*") if path.is_file())
    yield {
        "name": bench.name,
        "ours_cpu_s": round(cost.cpu_s, 3),
        "peer": "(bar)",
        "peer_cpu_s": round(bench.core_frac * wall_s, 3),
        "ratio": frac / bench.core_frac,
        "peak_rss_byte": cost.peak_rss_byte,
        "note": (
            f"{'within' if within else 'over'} the bar: {100 * frac:.2f} % of one core (bar "
            f"{100 * bench.core_frac:g} %) over {wall_s:.0f} s, peak at most "
            f"{bench.peak_limit_byte / 1e6:.0f} MB; {TARGETS} targets "
            f"{'agree' if whole else 'DIFFER'}, {coverage} gaps, ledger {byte / 1e6:.1f} MB"
        ),
    }


def _ours(bench: AgentBench, port: int) -> tuple[Cost, float, Path]:
    folder = DATA / "agent"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = [
        f"ledger: {folder / 'ledger'}", f"interval: {bench.interval_s} s", "flush: 60 s",
        "services: {chat: {kind: ai, model: a}}", "targets:",
    ]  # fmt: skip
    lines += [
        f"  t{i:03d}: {{url: 'http://127.0.0.1:{port}/{i}/metrics', node: n{i:03d}}}"
        for i in range(TARGETS)
    ]
    config = folder / "meter.yaml"
    config.write_text("\n".join(lines) + "\n")
    command = [str(Path(sys.executable).with_name("tree6g")), "meter", "run", str(config)]
    start_s = time.monotonic()
    cost = run([*command, "--for", f"{bench.length_s} s", "--json"], quiet=True)
    return cost, time.monotonic() - start_s, folder / "ledger"


def _found(ledger: Path) -> tuple[list[float], int]:
    """Tokens of each target, and the number of gaps."""
    with open_ledger(ledger).connect() as db:
        work = "SELECT sum(amount) FROM work GROUP BY source ORDER BY source"
        gaps = "SELECT count(*) FROM coverage WHERE status = 'gap'"
        amounts = [round(row[0], 6) for row in db.sql(work).fetchall()]
        return amounts, db.sql(gaps).fetchall()[0][0]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--length", type=float, help="seconds, in place of ten minutes")
    parser.add_argument("--only", choices=[bench.name for bench in BENCHES])
    asked = parser.parse_args()
    os.chdir(HERE)
    for each in BENCHES:
        if asked.only in {None, each.name}:
            changed = dataclasses.replace(each, length_s=asked.length or each.length_s)
            for result in compared(changed):
                print(json.dumps(result))
