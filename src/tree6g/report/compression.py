"""Compressed forms of a model side by side, as data and as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tree6g.compute.accelerator import accelerator as device_of
from tree6g.compute.compression import Choice, choices, cost, qualities, relative
from tree6g.compute.model.catalogue import architecture
from tree6g.errors import DataError
from tree6g.report import numerals

HEADS = ("choice", "kind", "quality", "benchmark", "memory", "J/token", "token/s", "J/prompt")


def table(
    name: str, accelerator: str, *, batch: int, context_tok: int, ranks: str
) -> dict[str, Any]:
    """Every known choice of a model on an accelerator.

    Args:
        name: The model.
        accelerator: The accelerator.
        batch: Answers made together.
        context_tok: Tokens of context, and of a prompt.
        ranks: Ranks of adapters with commas between.

    Raises:
        DataError: No such model or accelerator, or ranks that are none.
    """
    device, rows, reference = device_of(accelerator), [], f"{architecture(name).name} fp16"
    for choice in choices(name, _ranks(ranks)):
        known = relative(choice, reference)
        took = cost(choice, device, batch=batch, context_tok=context_tok)
        rows.append(
            {
                "choice": choice.name,
                "kind": choice.kind,
                "model": choice.model,
                "weights": choice.weights,
                "pattern": choice.pattern or None,
                "pruned_frac": choice.pruned_frac,
                "lora_rank": choice.rank or None,
                "quality_frac": None if known is None else known.frac,
                "benchmark": None if known is None else known.benchmark or None,
                "qualities": _qualities(choice),
                "memory_byte": took.memory_byte,
                "fits": took.fits,
                "j_per_token": took.token_j,
                "token_per_s": took.rate_tps,
                "prompt_j": took.prompt_j,
                "prompt_s": took.prompt_s,
            }
        )
    return {
        "model": name,
        "reference": reference,
        "accelerator": device.name,
        "batch": batch,
        "context_tok": context_tok,
        "choices": rows,
    }


def _ranks(said: str) -> list[int]:
    try:
        ranks = [int(part) for part in said.split(",") if part.strip()]
    except ValueError as error:
        raise DataError(f"expected ranks such as 8,64; got {said!r}.") from error
    if min(ranks, default=1) < 1:
        raise DataError(f"expected ranks of at least 1, such as 8,64; got {said!r}.")
    return ranks


def _qualities(choice: Choice) -> list[dict[str, Any]]:
    return [
        {
            "quality_frac": one.frac,
            "against": one.against,
            "benchmark": one.benchmark,
            "method": one.method,
            "source": one.source,
        }
        for one in qualities(choice)
    ]


def lines(shown: Mapping[str, Any]) -> Iterator[str]:
    """The same as text."""
    yield (
        f"{shown['model']} on {shown['accelerator']}: {shown['batch']} answers together, "
        f"{shown['context_tok']} tokens of context"
    )
    cells = [HEADS, *(_cells(row) for row in shown["choices"])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(padded).rstrip()
    yield ""
    yield f"quality: score over that of {shown['reference']}; - : nobody measured it."
    if not all(row["fits"] for row in shown["choices"]):
        yield "too large: weights and context of all answers do not fit; figures as if they did."
    kinds = {row["pattern"] for row in shown["choices"]}
    if "2:4" in kinds:
        yield "2:4: at most this, if the accelerator has it and the engine uses it."
    if "unstructured" in kinds:
        yield "unstructured: memory at rest alone; matrices are multiplied dense."
    yield "Sources: --json, and tree6g list quality --json."


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    quality = row["quality_frac"]
    fits = "" if row["fits"] else " (too large)"
    return (
        row["choice"],
        row["kind"],
        "-" if quality is None else f"{quality:.3f}",
        row["benchmark"] or "-",
        numerals.quantity(row["memory_byte"], "byte") + fits,
        f"{row['j_per_token']:.3g}",
        f"{row['token_per_s']:.4g}",
        f"{row['prompt_j']:.3g}",
    )
