"""The same designs under several seeds: other users, other requests, the same for all designs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from study import Bench, Design, Found

from tree6g.ledger.reading import Ledger


def ledgers(
    bench: Bench, designs: Mapping[str, Design], seeds: Sequence[int], *, quick: Sequence[str]
) -> list[dict[str, Ledger]]:
    """Ledgers by design, one mapping per seed; a quick run takes the first seed only."""
    used = seeds[:1] if bench.quick else seeds
    work = {
        f"{name} ({seed})": dataclasses.replace(design, seed=seed)
        for seed in used
        for name, design in designs.items()
    }
    done = bench.ledgers(work, quick=quick)
    return [{name: done[f"{name} ({seed})"] for name in designs} for seed in used]


def spread(values: Sequence[float]) -> Found:
    """Mean and range over the seeds."""
    return {"mean": sum(values) / len(values), "low": min(values), "high": max(values)}
