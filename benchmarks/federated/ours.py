"""Federated averaging by our federation: `ours.py SOURCE OUT TASK`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from tree6g.training.federated.federation import Plan, federation
from tree6g.training.federated.local import Descent


def main(source: Path, out: Path, task: str) -> None:
    """All clients in each round; accuracy after each and the last weights."""
    said = json.loads((source / "plan.json").read_text())
    state = federation(
        Plan(
            hidden=tuple(said["hidden"][task]),
            form="fp64",
            descent=Descent(**said["descent"]),
            clients=said["clients"],
            concentration=said["concentration"],
            seed=said["seed"],
        )
    )
    accuracy = []
    for _ in range(said["rounds"]):
        state.fold({client: state.train(client) for client in range(said["clients"])})
        accuracy.append(state.score().accuracy_frac)
    weights = {f"weight{n}": part for n, part in enumerate(state.learnt)}
    np.savez(out, accuracy=accuracy, **weights)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
