"""`tree6g compare`: which design is better, for which weights; or one scenario under many rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tree6g.cli import designs, options
from tree6g.cli.console import print_json, progress

if TYPE_CHECKING:
    from tree6g.metric.compare import Comparison

Designs = Annotated[
    list[str],
    typer.Argument(
        metavar="DESIGN",
        help="Ledgers, runs, scenario names or files, each '[LABEL=]SOURCE [PATH=VALUE ...]'.",
    ),
]


def compare(  # noqa: PLR0913  # the options of a command are its arguments
    texts: Designs,
    *,
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

    Example: tree6g compare corner-a.yaml corner-b.yaml
    """
    query = options.query_of(boundary, rule, idle, alphas, weights)
    frozen: dict[str, Any] = {
        "seed": seed,
        "trace": options.traces_of(trace),
        "overrides": tuple(overrides or ()),
        "progress": progress(),
    }
    from tree6g.metric.compare import compare as compare_ledgers

    ledgers = designs.ledgers_of(designs.read_designs(texts), **frozen)
    compared = compare_ledgers(ledgers, query)
    if as_json:
        print_json(compared.to_dict())
    else:
        _print(compared)


def _print(compared: Comparison) -> None:
    typer.echo(f"{'design':<24} {'TREE bit-eq/J':>14} {'EE bit/J':>14} {'energy J':>14}")
    for name, figure in compared.figures.items():
        cells = (figure.tree_beq_per_j, figure.ee_bit_per_j, figure.energy_j)
        typer.echo(f"{name:<24} " + " ".join(f"{_number(cell):>14}" for cell in cells))
    typer.echo("")
    for reason in compared.reasons:
        typer.echo(reason)
    if compared.tree_order is None or compared.ee_order is None:
        typer.echo("So the designs are not ranked.")
    else:
        typer.echo(f"EE ranks    {' > '.join(compared.ee_order)}")
        typer.echo(f"TREE ranks  {' > '.join(compared.tree_order)}")
    for turn in compared.break_even:
        if turn.alpha_bit_per_tok is None:
            typer.echo(f"{turn.service}: {turn.winner_above or 'neither'} wins at every weight")
        else:
            typer.echo(
                f"{turn.service}: {turn.winner_above} has the higher TREE of {turn.a} and {turn.b} "
                f"where a token is worth more than {turn.alpha_bit_per_tok:,.6g} bit, "
                "the other below"
            )
    for a, b, service, low, high in compared.opposite:
        span = f"above {low:,.6g}" if high is None else f"from {low:,.6g} to {high:,.6g}"
        typer.echo(f"{service}: EE and TREE rank {a} and {b} in opposite order {span} bit/token")
    for share in compared.weight_share:
        typer.echo(
            f"{share.design} wins on {share.frac:.1%} of {share.low_bit_per_tok:g} to "
            f"{share.high_bit_per_tok:g} bit/token for {share.service} ({share.measure})"
        )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.6g}"
