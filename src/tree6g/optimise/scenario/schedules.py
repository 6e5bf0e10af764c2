"""`optimise schedule` from end to end: all schedulers on one scenario, and what none exceeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tree6g.engine.policies.schedule import BUILT_IN
from tree6g.engine.run import Progress, RunResult, run
from tree6g.errors import ScenarioError
from tree6g.metric.compare import SERVED_SHARE_LIMIT
from tree6g.metric.figure import Figure
from tree6g.optimise.scenario.scheduled_work import clairvoyant, require
from tree6g.optimise.scheduling.fluid import Bound
from tree6g.scenario.load import dump, load
from tree6g.scenario.model import Scenario
from tree6g.scenario.scheduling import Scheduling
from tree6g.scenario.trace import Trace, read_trace

TODAY: Final = "as it is"
PARTS: Final = (
    "CASE WHEN tier = 'ran' THEN 'station' WHEN tier = 'device' THEN 'terminal' "
    "WHEN state = 'idle' THEN 'server idle' ELSE 'server active' END"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A scenario under one scheduler.

    Attributes:
        name: The scheduler.
        figure: Its figure.
        energy_j: Joules inside the boundary by part, cooling included.
        lost: Requests that were lost or cut off by the end of the run.
        requests: All requests.
    """

    name: str
    figure: Figure
    energy_j: Mapping[str, float]
    lost: int
    requests: int

    @property
    def served_frac(self) -> dict[str, float]:
        """Share of its worth that each service got on time."""
        shares = {s.name: s.served_share_frac for s in self.figure.services}
        return {name: share for name, share in shares.items() if share is not None}

    @property
    def tree_beq_per_j(self) -> float:
        """Its TREE; 0 if it earned nothing."""
        return float(self.figure.tree_beq_per_j or 0.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """All schedulers side by side.

    Attributes:
        scenario: The scenario.
        runs: One for each scheduler, the scenario as it is first.
        bound: What no schedule exceeds.
        file: A scenario with the best of them.
    """

    scenario: Scenario
    runs: tuple[Scheduled, ...]
    bound: Bound
    file: Path

    @property
    def today(self) -> Scheduled:
        """The scenario as it is."""
        return self.runs[0]

    def serves_as_today(self, other: Scheduled) -> bool:
        """Whether no service gets less than today (METRIC rule 10)."""
        return all(
            other.served_frac.get(name, 0.0) >= share - SERVED_SHARE_LIMIT
            for name, share in self.today.served_frac.items()
        )

    @property
    def best(self) -> Scheduled:
        """The greatest TREE of those that serve as today."""
        return max(filter(self.serves_as_today, self.runs), key=lambda one: one.tree_beq_per_j)

    def below_bound_frac(self, one: Scheduled) -> float:
        """How far its TREE is below the bound."""
        return 1.0 - one.tree_beq_per_j / self.bound.tree_beq_per_j

    def to_dict(self) -> dict[str, Any]:
        """The answer under the keys of `--json`."""
        return {
            "upper_bound": self.bound.tree_beq_per_j,
            "best": self.best.name,
            "scenario": str(self.file),
            "schedulers": [
                {
                    "scheduler": one.name,
                    "tree_beq_per_j": one.tree_beq_per_j,
                    "ee_bit_per_j": one.figure.ee_bit_per_j,
                    "served_frac": one.served_frac,
                    "energy_j": one.figure.energy_j,
                    "parts_j": dict(one.energy_j),
                    "gap_frac": self.below_bound_frac(one),
                    "same_service": self.serves_as_today(one),
                    "requests": one.requests,
                    "lost": one.lost,
                }
                for one in self.runs
            ],
            "changes": list(changes(self)),
        }


def answer(
    scenario: str,
    *,
    overrides: tuple[str, ...] = (),
    trace: str | Path | Mapping[str, str | Path] | None = None,
    out: Path | None = None,
    rules: tuple[str, ...] = BUILT_IN,
    progress: Progress | None = None,
) -> Answer:
    """Run a scenario as it is and under each scheduler, and work out the bound.

    Args:
        scenario: Name in the library or a file; of one cell and one server.
        overrides: Changes of the scenario.
        trace: Requests in place of drawn ones, as of `run`.
        out: Folder for all runs and the scenario of the best; default `tree6g-out/...`.
        rules: Schedulers, by name or file.
        progress: Is told how far the runs are.

    Raises:
        ScenarioError: Not such a scenario, or one that earns nothing.
    """
    described = load(scenario, overrides)
    require(described)  # before runs that take minutes
    folder = out or Path("tree6g-out") / f"{described.name}-schedule"
    said = described.scheduling or Scheduling()
    runs = []
    for name in (TODAY, *rules):
        changed = described
        if name != TODAY:
            scheduling = {**said.model_dump(mode="json"), "rule": name, "rule_sha256": None}
            changed = load({**dump(described), "scheduling": scheduling})
        result = run(
            changed, out=folder / Path(name.replace(" ", "-")).name, trace=trace, progress=progress
        )
        runs.append(_scheduled(name, result))
    if not runs[0].tree_beq_per_j:
        raise ScenarioError(
            f"expected a scenario that earns something; '{described.name}' earned nothing."
        )
    found = clairvoyant(described, _traces(trace), float(runs[0].figure.covered_s))
    file = folder / f"{described.name}-scheduled.yaml"
    both = Answer(scenario=described, runs=tuple(runs), bound=found, file=file)
    file.write_text(yaml.safe_dump(_best(both, said), sort_keys=False), encoding="utf-8")
    return both


def _traces(
    trace: str | Path | Mapping[str, str | Path] | None,
) -> dict[str | None, Trace]:
    if trace is None:
        return {}
    if isinstance(trace, Mapping):
        return {name: read_trace(path) for name, path in trace.items()}
    return {None: read_trace(trace)}


def _scheduled(name: str, result: RunResult) -> Scheduled:
    figure = result.tree()
    tiers = "'ran'" if figure.boundary == "ran" else "'ran', 'edge', 'cloud', 'transport', 'core'"
    tiers += ", 'device'" if figure.boundary == "full" else ""
    rows = result.ledger.query(
        f"SELECT {PARTS} AS part, sum(energy_j) AS s FROM energy WHERE tier IN ({tiers}) "
        "GROUP BY ALL ORDER BY part"
    ).to_pylist()
    return Scheduled(
        name=name,
        figure=figure,
        energy_j={row["part"]: float(row["s"]) for row in rows},
        lost=result.requests.lost,
        requests=result.requests.arrived,
    )


def _best(found: Answer, said: Scheduling) -> dict[str, Any]:
    """The scenario with the best scheduler as plain data."""
    plain = dump(found.scenario)
    if found.best.name != TODAY:
        scheduling = {**said.model_dump(mode="json"), "rule": found.best.name}
        plain["scheduling"] = scheduling | {"rule_sha256": None}
    return {**plain, "name": f"{found.scenario.name}-scheduled"}


def changes(found: Answer) -> tuple[str, ...]:
    """What the best does and why, a sentence each."""
    today, best = found.today, found.best
    said = []
    if best.name == TODAY:
        said.append("The scenario stays as it is: no scheduler does better at the same service.")
    else:
        more = best.tree_beq_per_j / today.tree_beq_per_j - 1.0
        said.append(f"{best.name}: {more:+.2%} TREE against the scenario as it is.")
        said += [_part(part, today, best) for part in sorted(today.energy_j) if _moves(part, found)]
    said.append(
        f"No schedule whatever is more than {1.0 / (1.0 - found.below_bound_frac(best)) - 1.0:.2%} "
        "above it: the bound knows all that comes, and leaves out queues and wake-ups."
    )
    for one in found.runs:
        if not found.serves_as_today(one):
            said.append(_worse(found, one))
    return tuple(said)


def _moves(part: str, found: Answer) -> bool:
    """Whether a part of the joules changes by more than a thousandth of all."""
    change_j = found.best.energy_j.get(part, 0.0) - found.today.energy_j[part]
    return abs(change_j) > 1e-3 * found.today.figure.energy_j


def _part(part: str, today: Scheduled, best: Scheduled) -> str:
    before_j, after_j = today.energy_j[part], best.energy_j.get(part, 0.0)
    why = {
        "server active": "more answers share each iteration, which reads the weights once for all",
        "station": "messages that can wait share the cell's wake-ups",
    }.get(part, "it follows from the rest")
    return f"{part}: {before_j:.4g} J become {after_j:.4g} J; {why}."


def _worse(found: Answer, one: Scheduled) -> str:
    shares = ", ".join(
        f"{name} {share:.2%}"
        for name, share in one.served_frac.items()
        if share < found.today.served_frac.get(name, 0.0) - SERVED_SHARE_LIMIT
    )
    told = f"{one.name} is not the same service ({shares} on time) and is not ranked."
    if one.lost > found.today.lost:
        told += (
            f" {one.lost - found.today.lost} more requests were lost or cut off at the end of the "
            "run: paced answers take as long as their budgets allow, so give it a longer 'drain'."
        )
    return told
