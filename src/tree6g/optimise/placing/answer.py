"""`optimise place` from end to end: run a network, decide, run the plan, say what came of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tree6g.engine.run import Progress, RunResult, run
from tree6g.metric.compare import SERVED_SHARE_LIMIT
from tree6g.metric.figure import Figure
from tree6g.optimise.placement.solve import Objective
from tree6g.optimise.placing.begin import Start, begin, require_choice
from tree6g.optimise.placing.decide import Plan, decide
from tree6g.optimise.placing.plan import write
from tree6g.optimise.placing.setups import Variant
from tree6g.optimise.scenario.simulated import value_of
from tree6g.scenario.load import load
from tree6g.scenario.variants import quality_of
from tree6g.units import show

SMALL: Final = 1e-9
ASSUMED: Final = (
    "The bound assumes that a request costs a server no more joules under more load: for mixed "
    "work that was tried on small networks, not proved."
)
TOLD: Final = 4  # groups that a sentence names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was decided, and what a simulation says of it.

    Attributes:
        start: The network as it is.
        chosen: The plan for the objective.
        others: The plans for both objectives.
        file: The scenario of the plan.
        simulated: Its figure; None: it was not run.
    """

    start: Start
    chosen: Plan
    others: dict[Objective, Plan]
    file: Path
    simulated: Figure | None

    @property
    def objective(self) -> Objective:
        """What was maximised."""
        return self.chosen.objective

    @property
    def simulated_value(self) -> float | None:
        """What the simulation says of the objective."""
        return None if self.simulated is None else value_of(self.simulated, self.objective)

    @property
    def promise_error_frac(self) -> float | None:
        """Promise over simulation, less 1."""
        simulated = self.simulated_value
        return self.chosen.value / simulated - 1.0 if simulated else None

    @property
    def same_service(self) -> bool | None:
        """Whether the simulated plan serves what the run served, or more (METRIC rule 10)."""
        if self.simulated is None:
            return None
        now = {s.name: s.served_share_frac for s in self.simulated.services}
        return all(
            s.served_share_frac is None
            or (now.get(s.name) or 0.0) >= s.served_share_frac - SERVED_SHARE_LIMIT
            for s in self.start.figure.services
        )

    def to_dict(self) -> dict[str, Any]:
        """The answer under the keys of `--json`."""
        chosen = self.chosen
        return {
            "objective": self.objective,
            "value": chosen.value,
            "upper_bound": chosen.upper_bound,
            "gap_frac": chosen.gap_frac,
            "bound_by": chosen.bound.bound_by,
            "bound_assumes": ASSUMED,
            "plan_value": chosen.value,
            "simulated_value": self.simulated_value,
            "promise_error_frac": self.promise_error_frac,
            "today_value": value_of(self.start.figure, self.objective),
            "scenario": str(self.file),
            "servers": servers(chosen),
            "groups": rows(chosen),
            "prices": {p["server"]: p["per_server"] for p in prices(chosen)},
            "same_service": self.same_service,
            "objectives": [
                {
                    "objective": name,
                    "tree_beq_per_j": other.tree_beq_per_j,
                    "ee_bit_per_j": other.ee_bit_per_j,
                    "servers": servers(other),
                }
                for name, other in self.others.items()
            ],
            "changes": list(changes(self)),
        }


def answer(
    scenario: str,
    *,
    objective: Objective = "tree",
    gap_frac: float = 0.01,
    overrides: tuple[str, ...] = (),
    named: Sequence[Variant] = (),
    out: Path | None = None,
    simulated: bool = True,
    progress: Progress | None = None,
) -> Answer:
    """Run a scenario as it is, place its services, write the plan as a scenario, and run that.

    Args:
        scenario: Name in the library or a file.
        objective: `tree` or `ee`.
        gap_frac: As `decide`.
        overrides: Changes of the scenario before anything is decided.
        named: Models that servers may run besides those of the scenario.
        out: Folder for the scenario of the plan and both runs; default `tree6g-out/...`.
        simulated: Whether the plan is run.
        progress: Is told how far the runs are.

    Raises:
        ScenarioError: Nothing to place, or HiGHS is not installed.
        InfeasibleError: Somebody cannot be served.
    """
    from tree6g.optimise.placement.master import library

    library()
    described = load(scenario, overrides)
    require_choice(described)
    folder = out or Path("tree6g-out") / f"{described.name}-place"
    start = begin(run(described, out=folder / "today", progress=progress), named)
    names: tuple[Objective, Objective] = ("tree", "ee")
    plans = {name: decide(start, name, gap_frac) for name in names}
    chosen = plans[objective]
    file = write(chosen, folder)
    after: RunResult | None = None
    if simulated:
        after = run(file, out=folder / "plan", progress=progress)
    return Answer(
        start=start,
        chosen=chosen,
        others=plans,
        file=file,
        simulated=None if after is None else after.tree(),
    )


