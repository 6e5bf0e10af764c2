"""`tree6g optimise pilot`: a router before real servers, in shadow first."""

from __future__ import annotations

import dataclasses
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import listening, options
from tree6g.cli.console import print_json
from tree6g.cli.listening import Certificate, Host, Key, Names, PlainHttp, Port, Token
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.meter.access import Access
    from tree6g.optimise.pilot.config import Config

ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="YAML or TOML: servers, services, ledger.")
]
Live = Annotated[
    bool | None,
    typer.Option(
        "--live/--shadow", help="Follow the rule, or only record what it would do; as in CONFIG."
    ),
]
Rule = Annotated[
    str | None,
    typer.Option("--rule", help="tree, round-robin or least-loaded in place of that in CONFIG."),
]
For = Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after this time.")]
Report = Annotated[
    bool, typer.Option("--report", help="Sum up the record of CONFIG, and end: nothing is routed.")
]


def pilot(  # noqa: PLR0913  # the options of a command are its arguments
    config: ConfigFile,
    *,
    live: Live = None,
    rule: Rule = None,
    for_: For = None,
    report: Report = False,
    host: Host = "127.0.0.1",
    port: Port = 8462,
    token: Token = None,
    certificate: Certificate = None,
    key: Key = None,
    plain_http: PlainHttp = False,
    names: Names = None,
    as_json: options.Json = False,
) -> None:
    """Route requests to the server where they are worth most per joule. Ends with Ctrl-C.

    Stands before servers that speak OpenAI's API. In shadow, which is where it begins, a plain rule
    routes and the record says what the other would have earned; --report sums it up.

    Example: tree6g optimise pilot pilot.yaml --shadow --for "1 h"
    """
    from tree6g.optimise.pilot.config import load

    read = load(config)
    if report:
        _report(read, as_json=as_json)
        return
    access = listening.access(host, port, token, certificate, key, names, plain_http=plain_http)
    _route(_changed(read, live, rule), access, for_, as_json=as_json)


def _changed(read: Config, live: bool | None, rule: str | None) -> Config:  # noqa: FBT001
    """The config with what the options say."""
    from tree6g.optimise.pilot.config import RULES

    if rule is not None and rule not in RULES:
        raise ScenarioError(f"expected --rule {', '.join(RULES)}; got {rule!r}.")
    mode = read.mode if live is None else ("live" if live else "shadow")
    return dataclasses.replace(read, mode=mode, rule=rule or read.rule)


def _route(read: Config, access: Access, for_: str | None, *, as_json: bool) -> None:
    """Route, and tell where, and what came of it."""
    from tree6g.optimise.pilot.start import run

    def say(url: str) -> None:
        """Tell where it answers; with --json, output is for what comes at the end."""
        servers = ", ".join(server.name for server in read.servers)
        typer.echo(f"{url}  before {servers}: {read.mode}, {read.rule}  (Ctrl-C ends)", err=as_json)
        sys.stdout.flush()

    length_s = math.inf if for_ is None else options.quantity("--for", for_, "s")
    done = run(read, access, length_s=length_s, say=say, complain=_complain)
    if as_json:
        print_json({"mode": read.mode, "rule": read.rule, **done})
    else:
        typer.echo(
            f"{done['requests']:,} requests; TREE so far {done['price_beq_per_j']:.4g} beq/J"
        )


def _complain(text: str) -> None:
    typer.echo(text, err=True)


def _report(read: Config, *, as_json: bool) -> None:
    from tree6g.optimise.pilot.record import summary

    if read.record is None:
        raise ScenarioError("expected `record: FILE` in the config; there is nothing to sum up.")
    found = summary(read.record)
    if as_json:
        print_json(found)
        return
    share = found["agreed_frac"]
    typer.echo(
        f"{found['requests']:,} requests, {found['requests_with_tokens']:,} with known tokens; "
        f"{'none' if share is None else format(share, '.1%')} went where the rule wants them\n"
    )
    typer.echo(f"{'service':<20}{'':<8}{'utility, beq':>14}{'energy, J':>12}{'beq/J':>12}  servers")
    for name, part in {**found["services"], "all": found}.items():
        for title, sums, where in (("sent", "earned", "sent"), ("chosen", "would_earn", "chosen")):
            to = ", ".join(f"{server} {count}" for server, count in part[where].items())
            row, label = part[sums], name if title == "sent" else ""
            ratio = row["marginal_tree_beq_per_j"]
            cells = (
                f"{row['utility_beq']:>14,.5g}{row['energy_j']:>12,.5g}",
                f"{'-' if ratio is None else format(ratio, ',.5g'):>12}",
            )
            typer.echo(f"{label:<20}{title:<8}{''.join(cells)}  {to}")
    typer.echo("\nExpected by the router itself, beyond idle power; the meter measures.")
