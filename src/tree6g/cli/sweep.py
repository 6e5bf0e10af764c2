"""`tree6g sweep`: a scenario under every combination of values and several seeds, in parallel."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json, progress

if TYPE_CHECKING:
    from tree6g.sweep.run import Sweep
    from tree6g.sweep.summary import Summary

Name = Annotated[
    str,
    typer.Argument(
        metavar="SCENARIO", help="Name from `tree6g list scenarios`, or a .yaml or .toml file."
    ),
]
Over = Annotated[
    list[str] | None,
    typer.Option(
        "--over",
        metavar="PATH=V1,V2,...",
        help="A value that varies; repeatable, all combinations run.",
    ),
]
Seeds = Annotated[
    int, typer.Option("--seeds", help="Runs of each design, from the scenario's seed on.")
]
Executor = Annotated[
    str, typer.Option("--executor", help="local, dask (tree6g[dask]) or ray (tree6g[ray]).")
]
Workers = Annotated[
    int | None, typer.Option("--workers", help="Worker processes; default: one per core.")
]
Address = Annotated[
    str | None,
    typer.Option("--address", help="A running Dask or Ray cluster in place of one of our own."),
]
Pareto = Annotated[
    str,
    typer.Option("--pareto", metavar="A,B", help="Two figures in which no other design is better."),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        help="Folder of the results, which others may share; default: tree6g-out/NAME-sweep.",
    ),
]
NoReport = Annotated[
    bool, typer.Option("--no-report", help="Write the parts only, no HTML and no figures.")
]


def sweep(  # noqa: PLR0913  # the options of a command are its arguments
    scenario: Name,
    *,
    over: Over = None,
    seeds: Seeds = 1,
    executor: Executor = "local",
    workers: Workers = None,
    address: Address = None,
    pareto: Pareto = "tree_beq_per_j,ttft_p90_s",
    out: Out = None,
    no_report: NoReport = False,
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
    """Run a grid of designs with several seeds each; finished runs are never repeated.

    Example: tree6g sweep street-corner --over population.users=200,400 --seeds 5
    """
    from tree6g.scenario.load import load
    from tree6g.sweep.executors import executor_of
    from tree6g.sweep.run import sweep as run_sweep
    from tree6g.sweep.summary import measures_of, summarise

    watch = results.Stopwatch()
    pair = [key.strip() for key in pareto.split(",")]
    measures_of(pair)
    query = options.query_of(boundary, rule, idle, alphas, weights)
    fixed = (*(overrides or ()), *(() if seed is None else (f"seed={seed}",)))
    count = workers if workers is not None else _cores()
    folder = out or Path("tree6g-out") / f"{load(scenario, fixed).name}-sweep"
    with executor_of(executor, count, address) as pool:
        done = run_sweep(
            scenario, over or (), seeds, executor=pool, out=folder, overrides=fixed, query=query,
            trace=options.traces_of(trace), ahead=2 * count, progress=progress(),
        )  # fmt: skip
    summary = summarise(done, pair)
    found = _found(done, summary)
    page = None if no_report else _page(done, found, folder)
    if as_json:
        info = watch.info(results=folder, report=page)
        print_json({**found, "run_info": {**info, "made": done.made}})
        return
    _print(done, found, folder, page)


def _found(done: Sweep, summary: Summary) -> dict[str, Any]:
    from tree6g.sweep.summary import MEASURES, plain

    return {
        "scenario": done.scenario,
        "axes": [dataclasses.asdict(axis) for axis in done.axes],
        "seeds": list(done.seeds),
        "runs": [run.key for run in done.runs],
        "measures": [dataclasses.asdict(measure) for measure in MEASURES],
        **plain(summary),
    }


def _page(done: Sweep, found: dict[str, Any], folder: Path) -> Path:
    from tree6g.report.sweep import write_sweep

    rows = [{**r.point.values, **r.row, "seed": r.seed} for r in done.runs]
    return write_sweep(found, rows, folder).page


def _print(done: Sweep, found: dict[str, Any], folder: Path, page: Path | None) -> None:
    from tree6g.report.plaintext import to_text
    from tree6g.report.summary import ascii_only
    from tree6g.report.sweep import design_table, takeaway

    typer.echo(ascii_only(takeaway(found)))
    typer.echo(f"\n{to_text(design_table(found))}\n")
    numbers = {str(point["overrides"]): i for i, point in enumerate(found["points"], 1)}
    best = ", ".join(str(numbers[str(point)]) for point in found["pareto"]["points"])
    pair = " and ".join(found["pareto"]["figures"])
    typer.echo(f"No other design beats these in {pair}: {best or 'none has both'}")
    typer.echo(f"Runs: {len(done.runs)}, of which {done.made} were made now; kept in {folder}")
    if page is not None:
        typer.echo(f"Report: {page}")


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
