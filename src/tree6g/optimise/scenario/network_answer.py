"""`optimise allocate` of many cells: run them, decide, run the plan, say what came of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.engine.run import Progress, run
from tree6g.optimise.allocation.items import Objective
from tree6g.optimise.scenario.network import Air, Network, network, require_still
from tree6g.optimise.scenario.network_plan import NetworkPlan, network_plan, network_planned
from tree6g.optimise.scenario.simulated import (
    Decided,
    error_frac,
    figures_of,
    promised,
    served_alike,
    value_of,
    written,
)
from tree6g.scenario.model import Scenario
from tree6g.units import show

SAID: Final = 5  # cells with the greatest changes of power that are told one by one


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAnswer(Decided[NetworkPlan]):
    """What was decided for many cells, and what a simulation says of it.

    Attributes:
        start: The network as it is.
    """

    start: Network

    @property
    def unrefined_error_frac(self) -> float | None:
        """The same of the promise at the interference of the run."""
        return error_frac(self.chosen.promise_unrefined, self.simulated_value)

    @property
    def same_service(self) -> bool | None:
        """Whether the simulated plan serves what the run served (METRIC rule 10)."""
        return served_alike(self.start.figure, self.simulated, self.chosen.share_frac)

    def to_dict(self) -> dict[str, Any]:
        """The answer under the keys of `--json`."""
        solution = self.chosen.solution
        return {
            "objective": self.objective,
            "value": solution.value,
            "upper_bound": solution.upper_bound,
            "gap_frac": solution.gap_frac,
            "plan_value": self.chosen.promise,
            "simulated_value": self.simulated_value,
            "promise_error_frac": self.promise_error_frac,
            "unrefined_value": self.chosen.promise_unrefined,
            "unrefined_error_frac": self.unrefined_error_frac,
            "today_value": value_of(self.start.figure, self.objective),
            "scenario": str(self.file),
            "transmit_power_w": float(self.chosen.air.power_w.sum()),
            "downlink_load_frac": float(self.chosen.air.load_frac.mean()),
            "served_frac": self.chosen.share_frac,
            "same_service": self.same_service,
            "cells": [self._cell(number) for number in range(len(solution.cells))],
            "objectives": [
                {
                    "objective": name,
                    **promised(other.tree_beq_per_j, other.ee_bit_per_j, self.figures.get(name)),
                    "transmit_power_w": float(other.air.power_w.sum()),
                    "served_frac": other.share_frac,
                }
                for name, other in self.others.items()
            ],
            "changes": list(network_changes(self)),
        }

    def _cell(self, number: int) -> dict[str, Any]:
        start, air = self.start, self.chosen.air
        return {
            "cell": start.world.cells[number].node,
            "today_transmit_power_w": float(start.today.power_w[number]),
            "transmit_power_w": float(air.power_w[number]),
            "today_downlink_load_frac": float(start.today.load_frac[number]),
            "downlink_load_frac": float(air.load_frac[number]),
            "prices": dataclasses.asdict(self.chosen.solution.cells[number].prices),
        }


def network_answer(
    described: Scenario,
    *,
    objective: Objective,
    least_frac: float,
    folder: Path,
    wanted: tuple[Objective, ...],
    progress: Progress | None,
) -> NetworkAnswer:
    """Run a scenario of many cells as it is, decide, write the plan as a scenario, and run that.

    Args:
        described: The scenario.
        objective: `tree` or `ee`.
        least_frac: Share of today's rates that is owed to every service.
        folder: For the scenario of the plan and the runs.
        wanted: Plans that are run.
        progress: Is told how far the runs are.

    Raises:
        ScenarioError: What the model does not see.
        InfeasibleError: What is owed cannot be given.
    """
    require_still(described)
    begun = network(run(described, out=folder / "today", progress=progress))
    names: tuple[Objective, Objective] = ("tree", "ee")
    plans = {name: network_plan(begun, name, least_frac) for name in names}
    needed = dict.fromkeys((objective, *wanted))
    plain = {name: network_planned(begun, plans[name]) for name in needed}
    files = {name: written(each, folder) for name, each in plain.items()}
    return NetworkAnswer(
        start=begun,
        chosen=plans[objective],
        others=plans,
        file=files[objective],
        figures=figures_of({name: plain[name] for name in wanted}, folder, progress),
    )


def network_changes(found: NetworkAnswer) -> tuple[str, ...]:
    """What changes and why, a sentence each."""
    start, air = found.start, found.chosen.air
    change = air.power_w / start.today.power_w
    said = [_all_powers(start, air)]
    largest = np.argsort(-np.abs(np.log(change)))[:SAID].tolist()
    said += [_power(start, found.chosen, n) for n in largest if abs(change[n] - 1.0) >= 0.01]
    moved = sum(
        int(np.count_nonzero(a != b)) for a, b in zip(start.today.serving, air.serving, strict=True)
    )
    if moved:
        said.append(f"{moved} times a terminal's service comes from another cell than today.")
    said += [_served(name, share) for name, share in found.chosen.share_frac.items()]
    return tuple(said)


def _all_powers(start: Network, air: Air) -> str:
    before, after = float(start.today.power_w.sum()), float(air.power_w.sum())
    return (
        f"Radiated power of all cells from {show(before, 'w')} to {show(after, 'w')}; the mean "
        f"downlink is full for {air.load_frac.mean():.2%} of its time instead of "
        f"{start.today.load_frac.mean():.2%}."
    )


def _power(start: Network, chosen: NetworkPlan, number: int) -> str:
    """What a cell does, and what keeps it from less power."""
    before, after = float(start.today.power_w[number]), float(chosen.air.power_w[number])
    load = chosen.air.load_frac[number]
    why = "less would take coverage, weaken uplinks, or take more time than it saves"
    if after >= 0.999 * start.sending[number].most_w:
        why = "more is not to be had"
    elif load >= 0.98 * start.most_frac[number]:
        why = "less would fill the downlink more than half, and queues build up"
    return (
        f"{start.world.cells[number].node}: from {show(before, 'w')} to {show(after, 'w')}, the "
        f"downlink full for {load:.2%} of its time instead of "
        f"{start.today.load_frac[number]:.2%}; {why}."
    )


def _served(name: str, share: float) -> str:
    if share == 1.0:
        return f"{name}: served as today."
    if share == 0.0:
        return f"{name}: refused. Its joules bring more elsewhere."
    return (
        f"{name}: served share {share:.2%} of today's. Terminals with weak links are refused: they "
        "cost more than they earn."
    )
