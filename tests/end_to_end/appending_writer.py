"""A process whose writers are killed: it forks a writer, kills it and says what it acknowledged.

    python appending_writer.py LEDGER SEED FLUSHES     one writer that runs to its end
    python appending_writer.py                         serves lines of standard input

A line is "LEDGER SEED SINCE DELAY_S", tab-separated. A forked writer appends forever and is killed
by SIGKILL after the delay, counted from its `start` or its `first` acknowledgement; the answer is
one line with the numbers of the rows it had acknowledged, "first-end" per flush. Forking spares the
import of the package for each of many kills.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tree6g.ledger import batch
from tree6g.ledger.meta import Meta
from tree6g.ledger.parts import list_parts
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter

ENTITY = {"node": "n", "tier": "edge", "boundaries": "operator full"}
META = Meta(services={"chat": {"kind": "ai"}}, sources={"model": "crash test"})


def append_forever(path: Path, seed: int, out: int, flushes: int | None = None) -> None:
    """Append rows that carry their number as time and value; acknowledge each flush on `out`."""
    rng = random.Random(seed)
    with LedgerWriter(path, META) as writer:
        if not list_parts(path, "entity"):
            writer.append("entity", ENTITY)
        first = open_ledger(path).rows()["energy"]
        for turn in itertools.count() if flushes is None else range(flushes):
            end = first + rng.randint(1, 40)
            _append(writer, [float(i) for i in range(first, end)])
            if turn % 5 == 2:
                writer.update_meta(META)
            writer.flush()
            os.write(out, f"{first}-{end} ".encode())
            first = end


def serve(write_forever: Callable[[Path, int, int], None]) -> None:
    """Fork, kill and report, once per line of standard input."""
    # The first conversion imports what is installed of pandas: not what shall be interrupted.
    batch.to_table("entity", ENTITY)
    for line in sys.stdin:
        path, seed, since, delay_s = line.split("\t")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(read)
            write_forever(Path(path), int(seed), write)
        os.close(write)
        answer = os.read(read, 1 << 16).decode() if since == "first" else ""
        time.sleep(float(delay_s))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        with os.fdopen(read) as acknowledged:
            answer += acknowledged.read()
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            answer = "the writer ended by itself"
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


def _append(writer: LedgerWriter, numbers: list[float]) -> None:
    rows = {
        "t0_s": numbers, "t1_s": [n + 1 for n in numbers], "node": "n", "tier": "edge",
        "origin": "modelled", "source": "model",
    }  # fmt: skip
    writer.append("energy", {**rows, "component": "gpu", "state": "active", "energy_j": numbers})
    writer.append("work", {**rows, "service": "chat", "kind": "token_out", "amount": numbers})


if __name__ == "__main__":
    if len(sys.argv) == 1:
        serve(append_forever)
    else:
        append_forever(Path(sys.argv[1]), int(sys.argv[2]), 1, int(sys.argv[3]))
