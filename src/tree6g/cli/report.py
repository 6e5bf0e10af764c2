"""`tree6g report`: the figure of a ledger, as text, HTML, figures and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json


def report(
    ledger: options.LedgerPath,
    *,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of the report; default: beside the ledger.")
    ] = None,
    boundary: options.Boundary = None,
    rule: options.Rule = None,
    idle: options.Idle = None,
    alphas: options.Alphas = None,
    weights: options.Weights = None,
    as_json: options.Json = False,
) -> None:
    """Write the report of a ledger of any origin: one HTML file, figures, tables.

    Example: tree6g report tree6g-out/street-corner-1a2b3c4d --rule shapley --out shapley
    """
    from tree6g.ledger.reading import open_ledger
    from tree6g.metric.tree import figure
    from tree6g.report.write import write_report

    watch = results.Stopwatch()
    query = options.query_of(boundary, rule, idle, alphas, weights)
    opened = open_ledger(options.ledger_folder(ledger))
    taken = figure(opened, query)
    page = write_report(opened, out or opened.path.parent, query).page
    if as_json:
        info = watch.info(ledger=opened.path, report=page)
        print_json({**results.figure_result(taken), "run_info": info})
        return
    from tree6g.report.summary import terminal_summary

    typer.echo(terminal_summary(opened, taken))
    typer.echo(f"\nReport: {page}")
