"""Plans as files, and what simulations say of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import yaml

from tree6g.engine.run import Progress, run
from tree6g.metric.compare import SERVED_SHARE_LIMIT
from tree6g.metric.figure import Figure
from tree6g.optimise.allocation.items import Objective
from tree6g.scenario.load import load


class Solved(Protocol):
    """A solution that knows what was maximised."""

    @property
    def objective(self) -> Objective:
        """`tree` or `ee`."""
        ...


class Promising(Protocol):
    """A plan: what proves it, and what it promises."""

    @property
    def solution(self) -> Solved:
        """The best allocation."""
        ...

    @property
    def promise(self) -> float:
        """The figure of the objective that the plan promises."""
        ...


PlanT = TypeVar("PlanT", bound=Promising)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decided(Generic[PlanT]):
    """Plans that were chosen, and what simulations say of them.

    Attributes:
        chosen: The plan for the objective.
        others: The plans for both objectives.
        file: The scenario of the plan.
        figures: What simulations say of plans, by objective; empty: none was run.
    """

    chosen: PlanT
    others: dict[Objective, PlanT]
    file: Path
    figures: Mapping[Objective, Figure]

    @property
    def objective(self) -> Objective:
        """What was maximised."""
        return self.chosen.solution.objective

    @property
    def simulated(self) -> Figure | None:
        """The figure of the chosen plan; None: it was not run."""
        return self.figures.get(self.objective)

    @property
    def simulated_value(self) -> float | None:
        """What the simulation says of the objective."""
        return None if self.simulated is None else value_of(self.simulated, self.objective)

    @property
    def promise_error_frac(self) -> float | None:
        """Promise over simulation, less 1."""
        return error_frac(self.chosen.promise, self.simulated_value)


def written(plain: Mapping[str, Any], folder: Path) -> Path:
    """The scenario of a plan in a file of its name."""
    file = folder / f"{plain['name']}.yaml"
    file.write_text(yaml.safe_dump(dict(plain), sort_keys=False), encoding="utf-8")
    return file


def figures_of(
    plans: Mapping[Objective, dict[str, Any]], folder: Path, progress: Progress | None
) -> dict[Objective, Figure]:
    """The figure of each plan; plans that differ by their names alone are run once."""
    found: dict[Objective, Figure] = {}
    for number, (name, plain) in enumerate(plans.items()):
        same = [other for other in found if {**plans[other], "name": ""} == {**plain, "name": ""}]
        if same:
            found[name] = found[same[0]]
            continue
        place = folder / ("plan" if number == 0 else f"plan-{name}")
        found[name] = run(load(plain), out=place, progress=progress).tree()
    return found


def value_of(figure: Figure, objective: Objective) -> float:
    """TREE or EE of a figure; 0 where it has none."""
    return float((figure.tree_beq_per_j if objective == "tree" else figure.ee_bit_per_j) or 0.0)


def error_frac(promised: float, simulated: float | None) -> float | None:
    """Promise over simulation, less 1."""
    return promised / simulated - 1.0 if simulated else None


def served_alike(
    today: Figure, simulated: Figure | None, share_frac: Mapping[str, float]
) -> bool | None:
    """Whether a plan serves what the run served (METRIC rule 10); None: it was not simulated."""
    if simulated is None:
        return None
    now = {s.name: s.served_share_frac for s in simulated.services}
    whole = all(share >= 1.0 - SERVED_SHARE_LIMIT for share in share_frac.values())
    return whole and all(
        s.served_share_frac is None
        or abs((now.get(s.name) or 0.0) - s.served_share_frac) <= SERVED_SHARE_LIMIT
        for s in today.services
    )


def promised(
    tree_beq_per_j: float, ee_bit_per_j: float, simulated: Figure | None
) -> dict[str, float | None]:
    """TREE and EE of a plan under the keys of `--json`, promised and simulated."""
    return {
        "tree_beq_per_j": tree_beq_per_j,
        "ee_bit_per_j": ee_bit_per_j,
        "simulated_tree_beq_per_j": None if simulated is None else value_of(simulated, "tree"),
        "simulated_ee_bit_per_j": None if simulated is None else value_of(simulated, "ee"),
    }
