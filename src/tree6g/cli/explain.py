"""`tree6g explain`: from a headline number down to SQL, rows, function, equation and source."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

ROWS_SHOWN = 12


def explain(
    name: Annotated[
        str,
        typer.Argument(metavar="FIGURE_OR_SERVICE", help="E.g. tree, ee, j_per_tok, or a service."),
    ],
    ledger: options.LedgerPath,
    *,
    boundary: options.Boundary = None,
    rule: options.Rule = None,
    idle: options.Idle = None,
    alphas: options.Alphas = None,
    weights: options.Weights = None,
    as_json: options.Json = False,
) -> None:
    """Walk from a number down to what it rests on.

    Example: tree6g explain tree tree6g-out/street-corner-1a2b3c4d
    """
    from tree6g.ledger.reading import open_ledger
    from tree6g.report.explain import explain as explain_figure

    query = options.query_of(boundary, rule, idle, alphas, weights)
    steps = explain_figure(open_ledger(options.ledger_folder(ledger)), name, query)
    if as_json:
        print_json({"name": name, "steps": [dataclasses.asdict(step) for step in steps]})
        return
    for number, step in enumerate(steps, 1):
        typer.echo(f"{number}. {step.title}")
        for line in step.text.strip().splitlines():
            typer.echo(f"   {line}".rstrip())
        for row in step.rows[:ROWS_SHOWN]:
            typer.echo(
                "   - "
                + ", ".join(f"{k} {_shown(v)}" for k, v in row.items() if v not in ("", None))
            )
        if len(step.rows) > ROWS_SHOWN:
            typer.echo(f"   ... {len(step.rows) - ROWS_SHOWN} more; --json prints all")
        typer.echo("")


def _shown(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
