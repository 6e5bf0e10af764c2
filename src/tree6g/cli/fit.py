"""`tree6g fit`: constants of a model from your own measurements."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import options, overlays
from tree6g.cli.console import print_json, progress

if TYPE_CHECKING:
    from tree6g.calibrate.result import Fit

KindName = Annotated[
    str,
    typer.Argument(
        metavar="KIND",
        help="What to fit: accelerator, base-station, cpu-power, phase-weights, profile, scenario.",
    ),
]
Data = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH|URL...",
        help="Table of runs, folder of a base station, tables of a processor's loads, or the "
        "address of a server.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="File for the constants, as other commands read them."),
]
Model = Annotated[
    str | None, typer.Option("--model", help="Only phase-weights: the model to ask for.")
]
Pid = Annotated[
    int | None,
    typer.Option(
        "--pid",
        min=1,
        help="Only phase-weights: CPU seconds of this process count; if not given, of the one "
        "that listens at the port.",
    ),
]
Energy = Annotated[
    str | None,
    typer.Option(
        "--energy",
        metavar="SOURCE",
        help="Only phase-weights: joules of this meter count, a target of `meter test`.",
    ),
]
Busy = Annotated[
    str | None,
    typer.Option(
        "--busy",
        metavar="timings",
        help="Only phase-weights: the time that the server says it was busy counts.",
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", help="Only phase-weights: how long the load is, 1 if not given."),
]
Together = Annotated[
    int | None,
    typer.Option("--together", min=1, help="Only phase-weights: requests side by side at most."),
]
Batch = Annotated[
    float | None,
    typer.Option(
        "--batch",
        min=1.0,
        help="Only phase-weights: tokens that the work to be weighed decodes side by side.",
    ),
]


Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="SCENARIO",
        help="Only scenario: what a ledger cannot know; hybrid-cell if not given.",
    ),
]
HoldOut = Annotated[
    float | None,
    typer.Option(
        "--hold-out",
        min=0.0,
        max=0.9,
        help="Only scenario: share of the time that the fit does not see, 0.3 if not given.",
    ),
]
Longest = Annotated[
    str | None,
    typer.Option("--simulate", help="Only scenario: longest simulated time, 1 h if not given."),
]
Source = Annotated[
    str | None,
    typer.Option(
        "--source",
        help="Only profile: who published the values and of when they are, where files do not say.",
    ),
]
Reference = Annotated[
    str | None,
    typer.Option(
        "--reference",
        metavar="MODEL",
        help="Only profile: the model whose quality is 1; the first of the file if not given.",
    ),
]


def fit(  # noqa: PLR0913  # the options of a command are its arguments
    kind: KindName,
    data: Data,
    *,
    model: Model = None,
    pid: Pid = None,
    energy: Energy = None,
    busy: Busy = None,
    minutes: Minutes = None,
    together: Together = None,
    batch: Batch = None,
    template: Template = None,
    hold_out: HoldOut = None,
    longest: Longest = None,
    source: Source = None,
    reference: Reference = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Fit a model to your own measurements and print its constants with intervals.

    accelerator: a table of runs of language models, measured or from telemetry: energy or power,
    throughput, batch, lengths; its columns stand in docs/how-to/calibrate-an-accelerator.md
    base-station: a folder with bs_info, bs_load_hourly and bs_energy_hourly (.csv or .parquet);
    their columns stand in docs/how-to/validate-a-model.md
    cpu-power: tables of a processor's load and energy; docs/how-to/calibrate-attribution.md
    phase-weights: the address of an OpenAI-compatible server, which gets a load of a minute
    profile: prices, scores or preferences of users, tables; docs/how-to/fit-a-profile.md
    scenario: a measured ledger; docs/how-to/measured-against-simulated.md

    Example: tree6g fit accelerator runs.csv --out my_constants.csv
    """
    from tree6g.calibrate import kinds

    fitted = kinds.fit(
        kind,
        data,
        model=model,
        pid=pid,
        energy=energy,
        busy=busy,
        minutes=minutes,
        together=together,
        batch=batch,
        template=template,
        hold_out_frac=hold_out,
        longest_s=None if longest is None else options.quantity("--simulate", longest, "s"),
        source=source,
        reference=reference,
        progress=progress(),
    )
    if out is not None:
        _save(fitted, out)
    if as_json:
        print_json(fitted.to_dict())
        return
    _show(fitted)
    if out is not None:
        typer.echo(f"\nConstants: {out}")


def calibrate(
    kind: KindName, data: Data, *, out: Out = None, as_json: options.Json = False
) -> None:
    """Fit a model to your own measurements: another word for `fit`.

    Example: tree6g calibrate accelerator runs.csv --out my_constants.csv
    """
    fit(kind, data, out=out, as_json=as_json)


def _show(fitted: Fit) -> None:
    from tree6g.report.validation import fit_lines

    for line in fit_lines(fitted):
        typer.echo(line)
    for problem in fitted.problems:
        typer.echo(f"note: {problem}")
    overlays.show(fitted.errors)


def _save(fitted: Fit, out: Path) -> None:
    from tree6g.errors import ScenarioError

    if not fitted.table:
        raise ScenarioError(f"--out does not apply to {fitted.kind}; leave it out.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(fitted.table, encoding="utf-8")
    except OSError as error:
        raise ScenarioError(f"Expected a file to write; {out}: {error.strerror}.") from error
