"""`tree6g optimise place`: which model answers whom, where, and cut at which layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json, progress
from tree6g.cli.optimise import Aim, Name, NoRun, Out
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.optimise.placement.solve import Objective
    from tree6g.optimise.placing.answer import Answer
    from tree6g.optimise.placing.setups import Variant

Gap = Annotated[str, typer.Option("--gap", help="Gap at which the search may end.")]
Models = Annotated[
    list[str] | None,
    typer.Option(
        "--variant",
        metavar="MODEL:FORMAT",
        help="A further model that servers may run, such as qwen2.5-3b:int8; repeatable. The "
        "scenario states its `quality` for the services that may have it.",
    ),
]


def place(
    scenario: Name,
    *,
    objective: Aim = "tree",
    gap: Gap = "1 %",
    variant: Models = None,
    overrides: options.Overrides = None,
    out: Out = None,
    no_run: NoRun = False,
    as_json: options.Json = False,
) -> None:
    """Place the AI services of a network: model, server, terminal or both, with the greatest TREE.

    The scenario is run as it is; for each group of users all models, servers and cuts that keep
    the budgets are weighed; the placement that is found comes with an upper bound on all others,
    is written as a scenario with a policy that follows it, and that is run as well.
    Needs HiGHS: pip install 'tree6g[optimise]'.

    Example: tree6g optimise place three-tiers --set "duration=10 min"
    """
    from tree6g.optimise.placing.answer import answer
    from tree6g.units import parse

    if objective not in ("tree", "ee"):
        raise ScenarioError(f"expected --objective tree or ee; got {objective!r}.")
    try:
        gap_frac = parse(gap, "frac")
    except ValueError as error:
        raise ScenarioError(f"--gap: {error}") from error
    watch = results.Stopwatch()
    found = answer(
        scenario,
        objective=cast("Objective", objective),
        gap_frac=gap_frac,
        overrides=tuple(overrides or ()),
        named=[_variant(text) for text in variant or ()],
        out=out,
        simulated=not no_run,
        progress=progress(),
    )
    if as_json:
        print_json({**found.to_dict(), "run_info": watch.info()})
        return
    _print(found)


def _variant(text: str) -> Variant:
    from tree6g.optimise.placing.setups import Variant

    model, colon, weights = text.partition(":")
    if not (model and colon and weights):
        raise ScenarioError(
            f"expected --variant MODEL:FORMAT, such as qwen2.5-3b:int8; got {text!r}."
        )
    return Variant(model=model, weights=weights)


def _print(found: Answer) -> None:
    from tree6g.optimise.placing.answer import ASSUMED, changes, servers
    from tree6g.optimise.scenario.simulated import value_of

    chosen = found.chosen
    unit = "bit-eq/J" if found.objective == "tree" else "bit/J"
    typer.echo(f"{found.start.scenario.name}: {found.objective.upper()} of placements, in {unit}\n")
    rows = [
        ("today, simulated", f"{value_of(found.start.figure, found.objective):.6g}"),
        ("plan, promised", f"{chosen.value:.6g}"),
        *([] if found.simulated is None else [("plan, simulated", f"{found.simulated_value:.6g}")]),
        ("no placement has more than", f"{chosen.upper_bound:.6g}"),
        ("gap", f"{chosen.gap_frac:.2%}"),
    ]
    if found.promise_error_frac is not None:
        rows.append(("promise over simulation, less 1", f"{found.promise_error_frac:.2%}"))
    for name, value in rows:
        typer.echo(f"{name:<34}{value:>12}")
    typer.echo(f"\n{ASSUMED}")
    typer.echo("\nWhat changes and why")
    for line in changes(found):
        typer.echo(f"- {line}")
    if found.same_service is False:
        typer.echo("- Less is served on time than today: the two figures are no ranking.")
    typer.echo("\nBoth objectives side by side, as promised")
    for name, plan in found.others.items():
        on = [
            f"{row['server']} ({row['model']} {row['weights']})"
            for row in servers(plan)
            if row["model"] is not None
        ]
        typer.echo(
            f"- {name.upper()} optimum: TREE {plan.tree_beq_per_j:.6g} bit-eq/J, EE "
            f"{plan.ee_bit_per_j:.6g} bit/J; on: {', '.join(on)}"
        )
    typer.echo(f"\nScenario of the plan: {found.file}")
