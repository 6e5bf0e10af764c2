"""The tasks: our split of the digits over ten clients, and the weights that learning begins with.

A folder with `plan.json`, what holds for all tasks, and for each an array file.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tree6g.training.federated.federation import Plan, federation
from tree6g.training.federated.local import Descent

HIDDEN = {"softmax": (), "network": (64,)}
DESCENT = {"epochs": 2, "batch": 16, "step_size": 0.1}
SHARED = {"clients": 10, "concentration": 0.5, "seed": 0}
ROUNDS = 20


def main(out: Path) -> None:
    out.mkdir(parents=True)
    plan = {"rounds": ROUNDS, "hidden": HIDDEN, "descent": DESCENT, **SHARED}
    (out / "plan.json").write_text(json.dumps(plan))
    for name, hidden in HIDDEN.items():
        start = federation(Plan(hidden=hidden, form="fp64", descent=Descent(**DESCENT), **SHARED))
        x = {f"x{n}": start.data.x[rows] for n, rows in enumerate(start.shard)}
        y = {f"y{n}": start.data.y[rows] for n, rows in enumerate(start.shard)}
        weights = {f"weight{n}": part for n, part in enumerate(start.learnt)}
        test = {key: getattr(start.data, key) for key in ("test_x", "test_y")}
        np.savez(out / f"{name}.npz", **test, **x, **y, **weights)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
