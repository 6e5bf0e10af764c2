"""`tree6g list`: what comes with the package, each row with its source."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

TABLES: Final = {
    "models": "models",
    "accelerators": "accelerators",
    "profiles": "token_classes",
    "base-stations": "base_stations",
    "quality": "quality",
    "lengths": "request_lengths",
    "traffic": "traffic_models",
    "day-curves": "day_curves",
    "quantities": "quantities",
    "mcs": "modulation_coding",
    "cqi": "channel_quality",
}
KINDS: Final = ("scenarios", *TABLES)
SHOWN_COLUMNS: Final = 5
LEFT_OUT: Final = ("question", "source", "licence")  # long; --json has them


def listing(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", help=f"One of: {', '.join(KINDS)}.")
    ] = "scenarios",
    *,
    as_json: options.Json = False,
) -> None:
    """List packaged scenarios, models, accelerators, token service classes, base stations.

    Example: tree6g list accelerators
    """
    from tree6g.errors import DataError, nearest

    if kind not in KINDS:
        raise DataError(f"expected something to list; got {kind!r}. {nearest(kind, KINDS)}")
    rows = _scenarios() if kind == "scenarios" else _rows(TABLES[kind])
    if as_json:
        print_json({kind: rows})
        return
    columns = [name for name in rows[0] if name not in LEFT_OUT][:SHOWN_COLUMNS]
    cells = [[_cell(row[name]) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [columns, *cells]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())
    if kind != "scenarios":
        typer.echo(f"\n{len(rows)} rows; --json prints all columns, with source and licence.")


def _scenarios() -> list[dict[str, Any]]:
    from tree6g.scenario.load import load, names

    loaded = [load(name) for name in names()]
    return [{"name": s.name, "title": s.title, "question": s.question} for s in loaded]


def _rows(table: str) -> list[dict[str, Any]]:
    from tree6g import data

    return [dict(row) for row in data.table(table).values()]


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
