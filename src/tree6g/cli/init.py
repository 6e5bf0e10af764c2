"""`tree6g init`: a commented scenario file to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json
from tree6g.errors import ScenarioError


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The YAML file to write.")] = Path(
        "scenario.yaml"
    ),
    *,
    like: Annotated[
        str, typer.Option("--from", help="Scenario of the library to start from.")
    ] = "street-corner",
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    as_json: options.Json = False,
) -> None:
    """Write a commented scenario file.

    Example: tree6g init my-corner.yaml --from hybrid-cell
    """
    from tree6g.scenario.init import init_text

    text = init_text(like)
    if file.exists() and not force:
        raise ScenarioError(f"{file} exists already. Choose another name, or add --force.")
    file.write_text(text, encoding="utf-8")
    if as_json:
        print_json({"file": str(file), "from": like})
    else:
        typer.echo(f"{file} written. Edit it, then: tree6g run {file}")
