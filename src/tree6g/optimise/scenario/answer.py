"""`optimise allocate` from end to end: run a cell, decide, run the plan, say what came of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Final

from tree6g.engine.run import Progress, run
from tree6g.errors import ScenarioError
from tree6g.optimise.allocation.items import Objective
from tree6g.optimise.scenario.network_answer import NetworkAnswer, network_answer
from tree6g.optimise.scenario.plan import Plan, plan, planned
from tree6g.optimise.scenario.simulated import (
    Decided,
    error_frac,
    figures_of,
    promised,
    served_alike,
    value_of,
    written,
)
from tree6g.optimise.scenario.surrogate import (
    FULL_FRAC,
    Surrogate,
    is_one_cell,
    require_linear,
    surrogate,
)
from tree6g.optimise.servers.words import described, sentences
from tree6g.scenario.load import load
from tree6g.units import show

SMALL: Final = 1e-9


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer(Decided[Plan]):
    """What was decided, and what a simulation says of it.

    Attributes:
        start: The cell as it is.
    """

    start: Surrogate

    @property
    def unfitted_error_frac(self) -> float | None:
        """The same of the promise before servers were fitted."""
        return error_frac(self.chosen.promise_unfitted, self.simulated_value)

    def to_dict(self) -> dict[str, Any]:
        """The answer under the keys of `--json`."""
        solution = self.chosen.solution
        bound = self.chosen.upper_bound
        return {
            "objective": self.objective,
            "value": solution.value,
            "upper_bound": bound,
            "gap_frac": bound / solution.value - 1.0,
            "plan_value": self.chosen.promise,
            "simulated_value": self.simulated_value,
            "promise_error_frac": self.promise_error_frac,
            "unfitted_value": self.chosen.promise_unfitted,
            "unfitted_error_frac": self.unfitted_error_frac,
            "today_value": value_of(self.start.figure, self.objective),
            "scenario": str(self.file),
            "transmit_power_w": self.chosen.power_w,
            "downlink_load_frac": self.chosen.load_frac,
            "served_frac": self.chosen.share_frac,
            "prices": dataclasses.asdict(solution.prices),
            "same_service": self.same_service,
            "pools": [described(each, self.chosen.share_frac) for each in self.chosen.running],
            "objectives": [
                {
                    "objective": name,
                    **promised(other.tree_beq_per_j, other.ee_bit_per_j, self.figures.get(name)),
                    "transmit_power_w": other.power_w,
                    "served_frac": other.share_frac,
                }
                for name, other in self.others.items()
            ],
            "changes": list(changes(self)),
        }

    @property
    def same_service(self) -> bool | None:
        """Whether the simulated plan serves what the run served (METRIC rule 10)."""
        return served_alike(self.start.figure, self.simulated, self.chosen.share_frac)


def answer(
    scenario: str,
    *,
    objective: Objective = "tree",
    least_frac: float = 1.0,
    overrides: tuple[str, ...] = (),
    out: Path | None = None,
    simulated: bool = True,
    compare: bool = False,
    progress: Progress | None = None,
) -> Answer | NetworkAnswer:
    """Run a scenario as it is, decide, write the plan as a scenario, and run that.

    Args:
        scenario: Name in the library or a file.
        objective: `tree` or `ee`.
        least_frac: Share of today's rates that is owed to every service.
        overrides: Changes of the scenario before anything is decided.
        out: Folder for the scenario of the plan and both runs; default `tree6g-out/...`.
        simulated: Whether the plan is run.
        compare: Whether the plan for the other objective is run as well.
        progress: Is told how far the runs are.

    Raises:
        ScenarioError: A scenario that the model does not cover, or a share that is none.
        InfeasibleError: What is owed cannot be given.
    """
    if not 0.0 <= least_frac <= 1.0:
        raise ScenarioError(f"expected a least share from 0 to 1; got {least_frac:g}.")
    described = load(scenario, overrides)
    require_linear(described)
    folder = out or Path("tree6g-out") / f"{described.name}-allocate"
    wanted: tuple[Objective, ...] = (objective,) if simulated else ()
    if simulated and compare:
        wanted = (objective, "ee" if objective == "tree" else "tree")
    if not is_one_cell(described):
        return network_answer(
            described,
            objective=objective,
            least_frac=least_frac,
            folder=folder,
            wanted=wanted,
            progress=progress,
        )
    begun = surrogate(run(described, out=folder / "today", progress=progress))
    names: tuple[Objective, Objective] = ("tree", "ee")
    plans = {name: plan(begun, name, least_frac) for name in names}
    needed = dict.fromkeys((objective, *wanted))
    plain = {name: planned(begun, plans[name]) for name in needed}
    files = {name: written(each, folder) for name, each in plain.items()}
    return Answer(
        start=begun,
        chosen=plans[objective],
        others=plans,
        file=files[objective],
        figures=figures_of({name: plain[name] for name in wanted}, folder, progress),
    )


def changes(found: Answer) -> tuple[str, ...]:
    """What changes and why, a sentence each."""
    start, chosen = found.start, found.chosen
    said = [_power(start, chosen)]
    said += [_service(start, chosen, name) for name in chosen.share_frac]
    for running in chosen.running:
        said += sentences(running, chosen.share_frac)
    prices = chosen.solution.prices
    unit = "bit-eq/J" if found.objective == "tree" else "bit/J"
    value = chosen.solution.value
    for price, amount, what in (
        (prices.per_hz, 1e6, "A further MHz of carrier"),
        (prices.per_w, 1.0, "A further watt of radiated power"),
    ):
        if price * amount > SMALL * value:
            said.append(f"{what} would bring {price * amount:.3g} {unit}.")
        else:
            said.append(f"{what} would bring nothing: it is not scarce.")
    return tuple(said)


def _power(start: Surrogate, chosen: Plan) -> str:
    before, after = show(start.sending.power_w, "w"), show(chosen.power_w, "w")
    today_frac = start.sending.used_s / (start.sending.time_frac * start.seconds)
    limit = _limit(start, chosen)
    if abs(chosen.power_w / start.sending.power_w - 1.0) < 0.01:
        why = limit or "less would take more time than it saves"
        return f"Radiated power stays at {before}: {why}."
    load = (
        f"the downlink is full for {chosen.load_frac:.2%} of its time instead of {today_frac:.2%}"
    )
    why = limit or "there one joule more of sending time costs what the lower power saves"
    return f"Radiated power from {before} to {after}: {load}; {why}."


def _limit(start: Surrogate, chosen: Plan) -> str:
    """What forbids less power, empty where nothing does."""
    if chosen.power_w <= start.sending.cover_w * (1.0 + 1e-6):
        return "less would leave covered terminals without coverage"
    if chosen.load_frac < 0.98 * start.most_frac:
        return ""
    if start.most_frac > FULL_FRAC:
        return f"less would fill the downlink beyond today's {start.most_frac:.2%}"
    return "less would fill the downlink more than half, and queues build up"


def _service(start: Surrogate, chosen: Plan, name: str) -> str:
    share = chosen.share_frac[name]
    figure = next(s.figure for s in (*start.data, *start.ai) if s.figure.name == name)
    if share == 1.0:
        return f"{name}: served as today."
    if share > 0.0:
        return (
            f"{name}: served share {share:.2%} of today's. Terminals with weak links are refused: "
            "they cost more than they earn."
        )
    earns = figure.tree_marginal_beq_per_j
    if chosen.solution.objective == "tree" and earns is not None:
        return (
            f"{name}: refused. Its own joules earned {earns:.4g} bit-eq/J, without it the cell "
            f"earns {chosen.promise:.4g} bit-eq/J."
        )
    return f"{name}: refused. It brings fewer bits than its joules bring elsewhere."
