"""`tree6g meter`: what the meter reads of a real system, and what a machine offers it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

if TYPE_CHECKING:
    from tree6g.meter.agent.config import Config
    from tree6g.meter.reading import Found, Reading

MAX_SHOWN = 40
Target = Annotated[
    str,
    typer.Argument(
        metavar="URL|FILE",
        help="A metrics address, a file, a folder with sys/class/powercap, or nvml.",
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="KIND=TITLE[:UNIT]",
        help="Column of any CSV, e.g. 'energy=Energy used:Wh', time=Date; repeatable.",
    ),
]
ConfigFile = Annotated[
    Path, typer.Argument(metavar="CONFIG", help="YAML or TOML: targets, services, ledger.")
]
Check = Annotated[
    bool, typer.Option("--check", help="Ask each target once, say what it gives, and end.")
]
Once = Annotated[
    int | None, typer.Option("--once", metavar="N", min=1, help="End after N looks at all targets.")
]
For = Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after a time.")]


def test(  # the word that people type
    target: Target,
    *,
    columns: Columns = None,  # noqa: PT028
    as_json: options.Json = False,  # noqa: PT028
) -> None:
    """Say which source a target is, what would be read of it, and what cannot be, and why.

    Example: tree6g meter test http://127.0.0.1:8000/metrics
    """
    from tree6g.meter import probe

    found = probe.probe(target, columns or ())
    if as_json:
        print_json(probe.to_dict(found))
        return
    typer.echo(f"format  {found.format}")
    for line in _lines(found):
        typer.echo(line)
    for total in probe.sums(found):
        count = f"of {total.readings} series" if total.readings > 1 else "of one series"
        typer.echo(f"sum     {total.kind:<16} {total.value_si:>18,.6g} {total.unit:<8} {count}")
    for problem in found.problems:
        typer.echo(f"problem: {_ascii(problem)}")


def discover(*, as_json: options.Json = False) -> None:
    """Look for what this machine offers: counters of energy, cards, servers on loopback.

    Example: tree6g meter discover
    """
    from tree6g.meter import discover as finder

    offers = finder.discover()
    if as_json:
        print_json(finder.to_dict(offers))
        return
    for offer in offers:
        if offer.found is not None:
            typer.echo(f"found   {offer.what}: {offer.found.format}; {offer.target}")
            for problem in offer.found.problems:
                typer.echo(f"        {_ascii(problem)}")
    for offer in offers:
        if offer.found is None:
            typer.echo(f"absent  {offer.what}: {_ascii(offer.reason)}")


def run(
    config: ConfigFile,
    *,
    check: Check = False,
    once: Once = None,
    for_: For = None,
    as_json: options.Json = False,
) -> None:
    """Poll the targets of a config, and write what they count into a ledger that grows.

    Goes on until Ctrl-C; a crash loses at most the look in flight. `tree6g serve` shows the ledger
    meanwhile.

    Example: tree6g meter run meter.yaml --check
    """
    from tree6g.meter.agent.frugal import frugal

    frugal()  # before the first import of Arrow
    from tree6g.meter.agent import config as file

    read = file.load(config)
    if check:
        _check(read, as_json=as_json)
        return
    from tree6g.meter.agent.loop import Until
    from tree6g.meter.agent.run import meter

    length_s = math.inf if for_ is None else options.quantity("--for", for_, "s")
    until = Until(looks=math.inf if once is None else once, length_s=length_s)
    typer.echo(f"metering into {read.ledger} (Ctrl-C ends)", err=True)
    done = meter(read, until, lambda text: typer.echo(_ascii(text), err=True))
    if as_json:
        print_json(done)
    else:
        typer.echo(f"{done['ticks']} looks, {done['rows']:,} rows in {done['ledger']}")


def _check(config: Config, *, as_json: bool) -> None:
    """What each target gives now, and which of them count the same."""
    from tree6g.meter.agent.run import glance, glance_dict

    found = glance_dict(config, glance(config))
    if as_json:
        print_json(found)
    else:
        for target in found["targets"]:
            what = ", ".join(target["kinds"]) or "nothing that makes rows"
            said = f"{target['format']}: {what}" if target["answers"] else target["reason"]
            typer.echo(f"{'ok ' if target['answers'] else '-- '} {target['name']}: {_ascii(said)}")
            for problem in target["problems"][:MAX_SHOWN]:
                typer.echo(f"    {_ascii(problem)}")
        for clash in found["clashes"]:
            typer.echo(f"clash: {_ascii(clash)}")
    if found["clashes"]:
        raise typer.Exit(1)


def _lines(found: Found) -> list[str]:
    shown = [_line(r) for r in found.readings[:MAX_SHOWN]]
    more = len(found.readings) - MAX_SHOWN
    return [*shown, *([f"        and {more} more; --json lists all"] if more > 0 else [])]


def _line(r: Reading) -> str:
    value = "-" if r.net_si is None else f"{r.net_si:,.6g}"
    whose = " ".join(w for w in (r.model, r.tenant) if w)
    part = f"  (part of {r.part_of})" if r.part_of else ""
    name = _ascii(r.name if len(r.name) <= 70 else r.name[:67] + "...")
    return f"{r.form:<9} {r.kind:<16} {value:>14} {r.unit:<8} {name} {whose}{part}".rstrip()


def _ascii(text: str) -> str:
    """One line without control characters: a source must not write to a terminal as it likes."""
    return "".join(c if c.isprintable() else "?" for c in text)
