"""`tree6g split`: where to cut a model between a device and a server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.compute.splitting.choice import Aim, Objective
    from tree6g.compute.splitting.hop import Hop
    from tree6g.compute.splitting.profile import LayerProfile, Work
    from tree6g.compute.splitting.setup import Place
    from tree6g.compute.splitting.study import Question

RATES_BPS: Final = tuple(float(f"{10 ** (6 + 0.5 * n):.2g}") for n in range(9))  # 1 M to 10 G
HOST_W: Final = 150.0  # of the server's host per accelerator, as in scenarios
PUE: Final = 1.2  # of its place, as in scenarios
LOADS: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="A packaged or added model, a config.json, or a CNN such as alexnet."
    ),
]
Device = Annotated[str, typer.Option("--device", help="Accelerator of the device.")]
DeviceWeights = Annotated[str, typer.Option("--device-weights", help="Weights on the device.")]
DeviceMemory = Annotated[
    str, typer.Option("--device-memory", help="Share of the device's memory for the model.")
]
DeviceShare = Annotated[
    str, typer.Option("--device-share", help="Share of the device's speed that the model gets.")
]
Server = Annotated[str, typer.Option("--server", help="Accelerator of the server.")]
ServerWeights = Annotated[str, typer.Option("--server-weights", help="Weights at the server.")]
Load = Annotated[
    float, typer.Option("--load", min=1, help="Sequences that share the server's passes.")
]
Uplink = Annotated[str, typer.Option("--uplink", help="Rate from device to server.")]
Downlink = Annotated[str, typer.Option("--downlink", help="Rate from server to device.")]
Rtt = Annotated[str, typer.Option("--rtt", help="Round trip without any bits.")]
RadioPower = Annotated[
    str, typer.Option("--radio-power", help="Power of the device's radio while it sends.")
]
NetworkEnergy = Annotated[
    str, typer.Option("--network-energy", help="Energy of the network per bit, both directions.")
]
Prompt = Annotated[int, typer.Option("--prompt", min=1, help="Prompt tokens.")]
Output = Annotated[int, typer.Option("--output", min=1, help="Output tokens.")]
Packing = Annotated[
    str, typer.Option("--compression", help="Of the cut: fp32, fp16, fp8, int8, int4, topk.")
]
Quality = Annotated[
    float, typer.Option("--quality", min=0, help="Worth of a token through the packed cut.")
]
AimName = Annotated[
    str, typer.Option("--aim", help="What is best: energy, latency, weighted, tree.")
]
Price = Annotated[float, typer.Option("--j-per-s", min=0, help="Price of a second, `weighted`.")]
TokenClass = Annotated[
    str, typer.Option("--token-class", help="Gives the limits of a language model, and `tree`.")
]
Limit = Annotated[
    str | None, typer.Option("--latency-limit", help="Limit of the whole answer or frame.")
]
Keep = Annotated[
    int, typer.Option("--keep-layers", min=0, help="Layers that must stay on the device.")
]
Head = Annotated[
    bool, typer.Option("--head-on-device", help="The output head stays: no text leaves the device.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder for the figure (PNG, SVG, CSV) and all cuts.")
]


def split(  # noqa: PLR0913  # the options of a command are its arguments
    model: Model,
    *,
    device: Device = "snapdragon-8-gen3",
    device_weights: DeviceWeights = "int4",
    device_memory: DeviceMemory = "50 %",
    device_share: DeviceShare = "100 %",
    server: Server = "h100-sxm",
    server_weights: ServerWeights = "fp16",
    load: Load = 8.0,
    uplink: Uplink = "50 Mbps",
    downlink: Downlink = "200 Mbps",
    rtt: Rtt = "20 ms",
    radio_power: RadioPower = "2.5 W",
    network_energy: NetworkEnergy = "100 nJ/bit",
    prompt: Prompt = 500,
    output: Output = 200,
    packing: Packing = "int8",
    quality: Quality = 1.0,
    aim: AimName = "energy",
    j_per_s: Price = 0.0,
    token_class: TokenClass = "assistant",
    latency_limit: Limit = None,
    keep_layers: Keep = 0,
    head_on_device: Head = False,
    out: Out = None,
    as_json: options.Json = False,
) -> None:
    """Find the best cut of a model between a device and a server, and show its alternatives.

    Latency and joules of every cut: layers on the device, the cut tensor over the uplink, the rest
    at the server in a batch of others. With --out, the best cut over uplink rates and server loads.

    Example: tree6g split llama-3.1-8b --uplink "50 Mbps" --load 4
    """
    from tree6g.compute.splitting.hop import compression
    from tree6g.compute.splitting.setup import question
    from tree6g.report.split import aim_of

    profile, work = _model(model, prompt, output)
    limit_s = None if latency_limit is None else _read("--latency-limit", latency_limit, "s")
    asked = question(
        profile,
        _device(device, device_weights, device_memory, device_share),
        _server(server, server_weights, load),
        _hop(uplink, downlink, rtt, radio_power, network_energy),
        work=work,
        packing=compression(packing, quality_frac=quality),
        objective=_objective(
            aim_of(aim), token_class, work, j_per_s=j_per_s, limit_s=limit_s, keep=keep_layers
        ),
        head_on_device=head_on_device,
    )
    _show(asked, out, as_json=as_json)


def _show(asked: Question, out: Path | None, *, as_json: bool) -> None:
    """Write what is to be written, and print it."""
    from tree6g.compute.splitting.study import sweep
    from tree6g.report import split as report

    costs = asked.costs()
    found = None if out is None else sweep(asked, RATES_BPS, LOADS)
    written = () if out is None or found is None else report.write(asked, costs, found, out)
    if as_json:
        files = [str(path) for path in written]
        print_json({**report.to_dict(asked, costs, found), "files": files})
        return
    _print(report.alternatives(asked, costs), report.notes(asked, costs, found), written)


def _device(name: str, weights: str, memory: str, share: str) -> Place:
    """A terminal whose idle power is nobody's."""
    from tree6g.compute.splitting.setup import Place

    return Place(
        accelerator=name,
        weights=weights,
        memory_frac=_read("--device-memory", memory, "frac"),
        share_frac=_read("--device-share", share, "frac"),
        idle="free",
    )


