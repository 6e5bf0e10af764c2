"""Options that several commands take, and how their text becomes a query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.metric.figure import Query

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, nothing else.")
]
Seed = Annotated[int | None, typer.Option("--seed", help="Same seed, same ledger.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change one value of the scenario; repeatable. E.g. sites.0.radius='200 m'.",
    ),
]
Traces = Annotated[
    list[str] | None,
    typer.Option(
        "--trace",
        metavar="[SERVICE=]FILE",
        help="Requests from a trace file in place of drawn ones, for one AI service or for all.",
    ),
]
Boundary = Annotated[
    str | None,
    typer.Option("--boundary", help="ran, network, operator or full; default: the ledger's."),
]
Rule = Annotated[
    str | None,
    typer.Option(
        "--rule",
        help="Attribution of shared energy: proportional, equal, shapley, marginal, data_volume.",
    ),
]
Idle = Annotated[
    str | None,
    typer.Option("--idle", help="Energy of unused intervals: unattributed or spread."),
]
Alphas = Annotated[
    list[str] | None,
    typer.Option(
        "--alpha",
        metavar="SERVICE=BIT_PER_TOK",
        help="Worth of a token of a service, in place of its profile's; repeatable.",
    ),
]
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weight",
        metavar="SERVICE=W",
        help="Priority weight of a service, in place of the ledger's; repeatable.",
    ),
]
LedgerPath = Annotated[
    Path, typer.Argument(metavar="LEDGER", help="A ledger folder, or the folder of a run.")
]


def query_of(
    boundary: str | None = None,
    rule: str | None = None,
    idle: str | None = None,
    alphas: Sequence[str] | None = None,
    weights: Sequence[str] | None = None,
) -> Query:
    """The query that the options ask for."""
    from tree6g.metric.figure import Query

    return Query(
        boundary=boundary,
        rule=rule,
        idle=idle,
        alphas=numbers("--alpha", alphas),
        weights=numbers("--weight", weights),
    )


def quantity(option: str, text: str, suffix: str) -> float:
    """A quantity from 0 that an option gives with its unit.

    Raises:
        ScenarioError: It is no such quantity.
    """
    from tree6g.units import example, parse

    try:
        value = parse(text, suffix)
    except ValueError as error:
        raise ScenarioError(f"{option}: {error}") from error
    if not 0.0 <= value < math.inf or (suffix == "bps" and value == 0.0):
        raise ScenarioError(f"{option}: expected {example(suffix)}, not below 0; got {text!r}.")
    return value


def traces_of(texts: Sequence[str] | None) -> Path | dict[str, Path] | None:
    """One trace for all AI services, or one per named service."""
    if not texts:
        return None
    if len(texts) == 1 and ("=" not in texts[0] or Path(texts[0]).exists()):
        return Path(texts[0])
    pairs = [text.partition("=") for text in texts]
    if any(not sign for _, sign, _ in pairs):
        raise ScenarioError("expected --trace SERVICE=FILE for each of several traces.")
    return {service: Path(file) for service, _, file in pairs}


def ledger_folder(path: Path) -> Path:
    """The ledger of a path that may be the folder of a run."""
    inner = path / "ledger"
    return inner if not (path / "meta.json").exists() and inner.is_dir() else path


def numbers(option: str, texts: Sequence[str] | None) -> dict[str, float]:
    """Numbers by service of a repeatable option SERVICE=NUMBER.

    Raises:
        ScenarioError: A text of another form.
    """
    values = {}
    for text in texts or ():
        service, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            value = math.nan
        if not service or not math.isfinite(value):
            raise ScenarioError(f"expected {option} SERVICE=NUMBER; got {text!r}.")
        values[service] = value
    return values
