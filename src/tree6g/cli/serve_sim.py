"""`tree6g serve-sim`: serve a request trace with a fleet of replicas, without any network."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

File = Annotated[Path, typer.Argument(metavar="TRACE", help="The trace, see `trace describe`.")]
Form = Annotated[str | None, typer.Option("--form", help="Its form; default: by its header.")]
Model = Annotated[
    str, typer.Option("--model", help="A packaged or added model, or the path of a config.json.")
]
Device = Annotated[str, typer.Option("--accelerator", help="Row of `list accelerators`.")]
Engine = Annotated[
    str | None, typer.Option("--engine", help="Engine whose constants count, e.g. 'vLLM 0.11.1'.")
]
Weights = Annotated[str, typer.Option("--weights", help="Storage format of the weights.")]
Parallel = Annotated[
    int, typer.Option("--tensor-parallel", min=1, help="Accelerators of a replica.")
]
Replicas = Annotated[int, typer.Option("--replicas", min=1, help="Replicas.")]
Routing = Annotated[
    str,
    typer.Option(
        "--routing",
        help="round_robin, session, least_loaded, shortest_queue or two_choices.",
    ),
]
Budget = Annotated[
    int | None, typer.Option("--token-budget", min=1, help="Tokens of an iteration at most.")
]
Places = Annotated[
    int | None, typer.Option("--max-sequences", min=1, help="Sequences at once at most.")
]
Cache = Annotated[
    float | None, typer.Option("--kv-capacity", min=1, help="Tokens in the KV cache of a replica.")
]
NoPrefix = Annotated[
    bool, typer.Option("--no-prefix-cache", help="Compute prefixes that requests share each time.")
]
Priorities = Annotated[
    bool, typer.Option("--priorities", help="Serve the trace's classes in order of priority.")
]
TokenClass = Annotated[
    str, typer.Option("--token-class", help="Gives the budgets of goodput and tokens on time.")
]
Patience = Annotated[
    float | None,
    typer.Option("--give-up", help="Seconds without a first token after which a request leaves."),
]
Speed = Annotated[float, typer.Option("--speed", help="Requests come so many times faster.")]
Host = Annotated[
    float, typer.Option("--host-power", min=0, help="Watts of the host per accelerator, always.")
]
Pue = Annotated[float, typer.Option("--pue", help="Site power over equipment power.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for a ledger and figures of the run.")
]


def serve_sim(  # noqa: PLR0913  # the options of a command are its arguments
    file: File,
    *,
    model: Model = "llama-3.1-8b",
    accelerator: Device = "h100-sxm",
    engine: Engine = None,
    weights: Weights = "fp16",
    tensor_parallel: Parallel = 1,
    replicas: Replicas = 1,
    routing: Routing = "round_robin",
    token_budget: Budget = None,
    max_sequences: Places = None,
    kv_capacity: Cache = None,
    no_prefix_cache: NoPrefix = False,
    priorities: Priorities = False,
    token_class: TokenClass = "assistant",
    give_up: Patience = None,
    speed: Speed = 1.0,
    host_power: Host = 150.0,
    pue: Pue = 1.0,
    seed: options.Seed = None,
    form: Form = None,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Serve a request trace with a fleet of replicas, and print latency, goodput and joules.

    Continuous batching as current vLLM does it, iteration by iteration; no radio, no network. With
    --out also the same ledger as other runs, for `check`, `report` and `kpi`, and figures.

    Example: tree6g serve-sim azure_llm_2023_conv.csv --model llama-3.1-8b --accelerator h100-sxm
    """
    from tree6g.cli.results import Stopwatch
    from tree6g.engine import serving
    from tree6g.report import serving as report

    watch = Stopwatch()
    wanted = serving.Options(
        accelerator=accelerator,
        model=model,
        engine=engine,
        weights=weights,
        count=tensor_parallel,
        replicas=replicas,
        routing=routing,
        seed=seed or 0,
        token_budget=token_budget,
        max_sequences=max_sequences,
        kv_capacity_tok=kv_capacity,
        prefix_cache=not no_prefix_cache,
        priorities=priorities,
        give_up_s=math.inf if give_up is None else give_up,
        host_w=host_power,
        pue=pue,
        speed=speed,
    )
    trace = serving.read(file, form)
    bin_s = None if out is None else serving.INTERVAL_S
    run = serving.serve_trace(trace, wanted, token_class=token_class, bin_s=bin_s)
    ledger = figures = None
    if out is not None:
        from tree6g.engine.serving_ledger import write_ledger
        from tree6g.report.figures.serving import write_figures

        ledger, figures = write_ledger(run, out).path, write_figures(run, out)
    if as_json:
        print_json({**report.result(run), "run_info": watch.info(ledger=ledger, figures=figures)})
        return
    for line in report.lines(run):
        typer.echo(line)
    if ledger is not None:
        typer.echo(f"\nLedger: {ledger}\nFigures: {figures}")
