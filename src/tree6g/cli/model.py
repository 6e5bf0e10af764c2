"""`tree6g model`: what a model stores and computes, counted from its config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tree6g.cli import options
from tree6g.cli.console import print_json

if TYPE_CHECKING:
    from tree6g.compute.model.architecture import Architecture
    from tree6g.compute.model.convolution import Network

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="A packaged or added model, a repository, or config.json."),
]


def show(name: Name, *, as_json: options.Json = False) -> None:
    """Print what a model is: parameters by part, layers, what it keeps per token.

    Example: tree6g model show llama-3.1-8b
    """
    found = _model(name)
    shown = found if isinstance(found, dict) else _shown(found)
    if as_json:
        print_json(shown)
        return
    _print(shown)


def count(
    name: Name,
    *,
    tokens: Annotated[
        int, typer.Option("--tokens", "-S", min=1, help="Tokens of a forward pass.")
    ] = 512,
    weights: Annotated[
        str, typer.Option("--format", help="Format of the weights: fp16, fp8, mxfp4, Q4_K_M, ...")
    ] = "fp16",
    context: Annotated[
        int, typer.Option("--context", min=0, help="Tokens of context that are kept.")
    ] = 4096,
    lora: Annotated[int, typer.Option("--lora", min=0, help="Rank of adapters; 0: none.")] = 0,
    targets: Annotated[
        str, typer.Option("--targets", help="Matrices with adapters, e.g. q,k,v,o.")
    ] = "q,v",
    causal: Annotated[
        bool, typer.Option("--causal", help="Count half of the pairs, as kernels that skip them.")
    ] = False,
    last_only: Annotated[
        bool, typer.Option("--last-only", help="Count the head for the last token only.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Print exact FLOP, bytes of weights and of the cache, and adapters.

    Example: tree6g model count llama-3.1-8b --tokens 2048 --format Q4_K_M --lora 8
    """
    found = _model(name)
    if isinstance(found, dict):
        counted = {**found, "image_flop": found["flop"]}
    else:
        counted = _counted(found, tokens, weights, context, causal=causal, last_only=last_only)
        if lora:
            counted |= _adapted(found, lora, targets)
    if as_json:
        print_json(counted)
        return
    _print(counted)


def compress(
    name: Name,
    *,
    accelerator: Annotated[
        str, typer.Option("--accelerator", "-a", help="Row of `tree6g list accelerators`.")
    ] = "h100-sxm",
    batch: Annotated[int, typer.Option("--batch", min=1, help="Answers made together.")] = 1,
    context: Annotated[
        int, typer.Option("--context", min=1, help="Tokens of context, and of a prompt.")
    ] = 1024,
    ranks: Annotated[
        str, typer.Option("--ranks", help="Ranks of adapters beside the weights, on q and v.")
    ] = "8,64",
    as_json: options.Json = False,
) -> None:
    """Print compressed forms of a model: quality as measured, memory, joules and pace.

    Quality is that of `tree6g list quality`, relative to what it was measured against.

    Example: tree6g model compress llama-3.1-8b --accelerator jetson-agx-orin --batch 8
    """
    from tree6g.report.compression import lines, table

    shown = table(name, accelerator, batch=batch, context_tok=context, ranks=ranks)
    if as_json:
        print_json(shown)
        return
    for line in lines(shown):
        typer.echo(line)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Its config.json.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Overwrite a model that was added before.")
    ] = False,
    as_json: options.Json = False,
) -> None:
    """Add a model of your own from its config.json; scenarios may then name it.

    Example: tree6g model add my-model config.json
    """
    from tree6g.compute.model.config import from_config
    from tree6g.compute.model.counts import parameters
    from tree6g.scenario import model_config

    target = model_config.add(name, config, replace=replace)
    model = from_config(model_config.read_config(target), name)
    total = parameters(model).total
    if as_json:
        remarks = list(model.remarks)
        print_json({"name": name, "file": str(target), "parameters": total, "remarks": remarks})
        return
    typer.echo(f"{name}: {total:,} parameters, kept in {target}")
    for remark in model.remarks:
        typer.echo(f"note: {remark}")


