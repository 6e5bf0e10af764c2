"""`tree6g training`: FLOP, memory, exchange, time and energy of training a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json
from tree6g.errors import ScenarioError
from tree6g.training.usual import ACCELERATOR, BATCH_SAMPLES, HOST_W, PUE, SEQUENCE_TOK

if TYPE_CHECKING:
    from tree6g.compute.accelerator import Accelerator
    from tree6g.report.tables import Table
    from tree6g.training.communication import Layout
    from tree6g.training.published import PublishedRun
    from tree6g.training.work import Method, Trainee

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A packaged or added model, a config.json, or a CNN such as resnet50."
    ),
]
Tokens = Annotated[
    float | None,
    typer.Option("--tokens", help="Tokens or images passed in all; default: as published."),
]
MethodName = Annotated[str, typer.Option("--method", help="pretrain, full, lora or qlora.")]
Rank = Annotated[int, typer.Option("--rank", min=1, help="Rank of adapters.")]
Targets = Annotated[str, typer.Option("--targets", help="Matrices with adapters, e.g. q,k,v,o.")]
Device = Annotated[
    str | None,
    typer.Option("--accelerator", help="Accelerator; default: as published, or h100-sxm."),
]
Copies = Annotated[int, typer.Option("--data", min=1, help="Copies with a part of the batch.")]
Devices = Annotated[
    int | None, typer.Option("--devices", min=1, help="Accelerators there are; more are refused.")
]
Tensor = Annotated[int | None, typer.Option("--tensor", min=1, help="Devices that share a layer.")]
Stages = Annotated[int | None, typer.Option("--pipeline", min=1, help="Stages of layers.")]
Sequence = Annotated[
    int | None, typer.Option("--sequence", min=1, help="Tokens of a sequence; default 4096.")
]
Batch = Annotated[
    float | None,
    typer.Option(
        "--batch", min=1, help="Tokens or images of an update; default 64 samples a copy."
    ),
]
Utilisation = Annotated[
    str, typer.Option("--utilisation", help="Share of peak arithmetic reached over the run (MFU).")
]
Recompute = Annotated[
    bool, typer.Option("--recompute", help="Compute activations again instead of keeping them.")
]
HostPower = Annotated[str, typer.Option("--host-power", help="Of the host, per accelerator.")]
Pue = Annotated[float, typer.Option("--pue", min=1, help="Site power over equipment power.")]


def training(  # noqa: PLR0913  # the options of a command are its arguments
    model: Model,
    *,
    tokens: Tokens = None,
    method: MethodName = "pretrain",
    rank: Rank = 8,
    targets: Targets = "q,v",
    accelerator: Device = None,
    devices: Devices = None,
    data: Copies = 1,
    tensor: Tensor = None,
    pipeline: Stages = None,
    sequence: Sequence = None,
    batch: Batch = None,
    utilisation: Utilisation = "40 %",
    recompute: Recompute = False,
    host_power: HostPower = f"{HOST_W:g} W",
    pue: Pue = PUE,
    as_json: options.Json = False,
) -> None:
    """Print FLOP, memory, bytes exchanged, time and energy of training a model.

    pretrain and full train all parameters, lora adapters on a frozen model, qlora the same on a
    model in 4 bits. Devices: as few as hold it, unless --tensor or --pipeline say otherwise.

    Example: tree6g training llama-3.1-8b --method lora --tokens 10e6 --accelerator a100-80
    """
    from tree6g.compute.accelerator import accelerator as accelerator_of
    from tree6g.report import training as report
    from tree6g.training.run import Plan, run
    from tree6g.training.work import method_of

    way = method_of(method)
    trained, published = _trainee(model, way, sequence, rank, targets)
    default = published.accelerator if published else ACCELERATOR
    device = accelerator_of(accelerator or default)
    layout = _layout(trained, way, device, (data, tensor, pipeline), devices)
    units = _units(tokens, way, published)
    usual = float(BATCH_SAMPLES * data * trained.sequence)
    plan = Plan(
        model=trained,
        method=way,
        units=units,
        batch=batch or (usual if data > 1 else min(usual, units)),
        device=device,
        layout=layout,
        utilisation_frac=options.quantity("--utilisation", utilisation, "frac"),
        recompute=recompute,
        host_w=options.quantity("--host-power", host_power, "w"),
        pue=pue,
    )
    done = run(plan)
    if as_json:
        print_json(report.to_dict(plan, done, published))
        return
    _print(report.tables(plan, done), report.notes(plan, done, published))


def _trainee(
    name: str, method: Method, sequence: int | None, rank: int, targets: str
) -> tuple[Trainee, PublishedRun | None]:
    """A model with its published run, if it has one; or a convolutional network."""
    from tree6g.compute.model.networks import NETWORKS, network
    from tree6g.scenario.model_config import architecture
    from tree6g.training.published import published_run
    from tree6g.training.work import image_trainee, trainee

    if name.strip().lower().replace("-", "_") in NETWORKS:
        return image_trainee(network(name), method), None
    model = architecture(name)
    published = published_run(model.name)
    usual = published.sequence_tok if published and method == "pretrain" else SEQUENCE_TOK
    wanted = [target.strip() for target in targets.split(",") if target.strip()]
    made = trainee(model, method, sequence=sequence or usual, rank=rank, targets=wanted)
    return made, published


def _units(tokens: float | None, method: Method, published: PublishedRun | None) -> float:
    if tokens is not None:
        return tokens
    told = published.units_tok if published and method == "pretrain" else None
    if told is None:
        from tree6g.training.published import published_models

        known = ", ".join(published_models())
        raise ScenarioError(
            "expected --tokens, how many are passed in all; got none. Without it only published "
            f"pre-training is known, of {known}."
        )
    return told


def _layout(
    model: Trainee,
    method: Method,
    device: Accelerator,
    given: tuple[int, int | None, int | None],
    most: int | None,
) -> Layout:
    """The layout that was given, or as few devices as hold the model in each copy; `most` in all.

    Raises:
        ScenarioError: More ranks than there are devices.
    """
    import dataclasses

    from tree6g.training.communication import Layout
    from tree6g.training.run import least_layout

    data, tensor, pipeline = given
    if tensor is None and pipeline is None:
        layout = dataclasses.replace(least_layout(model, method, device), data=data)
    else:
        layout = Layout(data=data, tensor=tensor or 1, pipeline=pipeline or 1)
    if most is not None and layout.devices > most:
        ranks = f"{layout.data} x {layout.tensor} x {layout.pipeline} = {layout.devices:,}"
        raise ScenarioError(
            "expected data x tensor x pipeline of at most --devices; "
            f"got {ranks} of {most:,}. Use fewer ranks."
        )
    return layout


def _print(tables: Iterable[Table], notes: Iterable[str]) -> None:
    from tree6g.report.plaintext import to_text
    from tree6g.report.summary import ascii_only

    for table in tables:
        typer.echo(f"{ascii_only(table.title)}\n{to_text(table)}\n")
    for note in notes:
        typer.echo(f"note: {ascii_only(note)}")
