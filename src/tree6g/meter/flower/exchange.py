"""What messages of Flower say: whom they are for, how many bits they are, what clients report.

Knows of Flower's messages `metadata`, `content`, `has_error()` and the `count_bytes()` of records.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

BIT_PER_BYTE: Final = 8.0
ROUND: Final = "server-round"  # in the configuration that Flower's strategies send
PARTITION: Final = "partition-id"  # in the configuration of a node, and in our clients' replies


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Messages to clients that were sent together.

    Attributes:
        kind: `train`, `evaluate` or `query`.
        number: Round that they name; None: they name none.
        bit: Bits to each node.
    """

    kind: str
    number: int | None
    bit: Mapping[int, float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a client answered.

    Attributes:
        node: Its number in Flower.
        bit: Bits of its reply.
        metrics: Single numbers that it reports; None: its reply is an error.
    """

    node: int
    bit: float
    metrics: Mapping[str, float] | None


def asked(messages: Sequence[Any]) -> Asked:
    """Messages before they are sent, at least one; their kind and round are those of the first."""
    first = messages[0]
    bit: dict[int, float] = {}
    for message in messages:
        node = int(message.metadata.dst_node_id)
        bit[node] = bit.get(node, 0.0) + _bits(message)
    configs = first.content.config_records.values()
    numbers = [int(config[ROUND]) for config in configs if ROUND in config]
    return Asked(
        kind=str(first.metadata.message_type).partition(".")[0],
        number=numbers[0] if numbers else None,
        bit=bit,
    )


def replies(messages: Iterable[Any]) -> tuple[Reply, ...]:
    """What came back, ascending by node: Flower hands replies over as they come."""
    found = [_reply(message) for message in messages]
    return tuple(sorted(found, key=lambda one: one.node))


def _reply(message: Any) -> Reply:
    node = int(message.metadata.src_node_id)
    if message.has_error():
        return Reply(node=node, bit=0.0, metrics=None)
    metrics = {
        name: float(value)
        for record in message.content.metric_records.values()
        for name, value in record.items()
        if not isinstance(value, list)
    }
    return Reply(node=node, bit=_bits(message), metrics=metrics)


def _bits(message: Any) -> float:
    """Bits of the records in a message; what Flower puts around them is not counted."""
    return BIT_PER_BYTE * sum(record.count_bytes() for record in message.content.values())
