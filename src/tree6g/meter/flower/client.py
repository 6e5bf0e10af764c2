"""The training of a `Plan` as a Flower app: the same split, seeds, model and steps as ours.

    app = client_app(plan)                                    # a ClientApp
    strategy.start(grid, first_arrays(plan), evaluate_fn=scorer(plan), ...)

trains with Flower's FedAvg what `training.federated.federation.train` does, up to the order of the
server's sum, if every client takes part in every round (`min_train_nodes`): which clients Flower
draws is its own random choice. Needs the extra `flower`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

import numpy as np

from tree6g.errors import DataError, InfeasibleError
from tree6g.meter.flower.costs import CPU_S
from tree6g.meter.flower.exchange import PARTITION, ROUND
from tree6g.training.federated.federation import Federation, Plan, Score, federation
from tree6g.training.federated.models import Parameters

METHODS: Final = ("fedavg", "fedprox", "fedit")  # those whose server takes a mean
WHOLE: Final = "fp64"  # how Flower carries arrays


def client_app(plan: Plan) -> Any:
    """A `flwr.clientapp.ClientApp` whose nodes are the plan's clients, by their `partition-id`.

    A reply has the parameters after training, the number of samples as weight (`num-examples`), and
    what `costs.Costs` computes joules from: `flop`, `steps`, `values`, `layers`, `cpu-s`.

    Raises:
        DataError: A method whose server does not take a mean, or packed updates.
        InfeasibleError: Flower is not installed.
    """
    _require_whole(plan)
    flwr = _library()
    app = import_module("flwr.clientapp").ClientApp()

    def train(message: Any, context: Any) -> Any:
        """The reply to a message that asks for training."""
        given = message.content.array_records["arrays"].to_numpy_ndarrays()
        number = int(message.content.config_records["config"][ROUND])
        client = int(context.node_config.get(PARTITION, -1))
        learnt, metrics = trained(plan, client, number, tuple(given))
        content = {"arrays": flwr.ArrayRecord(list(learnt)), "metrics": flwr.MetricRecord(metrics)}
        return flwr.Message(content=flwr.RecordDict(content), reply_to=message)

    app.train()(train)
    return app


def first_arrays(plan: Plan) -> Any:
    """The `flwr.app.ArrayRecord` that learning begins with.

    Raises:
        DataError: As `client_app`.
        InfeasibleError: Flower or scikit-learn is not installed.
    """
    _require_whole(plan)
    return _library().ArrayRecord(list(federation(plan).learnt))


def scorer(plan: Plan) -> Callable[[int, Any], Any]:
    """An `evaluate_fn` for strategies: `accuracy` and `loss` on the plan's test data.

    Raises:
        InfeasibleError: Flower or scikit-learn is not installed.
    """
    flwr = _library()

    def evaluate(_: int, arrays: Any) -> Any:
        score = scored(plan, tuple(arrays.to_numpy_ndarrays()))
        return flwr.MetricRecord({"accuracy": score.accuracy_frac, "loss": score.loss})

    return evaluate


def trained(
    plan: Plan, client: int, number: int, given: Parameters
) -> tuple[Parameters, dict[str, float]]:
    """A client's training in a round, numbered from 1: its parameters, and what it took.

    Raises:
        DataError: No such client.
    """
    if not 0 <= client < plan.clients:
        raise DataError(
            f"expected a {PARTITION} below the plan's {plan.clients} clients; got "
            f"{client if client >= 0 else 'none'}. Start as many nodes as the plan has clients, "
            f"on devices of your own with --node-config '{PARTITION}=0' and so on."
        )
    start_s = time.process_time()
    state = _federation(plan)
    state.learnt, state.round = given, number - 1
    update = state.train(client)
    learnt = tuple(np.asarray(w0 + w) for w0, w in zip(given, update, strict=True))
    return learnt, {
        "num-examples": len(state.shard[client]),
        PARTITION: client,
        "flop": state.flop(client),
        "steps": state.steps(client),
        "values": state.read_values,
        "layers": state.layers,
        CPU_S: time.process_time() - start_s,
    }


def scored(plan: Plan, learnt: Parameters) -> Score:
    """Parameters on the plan's test data."""
    state = _federation(plan)
    state.learnt = learnt
    return state.score()


@functools.lru_cache(maxsize=4)
def _federation(plan: Plan) -> Federation:
    """The samples and shards of a plan, read once in a process; its state is set by each use."""
    return federation(plan)


def _require_whole(plan: Plan) -> None:
    if plan.method not in METHODS:
        raise DataError(
            f"expected a method whose server takes a mean ({', '.join(METHODS)}), which Flower's "
            f"FedAvg does; got {plan.method!r}."
        )
    if plan.form != WHOLE:
        raise DataError(
            f"expected a plan with form {WHOLE!r}, for Flower carries arrays as they are; got "
            f"{plan.form!r}. Compress with a mod of Flower's instead."
        )


def _library() -> Any:
    try:
        return import_module("flwr.app")
    except ImportError as error:
        raise InfeasibleError(
            "expected the package 'flwr' (Flower, at least 1.41); it is not installed. Run: "
            "pip install 'tree6g[flower]'"
        ) from error
