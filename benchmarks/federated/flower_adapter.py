"""The same in Flower with our client and our recorder: `flower_adapter.py SOURCE OUT TASK`.

Writes a ledger beside the weights, in the folder `OUT` without its suffix.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

from tree6g.meter.flower.client import client_app, first_arrays, scorer
from tree6g.meter.flower.costs import costs_of
from tree6g.meter.flower.record import Recorder
from tree6g.training.federated.federation import Plan
from tree6g.training.federated.local import Descent


def main(source: Path, out: Path, task: str) -> None:
    """Accuracy after each round, the last weights and a ledger."""
    said = json.loads((source / "plan.json").read_text())
    plan = Plan(
        hidden=tuple(said["hidden"][task]),
        form="fp64",
        descent=Descent(**said["descent"]),
        clients=said["clients"],
        concentration=said["concentration"],
        seed=said["seed"],
    )
    server, ledger = ServerApp(), out.with_suffix("")
    shutil.rmtree(ledger, ignore_errors=True)

    # Without the least numbers the first round takes whoever is there by then.
    @server.main()
    def serve(grid: Grid, _: Context) -> None:
        with Recorder(ledger, costs_of("federated-city")) as recorder:
            result = FedAvg(
                fraction_evaluate=0.0,
                min_train_nodes=said["clients"],
                min_available_nodes=said["clients"],
            ).start(
                recorder.watch(grid),
                first_arrays(plan),
                num_rounds=said["rounds"],
                evaluate_fn=recorder.scored(scorer(plan)),
            )
        known = result.evaluate_metrics_serverapp
        last = {f"weight{n}": part for n, part in enumerate(result.arrays.to_numpy_ndarrays())}
        right = [known[number]["accuracy"] for number in range(1, said["rounds"] + 1)]
        np.savez(out, accuracy=right, **last)

    run_simulation(server, client_app(plan), num_supernodes=said["clients"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
