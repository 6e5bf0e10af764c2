"""From a scenario to slots: what all environments begin with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tree6g.errors import ScenarioError
from tree6g.optimise.environment.agents import round_robin
from tree6g.optimise.environment.describe import describe
from tree6g.optimise.environment.figures import figures
from tree6g.optimise.environment.network import Network
from tree6g.optimise.environment.observation import Observer
from tree6g.optimise.environment.slots import Settings, Slots
from tree6g.scenario.load import load
from tree6g.scenario.model import Scenario

Source = str | Path | Mapping[str, Any] | Scenario | Network


def network_of(scenario: Source, overrides: Sequence[str] = ()) -> Network:
    """The network of a scenario: a name in the library, a file, plain data or a loaded one."""
    if isinstance(scenario, Network):
        if overrides:
            raise ScenarioError("expected overrides with a scenario; a network has none.")
        return scenario
    return describe(load(scenario, overrides))


def price_or_default(network: Network, settings: Settings, price_beq_per_j: float | None) -> float:
    """The price as given, else the TREE of round robin over an episode of seed 0.

    At that price an agent's rewards sum to more than 0 where it beats round robin.
    """
    if price_beq_per_j is None:
        return reference_price(network, settings)
    if not (math.isfinite(price_beq_per_j) and price_beq_per_j >= 0.0):
        raise ScenarioError(
            f"expected a price of 0 bit-eq/J or more; got {price_beq_per_j}. It is the TREE that "
            "an agent has to beat."
        )
    return price_beq_per_j


def reference_price(network: Network, settings: Settings, seed: int = 0) -> float:
    """TREE of one episode of round robin."""
    slots = Slots(network, settings, 1, 0.0)
    slots.reset(np.arange(1), [np.random.default_rng(seed)])
    observer = Observer(slots)
    for _ in range(settings.steps):
        action = round_robin(observer.observe())
        slots.step(np.asarray(action["share"], dtype=np.float64), action["mode"])
    return float(figures(slots)["tree_beq_per_j"][0])