def _server(name: str, weights: str, load: float) -> Place:
    """A server that others share."""
    from tree6g.compute.splitting.setup import Place

    return Place(accelerator=name, weights=weights, sequences=load, host_w=HOST_W, pue=PUE)


def _hop(up: str, down: str, rtt: str, radio: str, per_bit: str) -> Hop:
    """The way between them."""
    from tree6g.compute.splitting.hop import Hop

    network = _read("--network-energy", per_bit, "j_per_bit")
    return Hop(
        up_bps=_read("--uplink", up, "bps"),
        down_bps=_read("--downlink", down, "bps"),
        rtt_s=_read("--rtt", rtt, "s"),
        sender_w=_read("--radio-power", radio, "w"),
        up_j_per_bit=network,
        down_j_per_bit=network,
    )


def _print(table: Any, notes: Any, written: tuple[Path, ...]) -> None:
    from tree6g.report.plaintext import to_text
    from tree6g.report.summary import ascii_only

    typer.echo(f"{ascii_only(table.title)}\n{to_text(table)}\n")
    for note in notes:
        typer.echo(f"note: {ascii_only(note)}")
    for path in written:
        typer.echo(f"written: {path}")


def _model(name: str, prompt_tok: int, output_tok: int) -> tuple[LayerProfile, Work]:
    """A language model with its request, or a CNN with a frame."""
    from tree6g.compute.model.networks import NETWORKS, network
    from tree6g.compute.splitting.architectures import decoder
    from tree6g.compute.splitting.frames import frames
    from tree6g.compute.splitting.profile import FRAME, Work
    from tree6g.scenario.model_config import architecture

    if name.strip().lower().replace("-", "_") in NETWORKS:
        return frames(network(name)), FRAME
    return decoder(architecture(name)), Work(prompt_tok=prompt_tok, output_tok=output_tok)


def _objective(
    aim: str,
    token_class: str,
    work: Work,
    *,
    j_per_s: float,
    limit_s: float | None,
    keep: int,
) -> Objective:
    """Limits of a token service class for tokens, none but the given one for frames."""
    from tree6g.compute.splitting.choice import Objective, Worth
    from tree6g.metric.profile import class_profile

    profile = class_profile(token_class)
    if aim == "tree" and not profile.curve.linear:
        raise ScenarioError(
            f"expected a class with a linear utility for --aim tree; '{token_class}' has "
            f"'{profile.curve.family}', whose worth of a request depends on its other requests."
        )
    unlimited = float("inf")
    tokens = work.output_tok > 1 or work.prompt_tok > 1
    ttft_s = profile.ttft_budget_s or profile.deadline_s or unlimited
    tpot_s = profile.tpot_budget_s or unlimited
    return Objective(
        aim=cast("Aim", aim),
        j_per_s=j_per_s,
        worth=Worth(
            alpha_bit_per_tok=profile.curve.alpha_bit_per_tok,
            input_weight_frac=profile.k_in,
            ttft_s=ttft_s,
            tpot_s=tpot_s,
        ),
        ttft_limit_s=ttft_s if tokens else unlimited,
        tpot_limit_s=tpot_s if tokens else unlimited,
        latency_limit_s=limit_s or profile.deadline_s or unlimited,
        device_layers=keep,
    )


def _read(option: str, text: str, suffix: str) -> float:
    """A quantity above zero that an option gives.

    Raises:
        ScenarioError: It is no such quantity.
    """
    from tree6g.units import example, parse

    try:
        value = parse(text, suffix)
    except ValueError as error:
        raise ScenarioError(f"{option}: {error}") from error
    if not value >= 0.0 or (suffix in ("bps", "frac") and value == 0.0):
        raise ScenarioError(f"{option}: expected {example(suffix)} above 0; got {text!r}.")
    return value
