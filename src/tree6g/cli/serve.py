"""`tree6g serve`: a ledger on a web page and for Prometheus."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tree6g.cli import listening, options
from tree6g.cli.console import print_json
from tree6g.cli.listening import Certificate, Host, Key, Names, PlainHttp, Port, Token
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.meter.access import Access
    from tree6g.serve.server import Application
    from tree6g.serve.view import View

Ledger = Annotated[
    Path | None,
    typer.Argument(metavar="[LEDGER]", help="A ledger folder, or the folder of a run; may grow."),
]
Replay = Annotated[
    float | None,
    typer.Option("--replay", metavar="SPEED", help="Play a recorded ledger as if it were live."),
]
Live = Annotated[
    Path | None,
    typer.Option(
        "--live", metavar="CONFIG", help="Run the meter of a config, and show its ledger."
    ),
]
Begin = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="TIME", help="Replay: history to begin with; default a quarter."
    ),
]
Over = Annotated[
    str,
    typer.Option("--over", metavar="TIME", help="Newest time that the exporter's gauges are of."),
]
Floors = Annotated[
    list[str] | None,
    typer.Option("--floor", metavar="SERVICE=BEQ_PER_J", help="TREE below which to warn."),
]
Grafana = Annotated[
    Path | None, typer.Option("--grafana", help="Write a Grafana dashboard to this file, and end.")
]
Otlp = Annotated[
    str | None,
    typer.Option(
        "--otlp",
        metavar="URL",
        help="Also send metrics to this collector every minute (OTLP over HTTP).",
    ),
]
Alerts = Annotated[
    Path | None,
    typer.Option("--alerts", help="Write Prometheus alert rules to this file, and end."),
]


def serve(  # noqa: PLR0913  # the options of a command are its arguments
    ledger: Ledger = None,
    *,
    host: Host = "127.0.0.1",
    port: Port = 8460,
    token: Token = None,
    certificate: Certificate = None,
    key: Key = None,
    plain_http: PlainHttp = False,
    names: Names = None,
    replay: Replay = None,
    live: Live = None,
    begin: Begin = None,
    over: Over = "5 min",
    floors: Floors = None,
    otlp: Otlp = None,
    boundary: options.Boundary = None,
    rule: options.Rule = None,
    idle: options.Idle = None,
    grafana: Grafana = None,
    alerts: Alerts = None,
    as_json: options.Json = False,
) -> None:
    """Show a ledger in a browser, as it grows, and to Prometheus. Reads only; ends with Ctrl-C.

    Example: tree6g serve tree6g-out/street-corner-1a2b3c4d --replay 60
    """
    if grafana is not None or alerts is not None:
        _write_files(grafana, alerts, as_json=as_json)
        return
    shown = _shown(ledger, live, replay, begin)
    from tree6g.serve.view import View

    access = listening.access(host, port, token, certificate, key, names, plain_http=plain_http)
    over_s = options.quantity("--over", over, "s")
    view = View(span_s=over_s, boundary=boundary, rule=rule, idle=idle)
    warned = options.numbers("--floor", floors)
    with shown as folder:
        _serve(folder, access, view, warned, otlp=otlp, as_json=as_json)


def _shown(
    ledger: Path | None, live: Path | None, replay: float | None, begin: str | None
) -> contextlib.AbstractContextManager[Path]:
    """The ledger that is shown: one that is there, its replay, or one that the meter writes."""
    if live is None:
        if ledger is None:
            raise ScenarioError(
                "expected a ledger to serve, or --live CONFIG, or --grafana FILE, or --alerts FILE."
            )
        return _played(options.ledger_folder(ledger), replay, begin)
    if ledger is not None or replay is not None or begin is not None:
        raise ScenarioError("expected --live CONFIG alone: its ledger is the one that is shown.")
    from tree6g.serve.live import metering

    return metering(live, lambda text: typer.echo(text, err=True))


@contextlib.contextmanager
def _played(folder: Path, speed: float | None, begin: str | None) -> Iterator[Path]:
    """The ledger itself, or the one that its replay writes."""
    if speed is None:
        if begin is not None:
            raise ScenarioError("--from needs --replay SPEED.")
        yield folder
        return
    from tree6g.serve.replay import replayed

    begin_s = None if begin is None else options.quantity("--from", begin, "s")
    with replayed(folder, speed=speed, begin_s=begin_s) as growing:
        yield growing


def _serve(  # what is served, how, and to whom
    folder: Path,
    access: Access,
    view: View,
    floors: Mapping[str, float],
    *,
    otlp: str | None,
    as_json: bool,
) -> None:
    """Serve until interrupted; the address is printed as soon as it answers."""
    from tree6g.serve.server import server_of

    with server_of(folder, access, view, floors) as server, _sent(server.application, otlp):
        if as_json:
            print_json(
                {"url": server.url, "ledger": str(folder), "token": access.token is not None}
            )
        else:
            typer.echo(f"{server.url}  (Ctrl-C ends; {server.url}metrics is for Prometheus)")
            if access.token is not None:
                typer.echo("In a browser open it once with ?token=TOKEN at its end.")
        sys.stdout.flush()
        # A service manager's way to end it is as good as Ctrl-C: a replay's folder goes with it.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@contextlib.contextmanager
def _sent(application: Application, otlp: str | None) -> Iterator[None]:
    """Send metrics while the context lasts, if that is wanted."""
    if otlp is None:
        yield
        return
    from tree6g.serve.otlp import request_of, sending, start_of, target_of

    began_s = time.time()

    def make() -> dict[str, Any]:
        """The request of now."""
        start_s = start_of(application.follower.state(), began_s)
        return request_of(application.families(), start_s=start_s, time_s=time.time())

    with sending(target_of(otlp), make, lambda text: typer.echo(text, err=True)):
        yield


def _write_files(grafana: Path | None, alerts: Path | None, *, as_json: bool) -> None:
    from tree6g.serve.server import packaged

    wanted = [(grafana, "grafana.json"), (alerts, "alerts.yml")]
    written = [(target, name) for target, name in wanted if target is not None]
    for target, name in written:
        target.write_bytes(packaged(name))
    if as_json:
        print_json({"written": [str(target) for target, _ in written]})
        return
    for target, _ in written:
        typer.echo(f"Wrote {target}")
