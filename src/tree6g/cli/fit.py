"""`tree6g fit`: constants of a model from your own measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

KindName = Annotated[str, typer.Argument(metavar="KIND", help="What to fit: base-station.")]
Data = Annotated[Path, typer.Argument(metavar="PATH", help="Folder of counters.")]


def fit(kind: KindName, path: Data, *, as_json: options.Json = False) -> None:
    """Fit a model to your own measurements and print its constants with intervals.

    base-station: a folder with bs_info, bs_load_hourly and bs_energy_hourly (.csv or .parquet);
    their columns stand in docs/how-to/validate-a-model.md

    Example: tree6g fit base-station my_counters
    """
    from tree6g.calibrate import kinds

    fitted = kinds.fit(kind, path)
    if as_json:
        print_json(fitted.to_dict())
        return
    from tree6g.report.validation import fit_lines

    for line in fit_lines(fitted):
        typer.echo(line)
    for problem in fitted.problems:
        typer.echo(f"note: {problem}")
