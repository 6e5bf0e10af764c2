"""`tree6g meter record` and `replay`: keep what targets say, and play it back."""

from __future__ import annotations

import contextlib
import math
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

if TYPE_CHECKING:
    from tree6g.meter.scrapes.log import Log
    from tree6g.meter.scrapes.record import Recorder

Targets = Annotated[
    list[str],
    typer.Argument(
        metavar="CONFIG|[NAME=]URL|FILE...",
        help="An agent's configuration, or addresses, files, folders with sys/class/powercap.",
    ),
]
LogFolder = Annotated[Path, typer.Argument(metavar="LOG", help="Folder that `record` wrote.")]
Interval = Annotated[str | None, typer.Option("--interval", help="How often; default 10 s.")]
For = Annotated[str | None, typer.Option("--for", help="End after this long, e.g. '10 min'.")]
Speed = Annotated[float, typer.Option("--speed", help="How many times faster than it was.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")]

Into = Annotated[
    Path | None, typer.Option("--ledger", help="Write this ledger from the record instead.")
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", help="For --ledger: configuration in place of the record's."),
]


def record(
    targets: Targets,
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder of the log.")],
    interval: Interval = None,
    length: For = None,
    as_json: options.Json = False,
) -> None:
    """Keep what targets say, as it came, with the time of each look; Ctrl-C ends it.

    A log is gone on with if its folder is given again, also after a crash.

    Example: tree6g meter record http://127.0.0.1:8000/metrics --out log --for '10 min'
    """
    from tree6g.meter.scrapes import record as scrapes
    from tree6g.meter.scrapes.log import start_log

    plan = scrapes.plan_of(targets, None if interval is None else _positive("--interval", interval))
    log = start_log(out, plan.told, plan.interval_s, plan.config)
    recorder = scrapes.Recorder(log, plan.fetchers, say=lambda line: typer.echo(line, err=True))
    for left_out in plan.left_out:
        typer.echo(left_out, err=True)
    with _until_told(recorder):
        recorder.run(math.inf if length is None else _positive("--for", length))
    counts = recorder.counts
    if as_json:
        print_json(
            {
                "log": str(out),
                "targets": list(plan.fetchers),
                "looks": counts.looks,
                "failed_looks": counts.failed_looks,
                "raw_byte": counts.raw_byte,
                "log_byte": sum(log.path(n).stat().st_size for n in log.targets),
            }
        )
        return
    typer.echo(
        f"{counts.looks} looks at {len(plan.fetchers)} targets, {counts.failed_looks} failed: {out}"
    )


def replay(
    folder: LogFolder,
    *,
    speed: Speed = 1.0,
    port: Port = 0,
    length: For = None,
    ledger: Into = None,
    config: ConfigFile = None,
    as_json: options.Json = False,
) -> None:
    """Answer as recorded targets did, on loopback, until the record is at its end.

    With --ledger nothing is served: the record is read into a ledger at once.

    Example: tree6g meter replay log --speed 60
    """
    from tree6g.meter.scrapes.log import open_log
    from tree6g.meter.scrapes.play import Player, PlayerServer

    log = open_log(folder)
    for problem in log.problems():
        typer.echo(f"note: {problem}", err=True)
    if ledger is not None:
        _read(log, ledger, config, as_json=as_json)
        return
    player = Player(log, speed=speed)
    longest_s = math.inf if length is None else _positive("--for", length)
    with PlayerServer(player, port=port) as server:
        _announce(log, server.url, player.span_s, as_json=as_json)
        player.wait(longest_s)


def _read(log: Log, ledger: Path, config: Path | None, *, as_json: bool) -> None:
    import dataclasses

    from tree6g.meter.scrapes.direct import config_of, read_log

    counts = read_log(
        log, config_of(log, ledger, config), say=lambda line: typer.echo(line, err=True)
    )
    if as_json:
        print_json({"ledger": str(ledger), **dataclasses.asdict(counts)})
    else:
        typer.echo(f"{counts.looks} looks, {counts.rows:,} rows: {ledger}")


@contextlib.contextmanager
def _until_told(recorder: Recorder) -> Iterator[None]:
    """Ctrl-C and SIGTERM end the record after the look in flight."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {n: signal.signal(n, lambda *_: recorder.stop.set()) for n in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _announce(log: Log, url: str, span_s: tuple[float, float], *, as_json: bool) -> None:
    """Say at once where it answers: others wait for it."""
    urls = {name: f"{url}/{name}" for name in log.targets}
    if as_json:
        told: dict[str, Any] = {"url": url, "targets": urls}
        print_json(told | {"start_s": span_s[0], "end_s": span_s[1]})
        return
    for name, at in urls.items():
        typer.echo(f"{name}: {at}")


def _positive(option: str, text: str) -> float:
    from tree6g.errors import ScenarioError

    value = options.quantity(option, text, "s")
    if value <= 0.0:
        raise ScenarioError(f"{option}: expected a length of time above 0; got {text!r}.")
    return value
