"""`tree6g validate`: compare a model with reference data or with your own measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

if TYPE_CHECKING:
    from tree6g.calibrate.result import Validation

SHOWN = 20  # misses that are printed; --json has all

KindName = Annotated[
    str,
    typer.Argument(
        metavar="KIND", help="What to compare: base-station, bler, calibration, pathloss."
    ),
]
Files = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="Files in the kind's form, or a folder.")
]
FitOn = Annotated[
    Path | None,
    typer.Option("--fit", metavar="PATH", help="Fit on all of PATH and test on all of FILE."),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for HTML, figures and tables; default: none written."),
]
Seeds = Annotated[
    int | None, typer.Option("--seeds", min=1, help="Number of fixed seeds of a random model.")
]


def validate(
    kind: KindName,
    files: Files,
    *,
    fit: FitOn = None,
    out: Out = None,
    seeds: Seeds = None,
    as_json: options.Json = False,
) -> None:
    """Compare a model with data and print its errors beside those of simpler models.

    Example: tree6g validate pathloss my_pathloss.csv
    """
    from tree6g.calibrate import kinds

    result = kinds.validate(kind, files, fit=fit, seeds=seeds)
    page = None
    if out is not None:
        from tree6g.report.validation import write_validation

        page = write_validation(result, out).page
    if as_json:
        report = None if page is None else str(page)
        print_json({**result.to_dict(), "run_info": {"report": report}})
        return
    _print(result)
    if page is not None:
        typer.echo(f"\nReport: {page}")


def _print(result: Validation) -> None:
    from tree6g.report import validation
    from tree6g.report.plaintext import to_text

    typer.echo(validation.takeaway(result))
    for table in validation.error_tables(result):
        typer.echo(f"\n{table.title}\n{to_text(table)}")
    for line in validation.constant_lines(result.constants):
        typer.echo(line)
    for miss in result.misses[:SHOWN]:
        typer.echo(f"miss: {validation.miss_text(miss)}")
    if len(result.misses) > SHOWN:
        typer.echo(f"{len(result.misses) - SHOWN:,} more misses: --json has all.")
    for problem in result.problems:
        typer.echo(f"note: {problem}")
