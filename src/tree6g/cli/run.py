"""`tree6g run`: simulate a scenario, take its figure, write the report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json, progress

MOST_WORKERS: Final = 8  # beyond that cells are too few

Name = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="Name from `tree6g list scenarios`, or a .yaml or .toml file."
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder of the results; default: tree6g-out/...")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", min=1, max=64, help="Threads for the cells, default: cores; no result changes."
    ),
]
Checkpoint = Annotated[
    int | None,
    typer.Option(
        "--checkpoint",
        min=0,
        metavar="INTERVALS",
        help="Ledger intervals between checkpoints, from which a killed run goes on; 0: none. "
        "Default: none in short runs, every few seconds of work in long ones.",
    ),
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Begin anew even if an interrupted run could go on.")
]
NoReport = Annotated[
    bool, typer.Option("--no-report", help="Write the ledger only, no HTML and no figures.")
]


def run(  # noqa: PLR0913  # the options of a command are its arguments
    scenario: Name,
    *,
    trace: options.Traces = None,
    seed: options.Seed = None,
    overrides: options.Overrides = None,
    out: Out = None,
    workers: Workers = None,
    checkpoint: Checkpoint = None,
    fresh: Fresh = False,
    no_report: NoReport = False,
    boundary: options.Boundary = None,
    rule: options.Rule = None,
    idle: options.Idle = None,
    alphas: options.Alphas = None,
    weights: options.Weights = None,
    as_json: options.Json = False,
) -> None:
    """Simulate a scenario and print TREE, EE and each service's share.

    Example: tree6g run street-corner --set population.users=200 --seed 7
    """
    from tree6g.engine.run import run as simulate
    from tree6g.ledger.check import check
    from tree6g.metric.tree import figure
    from tree6g.report.write import write_report

    watch = results.Stopwatch()
    query = options.query_of(boundary, rule, idle, alphas, weights)
    result = simulate(
        scenario,
        out=out,
        seed=seed,
        trace=options.traces_of(trace),
        overrides=tuple(overrides or ()),
        progress=progress(),
        workers=workers or min(os.cpu_count() or 1, MOST_WORKERS),
        checkpoint=checkpoint,
        fresh=fresh,
    )
    taken = figure(result.ledger, query)
    page = None if no_report else write_report(result.ledger, result.path, query).page
    if as_json:
        info = watch.info(ledger=result.ledger.path, report=page)
        print_json(results.run_result(result, taken, check(result.ledger), info))
        return
    from tree6g.report.summary import terminal_summary

    typer.echo(terminal_summary(result.ledger, taken))
    for line in results.lines(result, taken):
        typer.echo(line)
    typer.echo(f"\nLedger: {result.ledger.path}")
    if page is not None:
        typer.echo(f"Report: {page}")
