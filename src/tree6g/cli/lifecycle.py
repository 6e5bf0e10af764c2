"""`tree6g lifecycle`: inference, network, training and making hardware, per served token."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json, progress
from tree6g.errors import ScenarioError
from tree6g.training.usual import ACCELERATOR

if TYPE_CHECKING:
    from tree6g.ledger.reading import Ledger
    from tree6g.report.life import Told
    from tree6g.report.life_training import Data, Updates

Target = Annotated[
    str,
    typer.Argument(
        metavar="SERVICE_OR_SOURCE",
        help="A ledger, a scenario, or an AI service of a packaged scenario.",
    ),
]
Service = Annotated[
    str | None, typer.Option("--service", help="One service of it; default: all AI services.")
]
Country = Annotated[
    str, typer.Option("--country", help="Of the electricity: a code (DEU), a name, or WLD.")
]
Grid = Annotated[
    Path | None,
    typer.Option(
        "--grid", help="CSV with columns hour (0 to 23) and g_per_kwh, in place of the country."
    ),
]
LifeTokens = Annotated[
    float | None,
    typer.Option("--life-tokens", help="Tokens that a model serves in its life, everywhere."),
]
TrainingEnergy = Annotated[
    str | None,
    typer.Option("--training-energy", help="Of models without a published run, e.g. '5 GWh'."),
]
UpdatesPerYear = Annotated[
    float | None, typer.Option("--updates-per-year", help="Updates of each model in a year.")
]
UpdateEnergy = Annotated[
    str | None, typer.Option("--update-energy", help="Energy of one, e.g. '20 MWh'; else:")
]
UpdateTokens = Annotated[
    float | None, typer.Option("--update-tokens", help="Tokens that one is trained on.")
]
UpdateMethod = Annotated[str, typer.Option("--update-method", help="full, lora or qlora.")]
UpdateDevice = Annotated[
    str, typer.Option("--update-accelerator", help="Accelerator of the updates.")
]
TokensPerYear = Annotated[
    float | None,
    typer.Option(
        "--tokens-per-year",
        help="Tokens that pay for the updates of a year; default: this service's, at its rate.",
    ),
]
DataShare = Annotated[
    str | None,
    typer.Option("--data-share", help="Energy of the data pipeline over that of training: '20 %'."),
]
DataEnergy = Annotated[
    str | None, typer.Option("--data-energy", help="Energy of a model's data, e.g. '200 MWh'.")
]
SyntheticTokens = Annotated[
    float | None,
    typer.Option("--synthetic-tokens", help="Tokens of its data that other models wrote."),
]
OnSite = Annotated[
    float | None, typer.Option("--wue-on", min=0, help="Water of the site: L/kWh of equipment.")
]
OffSite = Annotated[
    float | None, typer.Option("--wue-off", min=0, help="Water of its electricity: L/kWh.")
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the figure (PNG, SVG, CSV).")]


def lifecycle(  # noqa: PLR0913  # the options of a command are its arguments
    target: Target,
    *,
    service: Service = None,
    country: Country = "WLD",
    grid: Grid = None,
    life_tokens: LifeTokens = None,
    training_energy: TrainingEnergy = None,
    updates_per_year: UpdatesPerYear = None,
    update_energy: UpdateEnergy = None,
    update_tokens: UpdateTokens = None,
    update_method: UpdateMethod = "lora",
    update_accelerator: UpdateDevice = ACCELERATOR,
    tokens_per_year: TokensPerYear = None,
    data_share: DataShare = None,
    data_energy: DataEnergy = None,
    synthetic_tokens: SyntheticTokens = None,
    on_site: OnSite = None,
    off_site: OffSite = None,
    overrides: options.Overrides = None,
    seed: options.Seed = None,
    boundary: options.Boundary = None,
    rule: options.Rule = None,
    idle: options.Idle = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Print what a served token takes over the life of its service, with intervals.

    Joules of inference, network, training, updates and data, and with making the hardware their
    carbon; tokens after which training adds less per token than inference (N*); TREE over life and
    per kgCO2e.

    Example: tree6g lifecycle city-query --country DEU --updates-per-year 12 --update-tokens 1e8
    """
    from tree6g.calibrate.grid_hours import read_hours
    from tree6g.report import life
    from tree6g.report.life_use import Assumptions, gather

    how = (update_method, update_accelerator)
    assumed = Assumptions(
        place=country,
        hours_kgco2e_per_j=None if grid is None else read_hours(grid),
        life_tok=life_tokens,
        training_j=_energy("--training-energy", training_energy),
        updates=_updates(updates_per_year, update_energy, update_tokens, tokens_per_year, how),
        data=_data(data_share, data_energy, synthetic_tokens),
        on_site_l_per_kwh=on_site,
        off_site_l_per_kwh=off_site,
    )
    query = options.query_of(boundary, rule, idle)
    ledger, named = _ledger(target, overrides or (), seed)
    told = [life.tell(f, assumed) for f in gather(ledger, assumed, query, service or named)]
    figures = None if out is None else life.write(told, out)
    if as_json:
        print_json(_as_json(told, ledger, boundary, figures))
    else:
        _print(told, figures)


