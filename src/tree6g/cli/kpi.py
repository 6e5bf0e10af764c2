"""`tree6g kpi`: key figures of the radio access network under the names of 3GPP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

if TYPE_CHECKING:
    from tree6g.report.tables import Table


def kpi(ledger: options.LedgerPath, *, as_json: options.Json = False) -> None:
    """Print EE_ran, energy of flows and slices, PRB use, throughput and delays of a ledger.

    Example: tree6g kpi tree6g-out/hybrid-cell-1a2b3c4d
    """
    from tree6g.ledger.reading import open_ledger
    from tree6g.metric.kpi import kpis
    from tree6g.report import radio
    from tree6g.report.plaintext import to_text

    found = kpis(open_ledger(options.ledger_folder(ledger)))
    if as_json:
        print_json(found.to_dict())
        return
    for table in radio.tables(found):
        if table.rows:
            shown = _for_people(table)
            typer.echo(f"{table.title}\n{to_text(shown)}")
            for line in _why(shown):
                typer.echo(line)
            typer.echo("")
    typer.echo("--json prints every figure with the name that 3GPP or ETSI gives it.")


def _for_people(table: Table) -> Table:
    """A table without the columns that are for programs."""
    import dataclasses

    keep = [n for n, c in enumerate(table.columns) if c.key not in {"field", "value_si"}]
    return dataclasses.replace(
        table,
        columns=tuple(table.columns[n] for n in keep),
        rows=tuple(tuple(row[n] for n in keep) for row in table.rows),
    )


def _why(table: Table) -> list[str]:
    """The reasons of the dashes of a table."""
    from tree6g.report.summary import ascii_only
    from tree6g.report.tables import reasons

    return [f"- : {ascii_only(reason)}" for reason in reasons(table)]
