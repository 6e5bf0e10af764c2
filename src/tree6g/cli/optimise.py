"""`tree6g optimise`: what a network should do, what proves it, and what a simulation says of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json, progress
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.optimise.allocation.items import Objective
    from tree6g.optimise.scenario.answer import Answer
    from tree6g.optimise.scenario.network_answer import NetworkAnswer

Name = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="Name from `tree6g list scenarios`, or a .yaml or .toml file."
    ),
]
Aim = Annotated[str, typer.Option("--objective", help="What to maximise: tree or ee.")]
Least = Annotated[
    str,
    typer.Option("--least-share", help="Share of today's rates that is owed to every service."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of the plan and both runs; default: tree6g-out/..."),
]
NoRun = Annotated[bool, typer.Option("--no-run", help="Do not simulate the plan.")]
Figures = Annotated[bool, typer.Option("--figures", help="Draw the power of servers over load.")]
Compare = Annotated[
    bool, typer.Option("--compare", help="Simulate the plan for the other objective as well.")
]


def allocate(
    scenario: Name,
    *,
    objective: Aim = "tree",
    least_share: Least = "100 %",
    overrides: options.Overrides = None,
    out: Out = None,
    no_run: NoRun = False,
    figures: Figures = False,
    compare: Compare = False,
    as_json: options.Json = False,
) -> None:
    """Find the powers, served shares and server settings with the greatest TREE or EE.

    The scenario is run as it is; the best allocation for what was measured there is found with an
    upper bound that proves it; a plan that one radiated power per cell can carry out is written as
    a scenario; and that is run as well. Servers whose services are all refused are switched off.

    Of one cell, the number of servers that is on, accelerators, clock and batch are chosen too,
    from simulations of them at several loads; none may be later with its tokens than today. Of many
    cells, servers stay as they are; interference is that of the run, and then that of the plan.

    Example: tree6g optimise allocate hybrid-cell --set "duration=10 min"
    """
    from tree6g.optimise.scenario.answer import Answer, answer
    from tree6g.units import parse

    if objective not in ("tree", "ee"):
        raise ScenarioError(f"expected --objective tree or ee; got {objective!r}.")
    try:
        least_frac = parse(least_share, "frac")
    except ValueError as error:
        raise ScenarioError(f"--least-share: {error}") from error
    watch = results.Stopwatch()
    found = answer(
        scenario,
        objective=cast("Objective", objective),
        least_frac=least_frac,
        overrides=tuple(overrides or ()),
        out=out,
        simulated=not no_run,
        compare=compare,
        progress=progress(),
    )
    drawn = None
    if figures and isinstance(found, Answer) and found.chosen.running:
        drawn = _drawn(found)
    if as_json:
        print_json({**found.to_dict(), "run_info": watch.info()})
        return
    _print(found)
    if drawn is not None:
        typer.echo(f"Figures: {drawn}")


def _drawn(found: Answer) -> Path:
    """Draw the servers; the folder of the figure."""
    from tree6g.optimise.servers.plot import plot
    from tree6g.report.figures.validation import drawings
    from tree6g.report.write import write_figures
    from tree6g.version import __version__

    stamp = f"tree6g {__version__}, optimise allocate {found.start.scenario.name}"
    return write_figures(found.file.parent, drawings([plot(found.chosen.running)], stamp=stamp))


def _print(found: Answer | NetworkAnswer) -> None:
    from tree6g.optimise.scenario.answer import Answer, changes
    from tree6g.optimise.scenario.network_answer import network_changes

    unit = "bit-eq/J" if found.objective == "tree" else "bit/J"
    count = 1 if isinstance(found, Answer) else len(found.start.world.cells)
    cells = "one cell" if count == 1 else f"{count} cells"
    typer.echo(f"{found.start.scenario.name}: {found.objective.upper()} of {cells}, in {unit}\n")
    _print_values(found)
    typer.echo("\nWhat changes and why")
    for line in changes(found) if isinstance(found, Answer) else network_changes(found):
        typer.echo(f"- {line}")
    if found.same_service is False:
        typer.echo("- Not the same service as today: the two figures are no ranking.")
    _print_both(found)
    typer.echo(f"\nScenario of the plan: {found.file}")


def _print_values(found: Answer | NetworkAnswer) -> None:
    """Today, promise, simulation and bound, one below the other."""
    told = found.to_dict()
    before = "unfitted" if "unfitted_value" in told else "unrefined"
    fitted = "before fitting" if before == "unfitted" else "interference of today"
    rows = [
        ("today, simulated", told["today_value"]),
        (f"plan, promised {fitted}", told[f"{before}_value"]),
        ("plan, promised", told["plan_value"]),
        ("plan, simulated", told["simulated_value"]),
        ("best, with a power for each user", told["value"]),
        ("no allocation has more than", told["upper_bound"]),
    ]
    for name, value in rows:
        if value is not None:
            typer.echo(f"{name:<38}{value:>12.6g}")
    typer.echo(f"{'gap of the certificate':<38}{told['gap_frac']:>12.1e}")
    for name, error in (
        ("promise over simulation, less 1", told["promise_error_frac"]),
        (f"the same, {fitted}", told[f"{before}_error_frac"]),
    ):
        if error is not None:
            typer.echo(f"{name:<38}{error:>12.2%}")


def _print_both(found: Answer | NetworkAnswer) -> None:
    """The plans for both objectives, promised and, where they were run, simulated."""
    typer.echo("\nBoth objectives side by side")
    for plan in found.to_dict()["objectives"]:
        served = ", ".join(f"{k} {v:.4g}" for k, v in plan["served_frac"].items())
        typer.echo(
            f"- {plan['objective'].upper()} optimum, promised: TREE {plan['tree_beq_per_j']:.6g} "
            f"bit-eq/J, EE {plan['ee_bit_per_j']:.6g} bit/J, {plan['transmit_power_w']:.4g} W; "
            f"served shares: {served}"
        )
        if plan["simulated_tree_beq_per_j"] is not None:
            typer.echo(
                f"  simulated: TREE {plan['simulated_tree_beq_per_j']:.6g} bit-eq/J, EE "
                f"{plan['simulated_ee_bit_per_j']:.6g} bit/J"
            )
