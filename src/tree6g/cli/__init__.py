"""The command line: `tree6g run`, `compare`, `report`, `check`, `explain` and the rest.

Each command parses, calls the package, and prints. Exit codes: 0 done; 1 `check` found problems;
2 the input is wrong (the reason is on standard error); 130 interrupted. With `--json`, standard
output holds exactly one JSON object, on failure `{"error": {"kind": ..., "problems": [...]}}`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from tree6g.cli import (
    check,
    cite,
    compare,
    explain,
    fit,
    init,
    kpi,
    lifecycle,
    listing,
    meter,
    meter_proxy,
    model,
    optimise,
    optimise_pilot,
    optimise_place,
    optimise_schedule,
    report,
    run,
    schema,
    scrapes,
    serve,
    serve_sim,
    split,
    sweep,
    trace,
    training,
    validate,
)
from tree6g.cli.console import guarded
from tree6g.version import __version__

HELP = """What a network that also serves AI is worth per joule.

Simulate a scenario, read any ledger of work and joules, and see TREE (bit-equivalents per joule)
beside the classic EE (bits per joule): per service, with the rules that hold.

First steps:  tree6g run street-corner
"""


def _version(wanted: bool) -> None:  # noqa: FBT001  # the shape that typer calls
    if wanted:
        typer.echo(f"tree6g {__version__}")
        raise typer.Exit


def _root(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options of `tree6g` itself."""
    del version


app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.callback(help=HELP)(_root)
_COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run,
    "compare": compare.compare,
    "sweep": sweep.sweep,
    "report": report.report,
    "check": check.check,
    "explain": explain.explain,
    "kpi": kpi.kpi,
    "serve": serve.serve,
    "validate": validate.validate,
    "fit": fit.fit,
    "serve-sim": serve_sim.serve_sim,
    "split": split.split,
    "training": training.training,
    "lifecycle": lifecycle.lifecycle,
    "list": listing.listing,
    "init": init.init,
    "schema": schema.schema,
    "cite": cite.cite,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(guarded(_command))

app.command("calibrate", hidden=True)(guarded(fit.calibrate))  # another word for `fit`

_traces = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_traces.command("describe")(guarded(trace.describe))
_traces.command("convert")(guarded(trace.convert))
app.add_typer(_traces, name="trace", help="Read request traces: describe one, or convert its form.")

_models = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_models.command("show")(guarded(model.show))
_models.command("count")(guarded(model.count))
_models.command("compress")(guarded(model.compress))
_models.command("add")(guarded(model.add))
app.add_typer(_models, name="model", help="Count a model from its config, or add one of your own.")


_optimisers = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_optimisers.callback()(lambda: None)  # one command is still named
_optimisers.command("allocate")(guarded(optimise.allocate))
_optimisers.command("place")(guarded(optimise_place.place))
_optimisers.command("schedule")(guarded(optimise_schedule.schedule))
_optimisers.command("pilot")(guarded(optimise_pilot.pilot))
app.add_typer(_optimisers, name="optimise", help="What a network should do, with what proves it.")

_meters = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
_meters.command("test")(guarded(meter.test))
_meters.command("discover")(guarded(meter.discover))
_meters.command("run")(guarded(meter.run))
_meters.command("record")(guarded(scrapes.record))
_meters.command("replay")(guarded(scrapes.replay))
_meters.command("proxy")(guarded(meter_proxy.proxy))
app.add_typer(_meters, name="meter", help="Read real systems: test a source, or find what is here.")


def main() -> None:
    """Entry point of the console script."""
    app()
