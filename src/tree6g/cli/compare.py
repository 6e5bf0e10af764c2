"""`tree6g compare`: which design is better, for which weights; or one scenario under many rules."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import designs, options, overlays, results, study
from tree6g.cli.console import print_json, progress
from tree6g.cli.designs import Load

if TYPE_CHECKING:
    from tree6g.metric.compare import Comparison


Designs = Annotated[
    list[str],
    typer.Argument(
        metavar="DESIGN",
        help="Ledgers, runs, scenario names or files, each '[LABEL=]SOURCE [PATH=VALUE ...]'.",
    ),
]
Over = Annotated[
    str | None,
    typer.Option(
        "--over",
        metavar="PATH=V1,V2,...",
        help="Study one scenario under several values, with --rules and --idle-rules.",
    ),
]
Rules = Annotated[
    str, typer.Option("--rules", help="Attribution rules of a study, separated by commas.")
]
IdleRules = Annotated[
    str, typer.Option("--idle-rules", help="Idle rules of a study, separated by commas.")
]
Errors = Annotated[
    bool | None,
    typer.Option(
        "--errors/--no-errors",
        help="Print the error of each quantity; default: if one of two designs is measured.",
    ),
]
Align = Annotated[
    str | None,
    typer.Option("--align", help="Clocks for --errors: zero (dates) or start; default: what fits."),
]
Shift = Annotated[
    str | None,
    typer.Option("--shift", help="What is added to the other's times instead, e.g. '90 s'."),
]
Window = Annotated[
    str | None, typer.Option("--window", help="Length of a window of --errors, e.g. '5 min'.")
]
Pairs = Annotated[
    list[str] | None,
    typer.Option(
        "--pair",
        metavar="OTHER=REFERENCE",
        help="For --errors: a service that the other ledger calls otherwise; repeatable.",
    ),
]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder for HTML, figures and tables; default: none written."),
]


def compare(  # noqa: PLR0913  # the options of a command are its arguments
    texts: Designs,
    *,
    over: Over = None,
    rules: Rules = "proportional,shapley,marginal",
    idle_rules: IdleRules = "unattributed,spread",
    errors: Errors = None,
    align: Align = None,
    shift: Shift = None,
    window: Window = None,
    pair: Pairs = None,
    out: Out = None,
    trace: options.Traces = None,
    seed: options.Seed = None,
    overrides: options.Overrides = None,
    boundary: options.Boundary = None,
    rule: options.Rule = None,
    idle: options.Idle = None,
    alphas: options.Alphas = None,
    weights: options.Weights = None,
    as_json: options.Json = False,
) -> None:
    """Compare designs by TREE and EE, with the worth of a token at which the order turns.

    A measured ledger beside a simulated one is also laid over it: the error of each quantity.

    Example: tree6g compare corner-a.yaml corner-b.yaml
    """
    from tree6g.metric.compare import compare as compare_ledgers
    from tree6g.report.comparison import write_comparison

    watch = results.Stopwatch()
    query = options.query_of(boundary, rule, idle, alphas, weights)
    load = Load(
        seed=seed,
        trace=options.traces_of(trace),
        overrides=tuple(overrides or ()),
        progress=progress(),
    )
    if over is not None:
        asked = study.Study(over=over, rules=rules.split(","), idle_rules=idle_rules.split(","))
        study.show(texts, asked, load, query, out=out, as_json=as_json)
        return
    ledgers = designs.ledgers_of(designs.read_designs(texts), load)
    laid = overlays.asked(errors=errors, align=align, shift=shift, window=window, pairs=pair)
    compared = compare_ledgers(ledgers, query)
    overlay = overlays.overlay_of(ledgers, query, laid)
    page = None if out is None else write_comparison(ledgers, compared, out, overlay).page
    if as_json:
        beside = overlays.to_dict(overlay)
        print_json({**compared.to_dict(), **beside, "run_info": watch.info(report=page)})
        return
    _print(compared)
    overlays.show(overlay)
    if page is not None:
        typer.echo(f"\nReport: {page}")


def _print(compared: Comparison) -> None:
    from tree6g.report import comparison as words
    from tree6g.report.plaintext import to_text

    typer.echo(words.takeaway(compared))
    for line in (*compared.reasons, *words.energy_sentences(compared)):
        typer.echo(line)
    typer.echo(f"\n{to_text(words.design_table(compared))}\n")
    typer.echo(f"{to_text(words.wait_table(compared))}\n")
    for line in (*words.weight_sentences(compared), *words.share_sentences(compared)):
        typer.echo(line)
