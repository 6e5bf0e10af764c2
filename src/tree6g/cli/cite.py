"""`tree6g cite`: how to cite tree6g, the metric, and what a ledger rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json
from tree6g.version import __version__


def cite(
    ledger: Annotated[
        Path | None,
        typer.Argument(metavar="[LEDGER]", help="A ledger folder, or the folder of a run."),
    ] = None,
    *,
    as_bibtex: Annotated[bool, typer.Option("--bibtex", help="Print BibTeX entries.")] = False,
    as_json: options.Json = False,
) -> None:
    """Print what to cite: tree6g, the paper of the metric, and all that a ledger rests on.

    Example: tree6g cite tree6g-out/street-corner-1a2b3c4d --bibtex
    """
    import dataclasses

    from tree6g.ledger.reading import open_ledger
    from tree6g.report.references import METRIC_PAPER, Reference, bibtex, references

    found = [
        Reference(
            what="software", text=f"tree6g {__version__}", licence="Apache-2.0", title="tree6g"
        )
    ]
    if ledger is None:
        found.append(METRIC_PAPER)
    else:
        found += references(open_ledger(options.ledger_folder(ledger)))
    if as_json:
        print_json({"references": [dataclasses.asdict(one) for one in found]})
    elif as_bibtex:
        typer.echo("\n\n".join(bibtex(one) for one in found))
    else:
        for one in found:
            notes = ", ".join(filter(None, (one.status, one.licence)))
            typer.echo(f"{one.what}: {one.text}" + (f" [{notes}]" if notes else ""))
