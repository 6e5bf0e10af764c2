"""Stand-ins for Flower's messages and grid, with what the recorder uses of them and no more."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tree6g.meter.flower.client import scored, trained
from tree6g.meter.flower.exchange import ROUND
from tree6g.training.federated.federation import Plan, federation
from tree6g.training.federated.models import Parameters


class Record(dict[str, Any]):
    """A record of named values; arrays have their bytes, numbers eight."""

    def count_bytes(self) -> int:
        return sum(value.nbytes if isinstance(value, np.ndarray) else 8 for value in self.values())


def content(
    arrays: Parameters = (),
    metrics: dict[str, Any] | None = None,
    number: int | None = None,
) -> SimpleNamespace:
    """Content of a message: arrays, metrics, and the round as configuration."""
    records = {
        "array_records": {"arrays": Record({str(n): part for n, part in enumerate(arrays)})},
        "metric_records": {} if metrics is None else {"metrics": Record(metrics)},
        "config_records": {} if number is None else {"config": Record({ROUND: number})},
    }
    every = {name: one for kind in records.values() for name, one in kind.items()}
    return SimpleNamespace(**records, values=every.values)


@dataclasses.dataclass
class Message:
    """A message, or with `error` a reply that is none."""

    content: Any
    metadata: Any
    error: str = ""

    def has_error(self) -> bool:
        return bool(self.error)


def message(
    node: int, kind: str = "train", arrays: Parameters = (), number: int | None = None
) -> Message:
    """A message to a node."""
    about = SimpleNamespace(dst_node_id=node, message_type=kind)
    return Message(content(arrays, number=number), about)


def reply(
    node: int,
    metrics: dict[str, Any] | None = None,
    arrays: Parameters = (),
    error: str = "",
) -> Message:
    """A reply of a node."""
    return Message(content(arrays, metrics), SimpleNamespace(src_node_id=node), error)


class Grid:
    """Sends messages to a function per message; `None` is a client that stays silent."""

    def __init__(self, answer: Callable[[Message], Message | None], clock: Clock) -> None:
        self.answer, self.clock = answer, clock
        self.timeout: float | None = None

    def get_node_ids(self) -> list[int]:
        return [700, 701]

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        self.timeout = timeout
        self.clock.now_s += 2.0
        return [said for one in messages if (said := self.answer(one)) is not None]


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def clients(plan: Plan, first_node: int = 500) -> Callable[[Message], Message]:
    """Clients that train as ours do in Flower."""

    def answer(one: Message) -> Message:
        number = one.content.config_records["config"][ROUND]
        given = tuple(one.content.array_records["arrays"].values())
        node = one.metadata.dst_node_id
        learnt, metrics = trained(plan, node - first_node, number, given)
        return reply(node, metrics, learnt)

    return answer


def averaged(
    grid: Any,
    plan: Plan,
    rounds: int,
    evaluate_fn: Callable[[int, Any], Any] | None = None,
    first_node: int = 500,
) -> Parameters:
    """The loop of Flower's FedAvg: all clients, a mean by `num-examples` in order of arrival."""
    learnt = federation(plan).learnt
    for number in range(1, rounds + 1):
        nodes = range(first_node, first_node + plan.clients)
        asked = [message(n, "train", learnt, number) for n in nodes]
        came = grid.send_and_receive(messages=asked, timeout=60.0)
        weights = [one.content.metric_records["metrics"]["num-examples"] for one in came]
        total = sum(weights)
        parts = [tuple(one.content.array_records["arrays"].values()) for one in came]
        learnt = tuple(
            sum(w / total * part for w, part in zip(weights, layer, strict=True))
            for layer in zip(*parts, strict=True)
        )
        if evaluate_fn is not None:
            evaluate_fn(number, learnt)
    return learnt


def score_of(plan: Plan) -> Callable[[int, Parameters], dict[str, float]]:
    """An `evaluate_fn` on plain arrays."""

    def evaluate(_: int, learnt: Parameters) -> dict[str, float]:
        score = scored(plan, learnt)
        return {"accuracy": score.accuracy_frac, "loss": score.loss}

    return evaluate
