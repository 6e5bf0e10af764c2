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
PROFILES: Final = (
    "alpha in bit/token: a value within the range of price pairs; k_in: median and 5th to 95th\n"
    "percentile of list prices. Your own: tree6g fit profile."
)
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
    if kind == "profiles":
        rows = [_profile(row) for row in rows]
    columns = [name for name in rows[0] if name not in LEFT_OUT][:SHOWN_COLUMNS]
    cells = [[_cell(row[name]) for name in columns] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for line in [columns, *cells]:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())
    if kind != "scenarios":
        typer.echo(f"\n{len(rows)} rows; --json prints all columns, with source and licence.")
    if kind == "profiles":
        typer.echo(PROFILES)


def _scenarios() -> list[dict[str, Any]]:
    from tree6g.scenario.load import load, names

    loaded = [load(name) for name in names()]
    return [{"name": s.name, "title": s.title, "question": s.question} for s in loaded]


def _rows(table: str) -> list[dict[str, Any]]:
    from tree6g import data

    return [dict(row) for row in data.table(table).values()]


def _profile(row: dict[str, Any]) -> dict[str, Any]:
    """A token service class in the five columns that say what its work is worth, and by when."""
    due = row["deadline_s"] is not None
    names = ("deadline_s",) if due else ("ttft_budget_s", "tpot_budget_s")
    scale = "" if row["t0_tps"] is None else f", T0 {row['t0_tps']:g} token/s"
    return {
        "token_class": row["token_class"],
        "within_s": " + ".join(_cell(row[name]) for name in names) + ("" if due else " per token"),
        "utility": f"{row['family']}{scale}, per {row['unit']} in {row['interval_s']:g} s",
        "alpha_bit_per_tok": _ranged(row, "alpha_bit_per_tok", "alpha_{}_bit_per_tok"),
        "k_in": _ranged(row, "k_in", "k_in_{}"),
    }


def _ranged(row: dict[str, Any], name: str, end: str) -> str:
    """A value with its interval, where it has one."""
    low, high = (row[end.format(which)] for which in ("low", "high"))
    value = f"{row[name]:,g}"
    return value if low is None else f"{value} ({low:,g} to {high:,g})"


def _cell(value: str | float | None) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else str(value)
