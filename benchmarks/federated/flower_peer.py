"""The same in Flower alone, the training written by hand: `flower_peer.py SOURCE OUT TASK`.

A ClientApp and Flower's FedAvg with all clients, in Flower's simulation. Nothing of ours is used
but the split, the first weights, and how batches are drawn.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg
from flwr.simulation import run_simulation

STREAM = 3  # of a client's batches, beside seed, round and client


def forward(weights: list[np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    """Values of all layers."""
    passed = [x]
    for layer in range(0, len(weights), 2):
        out = passed[-1] @ weights[layer] + weights[layer + 1]
        passed.append(out if layer == len(weights) - 2 else np.maximum(out, 0.0))
    return passed


def gradient(weights: list[np.ndarray], x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Of the mean cross entropy."""
    passed = forward(weights, x)
    exponents = np.exp(passed[-1] - passed[-1].max(axis=1, keepdims=True))
    back = exponents / exponents.sum(axis=1, keepdims=True)
    back[np.arange(len(y)), y] -= 1.0
    back /= len(y)
    found: list[np.ndarray] = []
    for layer in reversed(range(0, len(weights), 2)):
        found = [passed[layer // 2].T @ back, back.sum(axis=0), *found]
        if layer:
            back = (back @ weights[layer].T) * (passed[layer // 2] > 0.0)
    return found


def accuracy(weights: list[np.ndarray], data: dict[str, np.ndarray]) -> float:
    """Share of right answers on the test data."""
    return float(np.mean(forward(weights, data["test_x"])[-1].argmax(axis=1) == data["test_y"]))


def client_app(path: Path, said: dict) -> ClientApp:
    """Clients that train on their shards."""
    app = ClientApp()
    how, seed = said["descent"], said["seed"]

    @app.train()
    def train(message: Message, context: Context) -> Message:
        data = np.load(path)
        client = int(context.node_config["partition-id"])
        number = int(message.content["config"]["server-round"])
        x, y = data[f"x{client}"], data[f"y{client}"]
        weights = message.content["arrays"].to_numpy_ndarrays()
        random = np.random.default_rng([seed, STREAM, number - 1, client])
        for _ in range(how["epochs"]):
            order = random.permutation(len(y)) if how["batch"] < len(y) else np.arange(len(y))
            for first in range(0, len(y), how["batch"]):
                some = order[first : first + how["batch"]]
                slopes = gradient(weights, x[some], y[some])
                weights = [w - how["step_size"] * g for w, g in zip(weights, slopes, strict=True)]
        metrics = MetricRecord({"num-examples": len(y)})
        content = RecordDict({"arrays": ArrayRecord(weights), "metrics": metrics})
        return Message(content=content, reply_to=message)

    return app


def main(source: Path, out: Path, task: str) -> None:
    """Accuracy after each round and the last weights."""
    said = json.loads((source / "plan.json").read_text())
    path = source / f"{task}.npz"
    data = dict(np.load(path))
    weights = [data[f"weight{n}"] for n in range(2 * len(said["hidden"][task]) + 2)]
    server = ServerApp()

    # Without the least numbers the first round takes whoever is there by then.
    @server.main()
    def serve(grid: Grid, _: Context) -> None:
        result = FedAvg(
            fraction_evaluate=0.0,
            min_train_nodes=said["clients"],
            min_available_nodes=said["clients"],
        ).start(
            grid,
            ArrayRecord(weights),
            num_rounds=said["rounds"],
            evaluate_fn=lambda _, arrays: MetricRecord(
                {"accuracy": accuracy(arrays.to_numpy_ndarrays(), data)}
            ),
        )
        known = result.evaluate_metrics_serverapp
        last = {f"weight{n}": part for n, part in enumerate(result.arrays.to_numpy_ndarrays())}
        right = [known[number]["accuracy"] for number in range(1, said["rounds"] + 1)]
        np.savez(out, accuracy=right, **last)

    run_simulation(server, client_app(path, said), num_supernodes=said["clients"])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