def _updates(
    per_year: float | None,
    energy: str | None,
    units_tok: float | None,
    tok_per_year: float | None,
    how: tuple[str, str],
) -> Updates | None:
    """What was said of updates, `how` their method and accelerator."""
    from tree6g.report.life_training import Updates

    if per_year is None:
        if energy or units_tok or tok_per_year:
            raise ScenarioError("expected --updates-per-year with what updates take; got none.")
        return None
    method, accelerator = how
    return Updates(
        per_year=per_year,
        energy_j=_energy("--update-energy", energy),
        units_tok=units_tok,
        method=method,
        accelerator=accelerator,
        tok_per_year=tok_per_year,
    )


def _data(share: str | None, energy: str | None, synthetic_tok: float | None) -> Data | None:
    """What was said of the data pipeline."""
    from tree6g.report.life_training import Data

    if share is None and energy is None and synthetic_tok is None:
        return None
    return Data(
        training_frac=None if share is None else options.quantity("--data-share", share, "frac"),
        energy_j=_energy("--data-energy", energy),
        synthetic_tok=synthetic_tok,
    )


def _energy(option: str, text: str | None) -> float | None:
    return None if text is None else options.quantity(option, text, "j")


def _ledger(target: str, overrides: Sequence[str], seed: int | None) -> tuple[Ledger, str | None]:
    """The ledger of a source; of a service, that of the first packaged scenario which has it."""
    from tree6g.cli.designs import Design, Load, ledgers_of

    scenario, service = _scenario(target)
    design = Design(label=target, source=scenario, overrides=tuple(overrides))
    load = Load(seed=seed, trace=None, overrides=(), progress=progress())
    return ledgers_of([design], load)[target], service


def _scenario(target: str) -> tuple[str, str | None]:
    """The source that a target means, and the service where it is one."""
    from tree6g.scenario.load import load, names

    if target in names() or Path(target).exists() or "/" in target or "." in target:
        return target, None
    services: dict[str, str] = {}
    for scenario in names():
        for one in load(scenario).services:
            if one.kind == "ai":
                services.setdefault(one.name, scenario)
    if target not in services:
        from tree6g.errors import nearest

        raise ScenarioError(
            f"expected a ledger, a scenario or an AI service of a packaged one; got {target!r}. "
            f"{nearest(target, [*names(), *services])}"
        )
    typer.echo(f"service '{target}' of scenario '{services[target]}'", err=True)
    return services[target], target


def _as_json(
    told: Sequence[Told], ledger: Ledger, boundary: str | None, figures: Path | None
) -> dict[str, Any]:
    from tree6g.report import life

    return {
        "boundary": boundary or ledger.meta.boundary,
        "services": [life.to_dict(one) for one in told],
        "run_info": {
            "ledger": str(ledger.path),
            "figures": None if figures is None else str(figures),
        },
    }


def _print(told: Sequence[Told], figures: Path | None) -> None:
    for one in told:
        _print_one(one)
    if figures is not None:
        typer.echo(f"Figures: {figures}")


def _print_one(told: Told) -> None:
    from tree6g.report import life
    from tree6g.report.plaintext import to_text
    from tree6g.report.summary import ascii_only
    from tree6g.report.tables import reasons

    for table in (life.parts(told), life.making(told)):
        if table is not None:
            typer.echo(f"{ascii_only(table.title)}\n{to_text(table)}")
            for reason in reasons(table):
                typer.echo(f"- : {ascii_only(reason)}")
            typer.echo("")
    for sentence in life.sentences(told):
        typer.echo(ascii_only(sentence))
    typer.echo("")
    for note in life.notes(told):
        typer.echo(f"note: {ascii_only(note)}")
    typer.echo("")
