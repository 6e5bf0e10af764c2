"""A process whose meters are killed while they record, flush and tidy: see `appending_writer`.

A meter counts seconds from the state of its journal on, and acknowledges each as "n-m", m = n + 1,
when its record is durable; the first one that it says is where it began.
"""

from __future__ import annotations

import itertools
import os
import random
from pathlib import Path

from appending_writer import ENTITY, META, serve

from tree6g.ledger.upkeep import Limits
from tree6g.meter.agent.journal import Journal

LIMITS = Limits(fan=2, rows=200, grace_s=0.0)


def record_forever(path: Path, seed: int, out: int) -> None:
    """Record seconds; flush and tidy now and then."""
    rng = random.Random(seed)
    journal = Journal(path, META, limits=LIMITS)
    begin = int(journal.state.get("n", b"0"))
    os.write(out, f"{begin}-{begin} ".encode())
    for n in itertools.count(begin):
        rows = {"t0_s": n, "t1_s": n + 1, "node": "n", "tier": "edge", "origin": "measured"}
        energy = {**rows, "component": "gpu", "state": "active", "energy_j": n, "source": "model"}
        work = {**rows, "service": "chat", "kind": "token_out", "amount": n, "source": "model"}
        tables = {"energy": energy, "work": work} | ({"entity": ENTITY} if n == 0 else {})
        journal.record(tables, {"n": str(n + 1).encode(), "look": rng.randbytes(20_000)})
        os.write(out, f"{n}-{n + 1} ".encode())
        if rng.random() < 0.4:
            journal.flush()
        if rng.random() < 0.4:
            journal.tidy(0.0)


if __name__ == "__main__":
    serve(record_forever)
