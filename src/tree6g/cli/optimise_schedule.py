"""`tree6g optimise schedule`: every scheduler on one scenario, and what none can exceed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json, progress
from tree6g.units import show

if TYPE_CHECKING:
    from tree6g.optimise.scenario.schedules import Answer

Name = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="Name from `tree6g list scenarios`, or a .yaml or .toml file."
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of all runs and the best scenario; default: tree6g-out/..."),
]


def schedule(
    scenario: Name,
    *,
    trace: options.Traces = None,
    overrides: options.Overrides = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Run a cell with its server under every scheduler, and bound what any could reach.

    Each run has the same requests, messages and terminals. The bound is clairvoyant: it knows all
    that comes. The best scheduler that serves as much on time as the scenario does today is written
    as a scenario.

    Example: tree6g optimise schedule street-corner --set duration=60s --set drain=240s
    """
    from tree6g.optimise.scenario.schedules import answer

    watch = results.Stopwatch()
    found = answer(
        scenario,
        overrides=tuple(overrides or ()),
        trace=options.traces_of(trace),
        out=out,
        progress=progress(),
    )
    if as_json:
        print_json({**found.to_dict(), "run_info": watch.info()})
        return
    _print(found)


def _print(found: Answer) -> None:
    from tree6g.optimise.scenario.schedules import changes

    services = list(found.today.served_frac)
    parts = sorted({part for one in found.runs for part in one.energy_j})
    head = ["scheduler", "TREE", "below bound", *(f"{s} on time" for s in services), *parts]
    rows = [
        [
            one.name,
            f"{one.tree_beq_per_j:.6g}",
            f"{found.below_bound_frac(one):.2%}",
            *(f"{one.served_frac.get(s, 0.0):.2%}" for s in services),
            *(show(one.energy_j.get(part, 0.0), "j") for part in parts),
        ]
        for one in found.runs
    ]
    typer.echo(f"{found.scenario.name}: TREE in bit-eq/J under every scheduler\n")
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    for row in (head, *rows):
        cells = [f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True)]
        typer.echo("  ".join([f"{row[0]:<{widths[0]}}", *cells]))
    typer.echo(f"\nNo schedule has more than {found.bound.tree_beq_per_j:.6g} bit-eq/J.")
    typer.echo("\nWhat the best does and why")
    for line in changes(found):
        typer.echo(f"- {line}")
    typer.echo(f"\nScenario with the best: {found.file}")
