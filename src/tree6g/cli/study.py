"""The study of `tree6g compare --over`: one scenario, several values, several rules."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer

from tree6g.cli import results
from tree6g.cli.console import print_json
from tree6g.cli.designs import Load
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.metric.figure import Query
    from tree6g.report.tables import Table


LOAD_PATH: Final = "population.ai_requests_per_user_hour"
SERVICE_KEYS: Final = (
    "kind", "bit_share_frac", "energy_share_frac", "utility_share_frac", "served_share_frac",
    "asymmetry",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What to vary: `PATH=V1,V2,...` of the scenario, and the rules of the figure."""

    over: str
    rules: Sequence[str]
    idle_rules: Sequence[str]

    @property
    def path(self) -> str:
        """Path of the value that varies."""
        return self.over.partition("=")[0]

    @property
    def values(self) -> list[str]:
        """Its values as written."""
        return [value for value in self.over.partition("=")[2].split(",") if value]


def show(
    texts: Sequence[str],
    study: Study,
    load: Load,
    query: Query,
    *,
    out: Path | None,
    as_json: bool,
) -> None:
    """Run a study, write its page if there is a folder for it, and print it."""
    from tree6g.report.cases import ai_cases, statements, takeaway
    from tree6g.report.plaintext import to_text
    from tree6g.report.study import write_study
    from tree6g.report.summary import ascii_only

    if out is not None and study.path != LOAD_PATH:
        raise ScenarioError(f"expected --over {LOAD_PATH}=... with --out; got {study.path!r}.")
    cells, about = _cells(texts, study, load, query)
    line = f"{about['scenario']}, boundary {about['boundary']}, profiles {about['profile_set'][:8]}"
    page = None
    if out is not None:
        page = write_study(cells, out, about=line, notes=about["notes"]).page
    cases = ai_cases(cells) if study.path == LOAD_PATH else []
    if as_json:
        plain = [dataclasses.asdict(case) | {"few_bits_much_energy": case.holds} for case in cases]
        print_json({**about, "path": study.path, "cells": cells, "cases": plain})
        return
    typer.echo(to_text(_table(study, cells)))
    typer.echo(f"\n{ascii_only(line)}")
    if cases:
        typer.echo(f"\n{ascii_only(takeaway(cases))}")
        for line in statements(cases):
            typer.echo(ascii_only(line))
    if page is not None:
        typer.echo(f"\nReport: {page}")


def _table(study: Study, cells: Sequence[Mapping[str, Any]]) -> Table:
    from tree6g.report.tables import Column, Missing, Table

    shares = ("bit_share_frac", "energy_share_frac", "utility_share_frac", "served_share_frac")
    names = ("value", "rule", "idle", "service")
    columns = [Column(key=name, head=name) for name in names]
    columns += [
        Column(key=key, head=key.removesuffix("_share_frac"), unit="frac") for key in shares
    ]
    undefined = Missing(reason="not defined in this case")
    rows = tuple(
        (
            *(cell[name] for name in names),
            *(undefined if cell[key] is None else cell[key] for key in shares),
        )
        for cell in cells
    )
    return Table(name="study", title=study.over, columns=tuple(columns), rows=rows)


def _cells(
    texts: Sequence[str], study: Study, load: Load, query: Query
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """One row per value, rule, idle rule and service, and what holds for all of them.

    Each value is simulated once.
    """
    from tree6g.engine.run import run
    from tree6g.metric.tree import figure

    if len(texts) != 1 or not study.values:
        raise ScenarioError(
            f"expected one scenario and --over PATH=V1,V2,...; got {len(texts)} designs and "
            f"--over {study.over!r}."
        )
    cells: list[dict[str, Any]] = []
    about: dict[str, Any] = {}
    notes: list[str] = []
    by_load = study.path == LOAD_PATH
    for value in study.values:
        changed = (*load.overrides, f"{study.path}={value}")
        result = run(
            texts[0], seed=load.seed, trace=load.trace, overrides=changed, progress=load.progress
        )
        notes += result.ledger.meta.notes
        for rule in study.rules:
            for idle in study.idle_rules:
                asked = dataclasses.replace(query, rule=rule, idle=idle)
                taken = figure(result.ledger, asked)
                about = {
                    "scenario": result.scenario.name,
                    "boundary": taken.boundary,
                    "profile_set": taken.profile_set,
                }
                cells += [
                    {
                        "value": _shown(study.path, value),
                        **({"requests_per_user_hour": float(value)} if by_load else {}),
                        "rule": rule,
                        "idle": idle,
                        "unattributed_frac": results.unattributed_frac(taken),
                        "service": service.name,
                        **{key: getattr(service, key) for key in SERVICE_KEYS},
                    }
                    for service in taken.services
                ]
    return cells, {**about, "notes": list(dict.fromkeys(notes))}


def _shown(path: str, value: str) -> str:
    """A value as results call it: a policy of one's own by the name of its file."""
    return Path(value).name if path == "policy" and value.endswith(".py") else value
