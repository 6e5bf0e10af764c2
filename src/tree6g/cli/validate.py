"""`tree6g validate`: compare a model with reference data or with your own measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json, progress

if TYPE_CHECKING:
    from tree6g.calibrate.result import Validation

SHOWN = 10  # misses that are printed; --json has all

KindName = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="What to compare: base-station, bler, calibration, counts, cpu-power, footprints, "
        "gee, llm-energy, partial-load, pathloss, serving.",
    ),
]
Files = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="CSV files; of base-station, one folder.")
]
FitOn = Annotated[
    Path | None,
    typer.Option(
        "--fit",
        metavar="PATH",
        help="Only base-station and llm-energy: fit to all of PATH, predict all of FILE.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for a page, its figures (PNG, SVG, CSV) and tables."),
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Only calibration: seeds to run, 5 if not given."),
]
Device = Annotated[
    str | None,
    typer.Option("--accelerator", help="Only serving: in place of what the files' names say."),
]
Model = Annotated[
    str | None,
    typer.Option("--model", help="Only serving: in place of what the files' names say."),
]
Parallel = Annotated[
    int | None,
    typer.Option("--tensor-parallel", min=1, help="Only serving: accelerators of the server."),
]


def validate(  # the options of a command are its arguments
    kind: KindName,
    files: Files,
    *,
    fit: FitOn = None,
    out: Out = None,
    seeds: Seeds = None,
    accelerator: Device = None,
    model: Model = None,
    tensor_parallel: Parallel = None,
    as_json: options.Json = False,
) -> None:
    """Compare a model with measured or reference data and print how far they are apart.

    pathloss: path loss by distance, with 3GPP TR 38.901. calibration: distributions of coupling
    gain, SIR and SINR, with those of 3GPP's companies. bler: block error rates. base-station: a
    folder of hourly load and energy counters; a model is fitted to a part and predicts the rest.
    serving: logs of real inference engines; constants are fitted to the first 100 requests of each.
    counts: exact integers of models, of layers of convolutional networks and of adapters.
    llm-energy: energy per output token of servers or of small devices; each family of models is
    predicted by a fit without it. partial-load: power at idle and at small batches, without a fit.
    cpu-power: watts of processors told from their load, calibrated and not. gee: powers of links
    that disturb one another against published global optima, nothing fitted. footprints: energy and
    carbon that papers, model cards and tools published, from the inputs published with them.

    Columns of the files: docs/how-to/validate-a-model.md

    Example: tree6g validate base-station my_counters --out validation
    """
    from tree6g.calibrate import kinds

    result = kinds.validate(
        kind,
        files,
        fit=fit,
        seeds=seeds,
        accelerator=accelerator,
        model=model,
        tensor_parallel=tensor_parallel,
        progress=progress(),
    )
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
    from tree6g.report.summary import ascii_only

    typer.echo(ascii_only(result.headline))
    tables = [*validation.error_tables(result), *validation.miss_tables(result, SHOWN)]
    for table in tables:
        typer.echo(f"\n{table.title}\n{to_text(table)}")
    if len(result.misses) > SHOWN:
        typer.echo("--json and the tables of --out have all.")
    if result.constants or result.problems:
        typer.echo("")
    if result.constants and result.fitted_constants:
        typer.echo(f"{validation.constants_heading(result)}:")
    for line in validation.constant_lines(result.constants):
        typer.echo(line)
    for problem in result.problems:
        typer.echo(f"note: {problem}")