def _model(name: str) -> Architecture | dict[str, Any]:
    """An architecture, or what a convolutional network is."""
    from tree6g.compute.model.networks import NETWORKS, network
    from tree6g.scenario import model_config

    if name.lower().replace("-", "_") in NETWORKS:
        return _network(network(name))
    return model_config.architecture(name)


def _network(net: Network) -> dict[str, Any]:
    layers = [
        {"name": layer.name, "kind": layer.kind, "shape": list(layer.shape),
         "parameters": layer.parameters, "flop": layer.flop}
        for layer in net.layers
    ]  # fmt: skip
    return {
        "name": net.name,
        "kind": "convolutional",
        "picture": "x".join(str(side) for side in net.shape),
        "parameters": net.parameters,
        "flop": net.flop,
        "layers": layers,
    }


def _shown(model: Architecture) -> dict[str, Any]:
    import dataclasses

    from tree6g.compute.model.counts import parameters
    from tree6g.compute.model.footprint import footprint

    summary = dataclasses.asdict(footprint(model))
    remarks = list(summary.pop("remarks"))
    parts = dataclasses.asdict(parameters(model))
    del parts["total"], summary["name"]
    return {
        "name": model.name,
        "kind": model.kind,
        **summary,
        "parameters_by_part": parts,
        "remarks": remarks,
    }


def _counted(
    model: Architecture, tokens: int, weights: str, context: int, *, causal: bool, last_only: bool
) -> dict[str, Any]:
    from tree6g.compute.model import counts, formats
    from tree6g.compute.model.footprint import footprint

    kind, summary = formats.weight_format(weights), footprint(model)
    flop = counts.forward_flop(model, tokens, causal=causal, last_only=last_only)
    return {
        "name": model.name,
        "parameters": summary.parameters,
        "parameters_active": counts.parameters(model).active,
        "tokens": tokens,
        "forward_flop": flop,
        "head_flop": counts.head_flop(model),
        "format": kind.name,
        "weight_byte": formats.stored_byte(summary, kind),
        "step_byte": formats.step_byte(summary, kind),
        "expert_byte": formats.expert_byte(summary, kind),
        "kv_value_per_tok": counts.kv_values_per_tok(model),
        "context": context,
        "cache_value": counts.cache_values(model, context),
        "cache_byte": 2 * counts.cache_values(model, context),
        "remarks": list(summary.remarks),
    }


def _adapted(model: Architecture, rank: int, targets: str) -> dict[str, Any]:
    from tree6g.compute.model.lora import adapter

    made = adapter(model, rank, [target.strip() for target in targets.split(",") if target.strip()])
    return {
        "lora": {
            "rank": rank,
            "targets": list(made.targets),
            "parameters": made.parameters,
            "byte": made.stored_byte(),
            "flop_per_tok": made.flop_per_tok,
        }
    }


def _print(shown: dict[str, Any], indent: str = "") -> None:
    for key, value in shown.items():
        if isinstance(value, dict):
            typer.echo(f"{indent}{key}")
            _print(value, indent + "  ")
        elif key == "remarks":
            for remark in value:
                typer.echo(f"note: {remark}")
        elif key == "layers" and isinstance(value, list):
            _print_layers(value)
        else:
            typer.echo(f"{indent}{key:<{28 - len(indent)}} {_text(value)}")


def _print_layers(layers: Sequence[dict[str, Any]]) -> None:
    typer.echo(f"\n{'layer':<18} {'kind':<8} {'hands on':<14} {'parameters':>14} {'flop':>16}")
    for layer in layers:
        shape = "x".join(str(side) for side in layer["shape"])
        typer.echo(
            f"{layer['name']:<18} {layer['kind']:<8} {shape:<14} {layer['parameters']:>14,} "
            f"{layer['flop']:>16,}"
        )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) or (isinstance(value, float) and value == int(value)):
        return f"{int(value):,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e6 else f"{value:,.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(str(entry) for entry in value) or "-"
    return str(value)
