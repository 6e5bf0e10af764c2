"""`tree6g trace`: look at a request trace, or write it in the generic form."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json
from tree6g.errors import ScenarioError

File = Annotated[Path, typer.Argument(metavar="FILE", help="The trace.")]
Form = Annotated[
    str | None,
    typer.Option(
        "--form", help="csv, azure, burstgpt, mooncake, vidur or blis; default: by its header."
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help="Column of a csv trace, e.g. arrival_s=timestamp; repeatable.",
    ),
]


def describe(
    file: File, *, form: Form = None, columns: Columns = None, as_json: options.Json = False
) -> None:
    """Print what a trace holds: requests, duration, rates, burstiness, lengths.

    Example: tree6g trace describe azure_llm_2023_conv.csv
    """
    from tree6g.scenario.trace import describe as describe_trace
    from tree6g.scenario.trace import read_trace

    described = describe_trace(read_trace(file, form=form, columns=_columns(columns)))
    if as_json:
        print_json(described)
        return
    for key, value in described.items():
        typer.echo(f"{key:<28} {_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.6g}"
    return "-" if value in (None, [], ()) else str(value)


def convert(
    file: File,
    out: Annotated[
        Path,
        typer.Argument(metavar="OUT", help="The file to write: .jsonl for Mooncake, else CSV."),
    ],
    *,
    form: Form = None,
    columns: Columns = None,
    as_json: options.Json = False,
) -> None:
    """Write a trace as generic CSV (arrival_s, input_tokens, output_tokens) or Mooncake JSONL.

    Example: tree6g trace convert mooncake.jsonl mooncake.csv
    """
    from tree6g.scenario.trace import read_trace, write_trace

    trace = read_trace(file, form=form, columns=_columns(columns))
    if out.exists() and out.samefile(file):  # the generic form keeps less than the others
        raise ScenarioError(f"expected another file to write than the trace itself; got {out}.")
    write_trace(trace, out)
    if as_json:
        print_json({"requests": len(trace.arrival_s), "file": str(out)})
    else:
        typer.echo(f"{len(trace.arrival_s):,} requests written to {out}")


def _columns(texts: list[str] | None) -> dict[str, str] | None:
    if not texts:
        return None
    pairs = [text.partition("=") for text in texts]
    for ours, _, theirs in pairs:
        if not ours or not theirs:
            raise ScenarioError(f"expected --column OURS=THEIRS; got {ours!r}.")
    return {ours: theirs for ours, _, theirs in pairs}
