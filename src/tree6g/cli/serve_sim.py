"""`tree6g serve-sim`: serve a request trace with a fleet of replicas, without any network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tree6g.cli import options, results
from tree6g.cli.console import print_json

if TYPE_CHECKING:
    from tree6g.engine.serving import Options, ServeRun

File = Annotated[Path, typer.Argument(metavar="TRACE", help="The trace, see `trace describe`.")]
Form = Annotated[str | None, typer.Option("--form", help="Its form; default: by its header.")]
Model = Annotated[
    str, typer.Option("--model", help="A packaged or added model, or the path of a config.json.")
]
Device = Annotated[str, typer.Option("--accelerator", help="Row of `list accelerators`.")]
Engine = Annotated[
    str | None, typer.Option("--engine", help="Engine whose constants count, e.g. 'vLLM 0.11.1'.")
]
Constants = Annotated[
    Path | None, typer.Option("--constants", help="Table of `fit accelerator --out`.")
]
Clock = Annotated[
    str | None, typer.Option("--clock", help="Lock the clock to a state, e.g. '1200 MHz'.")
]
Cap = Annotated[
    str | None, typer.Option("--power-limit", help="Power cap of an accelerator, e.g. '400 W'.")
]
Stages = Annotated[
    int, typer.Option("--pipeline", min=1, help="Pipeline stages, each with --tensor-parallel.")
]
Pictures = Annotated[
    bool, typer.Option("--pictures", help="Prompts of a vision-language model are pictures.")
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
Prefill = Annotated[
    int,
    typer.Option(
        "--prefill-replicas", min=0, help="Replicas besides, for prompts only; others decode."
    ),
]
LinkRate = Annotated[
    str,
    typer.Option("--kv-link", help="Rate of keys and values from prefill to decode replicas."),
]
LinkDelay = Annotated[str, typer.Option("--kv-latency", help="Delay of that link.")]
LinkEnergy = Annotated[str, typer.Option("--kv-energy", help="Energy per bit of that link.")]
Least = Annotated[
    int | None,
    typer.Option("--scale-from", min=1, help="Start and stop replicas; so many stay on."),
]
StartTime = Annotated[float, typer.Option("--start-time", min=0, help="Seconds to start one.")]
IdleTime = Annotated[
    float, typer.Option("--idle-time", min=0, help="Seconds without work before one stops.")
]
StartWaiting = Annotated[
    float, typer.Option("--start-waiting", min=0, help="Waiting requests per replica to start one.")
]
StartPower = Annotated[
    float, typer.Option("--start-power", min=0, help="Watts of a replica that starts.")
]
OffPower = Annotated[
    float, typer.Option("--off-power", min=0, help="Watts of a replica that is off.")
]
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
    pipeline: Stages = 1,
    constants: Constants = None,
    clock: Clock = None,
    power_limit: Cap = None,
    pictures: Pictures = False,
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
    prefill_replicas: Prefill = 0,
    kv_link: LinkRate = "400 Gbps",
    kv_latency: LinkDelay = "10 us",
    kv_energy: LinkEnergy = "4 pJ/bit",
    scale_from: Least = None,
    start_time: StartTime = 60.0,
    idle_time: IdleTime = 60.0,
    start_waiting: StartWaiting = 4.0,
    start_power: StartPower = 0.0,
    off_power: OffPower = 0.0,
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
    _serve(dict(locals()))


def _serve(given: Mapping[str, Any]) -> None:
    """What the command does with its options."""
    from tree6g.engine import serving
    from tree6g.report import serving as report

    watch, out = results.Stopwatch(), given["out"]
    run = serving.serve_trace(
        serving.read(given["file"], given["form"]),
        _options(given),
        token_class=given["token_class"],
        bin_s=None if out is None else serving.INTERVAL_S,
    )
    written = {} if out is None else _write(run, out)
    if given["as_json"]:
        print_json({**report.result(run), "run_info": watch.info(**_PATHS | written)})
        return
    for line in [*report.lines(run), *(f"{k.title()}: {path}" for k, path in written.items())]:
        typer.echo(line)


_PATHS: dict[str, Path | None] = {"ledger": None, "figures": None}


def _options(given: Mapping[str, Any]) -> Options:
    """What the options of the command ask for."""
    from tree6g.compute.serving.disaggregation import KvLink
    from tree6g.compute.serving.scaling import Scaling
    from tree6g.engine.serving import Options

    scaling = None
    if given["scale_from"] is not None:
        scaling = Scaling(
            least=given["scale_from"],
            start_waiting=given["start_waiting"],
            idle_s=given["idle_time"],
            start_s=given["start_time"],
            start_w=given["start_power"],
            off_w=given["off_power"],
        )
    same = (
        "accelerator", "model", "engine", "weights", "replicas", "routing", "token_budget",
        "max_sequences", "priorities", "pue", "speed", "prefill_replicas", "constants", "clock",
        "pictures",
    )  # fmt: skip
    return Options(
        **{name: given[name] for name in same},
        count=given["tensor_parallel"] * given["pipeline"],
        stages=given["pipeline"],
        power_limit_w=_watts(given["power_limit"]),
        seed=given["seed"] or 0,
        kv_capacity_tok=given["kv_capacity"],
        prefix_cache=not given["no_prefix_cache"],
        give_up_s=math.inf if given["give_up"] is None else given["give_up"],
        host_w=given["host_power"],
        kv_link=KvLink(
            byte_per_s=options.quantity("--kv-link", given["kv_link"], "bps") / 8.0,
            latency_s=options.quantity("--kv-latency", given["kv_latency"], "s"),
            j_per_byte=options.quantity("--kv-energy", given["kv_energy"], "j_per_bit") * 8.0,
        ),
        scaling=scaling,
    )


def _watts(text: str | None) -> float | None:
    return None if text is None else options.quantity("--power-limit", text, "w")


def _write(run: ServeRun, out: Path) -> dict[str, Path | None]:
    """Ledger and figures of a run; where they are."""
    from tree6g.engine.serving_ledger import write_ledger
    from tree6g.report.figures.serving import write_figures

    return {"ledger": write_ledger(run, out).path, "figures": write_figures(run, out)}
