"""What a federation's clients and links take: joules by FLOP or CPU seconds, and by bits."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from typing import Final

from tree6g.compute.accelerator import accelerator
from tree6g.errors import DataError, ScenarioError, nearest
from tree6g.ledger.schema import COMPONENTS, TIERS
from tree6g.scenario.load import load
from tree6g.scenario.model import Scenario
from tree6g.training.federated.device import Work, work

# What a client says of its work, in its reply's metrics.
BY_FLOP: Final = ("flop", "steps", "values", "layers")
CPU_S: Final = "cpu-s"
MOST: Final = 1e30  # of any of it; nobody has trained with so many FLOP
SERVER: Final = "server"
CLIENT: Final = "client-"  # before its number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A part of the way between clients and server: a link, a radio, a switch.

    Attributes:
        node: Its name in the ledger.
        up_j_per_bit: Joules above idle of a bit from a client.
        down_j_per_bit: Joules above idle of a bit to a client.
        tier: Where it is.
        component: What draws the joules.
        source: Where the numbers come from.
    """

    node: str
    up_j_per_bit: float
    down_j_per_bit: float
    tier: str = "transport"
    component: str = "link"
    source: str = ""

    def __post_init__(self) -> None:
        """Refuse words that a ledger does not have and joules that do not exist."""
        for word, known in ((self.tier, TIERS), (self.component, COMPONENTS)):
            if word not in known:
                raise DataError(f"hop '{self.node}': got {word!r}. {nearest(word, known)}")
        for name in ("up_j_per_bit", "down_j_per_bit"):
            _require_amount(f"{name} of hop '{self.node}'", getattr(self, name))

    def energy_j(self, bit: Mapping[str, float]) -> float:
        """Joules of bits, `down` to clients and `up` from them."""
        return self.down_j_per_bit * bit["down"] + self.up_j_per_bit * bit["up"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What joules are computed from. Clients need one of the two, by what they report.

    Attributes:
        accelerator: Row of the table `accelerators` that clients compute on: joules above idle from
            their FLOP, steps, values and layers (`training.federated.device`).
        cpu_power_w: What a busy core of a client draws above idle: joules from its CPU seconds.
        hops: The way between clients and server.
        service: Name of the federation in the ledger.
    """

    accelerator: str | None = None
    cpu_power_w: float | None = None
    hops: tuple[Hop, ...] = ()
    service: str = "learning"

    def __post_init__(self) -> None:
        """Refuse no device, two of them, and names that are used twice."""
        if (self.accelerator is None) == (self.cpu_power_w is None):
            raise DataError(
                "expected what clients compute on, either `accelerator` (they report FLOP) or "
                "`cpu_power_w` (they report CPU seconds); got "
                f"{'none' if self.accelerator is None else 'both'}. Give one of the two."
            )
        if self.accelerator is not None:
            accelerator(self.accelerator)
        if self.cpu_power_w is not None:
            _require_amount("cpu_power_w", self.cpu_power_w)
        names = [hop.node for hop in self.hops]
        taken = [name for name in names if name == SERVER or name.startswith(CLIENT)]
        if taken:
            raise DataError(
                f"expected hops with names of their own; got {', '.join(taken)}, as '{SERVER}' and "
                f"clients ('{CLIENT}0') are named in the ledger."
            )
        if len(set(names)) < len(names):
            raise DataError(f"expected hops with names of their own; got {', '.join(names)}.")

    @property
    def reported(self) -> tuple[str, ...]:
        """Metrics that a client's reply must have."""
        return (CPU_S,) if self.accelerator is None else BY_FLOP

    def client_work(self, metrics: Mapping[str, float]) -> Work | None:
        """What a client's computing took, from its metrics; None: it does not say, or nonsense."""
        if not all(0.0 <= metrics.get(name, math.nan) <= MOST for name in self.reported):
            return None
        if self.cpu_power_w is not None:
            busy_s = metrics[CPU_S]
            return Work(time_s=busy_s, energy_j=self.cpu_power_w * busy_s)
        assert self.accelerator is not None  # noqa: S101 - one of the two is there
        return work(
            accelerator(self.accelerator),
            flop=metrics["flop"],
            steps=round(metrics["steps"]),
            values=round(metrics["values"]),
            layers=round(metrics["layers"]),
        )


def costs_of(source: str | os.PathLike[str] | Scenario, service: str = "learning") -> Costs:
    """The clients' accelerator of a scenario's `learning`, and its link to the server.

    The radio of a scenario has no joules of a bit: they depend on how busy its cells are. Add a
    `Hop` of your own for it, or take the whole scenario (`tree6g run`).

    Raises:
        ScenarioError: It cannot be read, or nothing is learnt in it.
    """
    scenario = load(source)
    asked = scenario.learning
    if asked is None:
        raise ScenarioError(f"expected a scenario with `learning`; '{scenario.name}' has none.")
    hops = tuple(
        Hop(
            node=f"link to {link.to}",
            up_j_per_bit=link.energy_j_per_bit,
            down_j_per_bit=link.energy_j_per_bit,
            source=f"link of the scenario '{scenario.name}'",
        )
        for link in scenario.links
        if asked.at.startswith(f"{link.to}.")
    )
    return Costs(accelerator=asked.accelerator, hops=hops, service=service)


def _require_amount(name: str, value: float) -> None:
    if not 0.0 <= value < math.inf:
        raise DataError(f"expected {name} of at least 0; got {value!r}.")
