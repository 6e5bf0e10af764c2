"""`tree6g check`: is a ledger whole, within its vocabulary, and does it conserve energy?"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json

if TYPE_CHECKING:
    from tree6g.ledger.check import CheckReport

PROBLEMS_FOUND = 1


def check(ledger: options.LedgerPath, *, as_json: options.Json = False) -> None:
    """Check a ledger: schema, overlaps, conservation. Exit code 1 if there are problems.

    Example: tree6g check tree6g-out/street-corner-1a2b3c4d
    """
    from tree6g.errors import Tree6gError
    from tree6g.ledger.check import check as check_ledger
    from tree6g.ledger.reading import open_ledger
    from tree6g.metric.tree import figure

    opened = open_ledger(options.ledger_folder(ledger))
    checked = check_ledger(opened)
    try:
        taken = figure(opened)
    except Tree6gError as error:
        taken = None  # a ledger may keep all rules and yet hold nothing to take a figure of
        checked = dataclasses.replace(checked, notes=(*checked.notes, f"no figure: {error}"))
    if as_json:
        print_json(results.check_result(checked, taken))
    else:
        _print(checked, results.unattributed_frac(taken))
    if checked.problems:
        raise typer.Exit(PROBLEMS_FOUND)


def _print(checked: CheckReport, unattributed_frac: float | None) -> None:
    for table, count in checked.rows.items():
        typer.echo(f"{table:<9} {count:>12,} rows")
    if checked.conservation_error_frac is not None:
        typer.echo(f"conservation error  {checked.conservation_error_frac:.1e}")
    if unattributed_frac is not None:
        typer.echo(f"unattributed        {unattributed_frac:.2%} of the energy")
    for problem in checked.problems:
        typer.echo(f"problem: {problem.text}")
    for note in checked.notes:
        typer.echo(f"note: {note}")
    typer.echo("no problems" if not checked.problems else f"{len(checked.problems)} problem(s)")