def servers(plan: Plan) -> list[dict[str, Any]]:
    """What every server of the scenario runs: None where it is off."""
    on = {setup.node: setup for setup in plan.on}
    number = {s.node: n for n, s in enumerate(plan.start.options.setups) if s in plan.on}
    found = []
    for host in plan.start.world.hosts:
        if host.spec is None:
            continue
        setup = on.get(host.node)
        found.append(
            {
                "server": host.node,
                "model": None if setup is None else setup.variant.model,
                "weights": None if setup is None else setup.variant.weights,
                "use_frac": None if setup is None else plan.total.use_frac[number[host.node]],
                "today_model": host.spec.model,
                "today_weights": host.spec.weights,
            }
        )
    return found


def rows(plan: Plan) -> list[dict[str, Any]]:
    """Who answers each group of users."""
    some = plan.start.options
    return [
        {
            "service": some.groups[way.group].name,
            "site": plan.start.sites[some.groups[way.group].site],
            "capable": some.groups[way.group].capable,
            "long_prompts": some.groups[way.group].long,
            "rate_rps": some.groups[way.group].mean_rps,
            "first": None if way.first is None else way.first.tier,
            "first_frac": 0.0 if way.first is None else float(way.first.taken.mean()),
            "cut_layer": None if way.first is None else way.first.cut,
            "servers": [some.setups[s].node for s in way.setups],
            "model": some.setups[way.setups[0]].model,
        }
        for way in plan.ways
    ]


def prices(plan: Plan) -> list[dict[str, Any]]:
    """What one more server like it would bring where a place is full, in the figure's unit."""
    some, each = plan.start.options, plan.bound.prices.per_accelerator
    on = {number for way in plan.ways for number in way.setups}
    return [
        {"server": some.setups[number].node, "per_server": float(each[number])}
        for number in sorted(on)
    ]


def changes(found: Answer) -> tuple[str, ...]:
    """What changes and why, a sentence each."""
    plan = found.chosen
    said = [_server(plan, row) for row in servers(plan)]
    said += _who(plan)
    unit = "bit-eq/J" if found.objective == "tree" else "bit/J"
    for row in prices(plan):
        if row["per_server"] > SMALL * plan.value:
            said.append(
                f"{row['server']}: it is scarce; at the margin a further server like it is worth "
                f"{row['per_server']:.3g} {unit}."
            )
        else:
            said.append(f"{row['server']}: a further one would bring nothing: it is not full.")
    return tuple(said)


def _server(plan: Plan, row: dict[str, Any]) -> str:
    setups = plan.start.options.setups
    idle_w = next(s.idle_w for s in setups if s.node == row["server"])
    before = f"{row['today_model']} {row['today_weights']}"
    if row["model"] is None:
        if not idle_w:
            return f"{row['server']}: off. Its power is not inside the boundary."
        return (
            f"{row['server']}: off, which saves {show(idle_w, 'w')} that it draws when it waits; "
            "others have room for its work."
        )
    now = f"{row['model']} {row['weights']}"
    use = f"at its peak it is {row['use_frac']:.0%} full"
    if now == before:
        return f"{row['server']}: {now} as today; {use}."
    return f"{row['server']}: {now} instead of {before}; {use}."


def _who(plan: Plan) -> list[str]:
    """Who answers whom; groups with the same answer in one sentence."""
    found: dict[str, list[str]] = {}
    for way, row in zip(plan.ways, rows(plan), strict=True):
        group = plan.start.options.groups[way.group]
        found.setdefault(_answered(plan, way.group, row), []).append(group.told(plan.start.sites))
    told = []
    for answer_, names in found.items():
        more = f"; and {len(names) - TOLD} groups more" if len(names) > TOLD else ""
        told.append(f"{'; '.join(names[:TOLD])}{more}: {answer_}.")
    return told


def _answered(plan: Plan, number: int, row: dict[str, Any]) -> str:
    """Servers, model and what stays on terminals."""
    spec = plan.start.options.groups[number].service.spec
    quality = quality_of(spec.quality, row["model"])
    told = f"{' and '.join(row['servers'])}, {row['model']}"
    told += f" of quality {quality:g}" if quality != 1.0 else ""
    if row["first"] == "device":
        told += f"; {row['first_frac']:.0%} of it stays on the terminals"
    elif row["first"] == "split":
        told += (
            f"; {row['first_frac']:.0%} of it shared with the terminals, cut after layer "
            f"{row['cut_layer']}"
        )
    return told
