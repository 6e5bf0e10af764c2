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


def allocate(
    scenario: Name,
    *,
    objective: Aim = "tree",
    least_share: Least = "100 %",
    overrides: options.Overrides = None,
    out: Out = None,
    no_run: NoRun = False,
    figures: Figures = False,
    as_json: options.Json = False,
) -> None:
    """Find the power, served shares and server settings of one cell with the greatest TREE or EE.

    The scenario is run as it is; the best allocation for what was measured there is found with an
    upper bound that proves it; a plan that one radiated power can carry out is written as a
    scenario; and that is run as well. Servers whose services are all refused are switched off. Of
    the others the number that is on, accelerators, clock and batch are chosen, from simulations of
    them at several loads; none may be later with its tokens than today.

    Example: tree6g optimise allocate hybrid-cell --set "duration=10 min"
    """
    from tree6g.optimise.scenario.answer import answer
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
        progress=progress(),
    )
    drawn = _drawn(found) if figures and found.chosen.running else None
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


def _print(found: Answer) -> None:
    from tree6g.optimise.scenario.answer import changes, value_of

    chosen = found.chosen
    unit = "bit-eq/J" if found.objective == "tree" else "bit/J"
    gap = chosen.upper_bound / chosen.solution.value - 1.0
    typer.echo(f"{found.start.scenario.name}: {found.objective.upper()} of one cell, in {unit}\n")
    rows = [
        ("today, simulated", f"{value_of(found.start.figure, found.objective):.6g}"),
        ("plan, promised before fitting", f"{chosen.promise_unfitted:.6g}"),
        ("plan, promised", f"{chosen.promise:.6g}"),
        *([] if found.simulated is None else [("plan, simulated", f"{found.simulated_value:.6g}")]),
        ("best, with a power for each user", f"{chosen.solution.value:.6g}"),
        ("no allocation has more than", f"{chosen.upper_bound:.6g}"),
    ]
    for name, value in rows:
        typer.echo(f"{name:<34}{value:>12}")
    typer.echo(f"{'gap of the certificate':<34}{gap:>12.1e}")
    for name, error in (
        ("promise over simulation, less 1", found.promise_error_frac),
        ("before servers were fitted", found.unfitted_error_frac),
    ):
        if error is not None:
            typer.echo(f"{name:<34}{error:>12.2%}")
    typer.echo("\nWhat changes and why")
    for line in changes(found):
        typer.echo(f"- {line}")
    if found.same_service is False:
        typer.echo("- Not the same service as today: the two figures are no ranking.")
    typer.echo("\nBoth objectives side by side, as promised")
    for name, plan in found.others.items():
        served = ", ".join(f"{k} {v:.4g}" for k, v in plan.share_frac.items())
        typer.echo(
            f"- {name.upper()} optimum: TREE {plan.tree_beq_per_j:.6g} bit-eq/J, EE "
            f"{plan.ee_bit_per_j:.6g} bit/J, {plan.power_w:.4g} W; served shares: {served}"
        )
    typer.echo(f"\nScenario of the plan: {found.file}")
