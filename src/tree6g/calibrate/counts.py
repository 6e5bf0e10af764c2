"""Parameters, FLOP and bytes of models against exact integers, figure by figure.

Three forms of CSV file, told by their columns: `model, params, ...` (language models: parameters,
FLOP of a forward pass over `flops_S<tokens>` tokens, of a layer and of the head, bytes of keys and
values and of a hidden state per token, adapters), `model, layer, out_shape, ...` (layers of
convolutional networks) and `model, rank, targets, trainable` (adapters).
"""

from __future__ import annotations

import csv
import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from tree6g.calibrate.columns import Columns, raise_all, read_all, read_columns
from tree6g.calibrate.result import Group, Validation
from tree6g.compute.model import counts
from tree6g.compute.model.architecture import Architecture, Linear
from tree6g.compute.model.catalogue import architecture
from tree6g.compute.model.lora import adapter, adapter_parameters
from tree6g.compute.model.networks import network
from tree6g.errors import DataError

BF16_BYTE: Final = 2
FP32_BYTE: Final = 4
_TARGET: Final = re.compile(r"(\w+):(\d+)x(\d+)")

ABOUT: Final = (
    (
        "Compared: each integer of the files with ours. Language models: parameters, layers, "
        "width, FLOP of a forward pass with all pairs of tokens computed and the head on each, of "
        "one layer and of the head, bytes per token of keys and values and of a hidden state in 16 "
        "bits, parameters of adapters on queries and values. Networks: shape, values, bytes, "
        "parameters and FLOP of each layer. Adapters: from the shapes in the file, and from the "
        "config where the model is packaged."
    ),
    "Passes: a difference of 0. Everything is computed from a config alone.",
    "Fitted: nothing.",
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Figure:
    """One integer of a file and ours."""

    model: str
    what: str
    theirs: int
    ours: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What a file gave: figures, the rows they are of, and what was left out."""

    figures: tuple[_Figure, ...]
    rows: int
    problems: tuple[str, ...]


def validate(files: Sequence[Path]) -> Validation:
    """Compare the counts of every row of the files.

    Figures: `max_abs_error` over all integers, `inside_range_frac`: the share that is exact,
    `figures`: how many integers there are.

    Raises:
        DataError: A file is none of the forms, or holds no model that is packaged. There is none.
    """
    if not files:
        raise DataError("Expected at least one file of counts; got none. Name one.")
    parts = read_all(files, _part)
    figures = [figure for part in parts for figure in part.figures]
    rows = sum(part.rows for part in parts)
    models = dict.fromkeys(figure.model for figure in figures)
    groups = [_group(name, [f for f in figures if f.model == name]) for name in models]
    return Validation(
        kind="counts",
        rows=rows,
        title="Counts of models",
        headline=_headline(figures, rows),
        about=ABOUT,
        figures=_errors(figures),
        groups=tuple(groups),
        misses=tuple(_miss(figure) for figure in figures if figure.ours != figure.theirs),
        misses_are="Integers that differ",
        problems=tuple(problem for part in parts for problem in part.problems),
    )


def _part(file: Path) -> _Part:
    """Read a file in the form that its columns say."""
    titles = _titles(file)
    forms: tuple[tuple[set[str], Callable[[Path, Columns], _Part]], ...] = (
        ({"model", "layer", "params", "flops"}, _layers),
        ({"model", "rank", "targets", "trainable"}, _adapters),
        ({"model", "params"}, _models),
    )
    for needed, read in forms:
        if needed <= set(titles):
            part = read(file, read_columns(file, titles, ()))
            if not part.figures:
                raise DataError(
                    f"Expected a model that is packaged; {file} names none: "
                    f"{'; '.join(part.problems)}. `tree6g list models` names them."
                )
            return part
    raise DataError(
        f"Expected columns model and params, or model, layer, params and flops, or model, rank, "
        f"targets and trainable; {file} has {', '.join(titles) or 'none'}. Rename its columns."
    )


def _titles(file: Path) -> list[str]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            first = next(csv.reader(stream), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise DataError(f"Expected a CSV file; {file} cannot be read: {what}.") from error
    return [title.strip() for title in first if title.strip()]


def _models(file: Path, table: Columns) -> _Part:
    """Language models, one per row."""
    found: list[_Figure] = []
    problems: list[str] = []
    faults: list[str] = []
    rows = 0
    titles = [name for name in table.text if name != "model"]
    tokens = next((int(t.partition("_S")[2]) for t in titles if re.fullmatch(r"\w+_S\d+", t)), 512)
    for n, name in enumerate(table.text["model"]):
        try:
            model = architecture(name)
        except DataError as error:
            problems.append(f"{name} left out: {error}")
            continue
        rows += 1
        for title in titles:
            ours = _count(model, title, tokens)
            if ours is not None:
                theirs = _whole(table, title, n, faults)
                found.append(_Figure(model=name, what=title, theirs=theirs, ours=ours))
    raise_all(file, faults)
    passed = [title for title in titles if _count(architecture("gpt2"), title, tokens) is None]
    if passed:
        problems.append(f"columns not compared, since they are no integer of ours: {_join(passed)}")
    return _Part(figures=tuple(found), rows=rows, problems=tuple(problems))


def _count(model: Architecture, title: str, tokens: int) -> int | None:
    """Our integer for a column, None where it is none of these."""
    if re.fullmatch(r"(flops|analytic)_S\d+", title):
        return counts.forward_flop(model, int(title.partition("_S")[2]))
    if rank := re.fullmatch(r"lora_r(\d+)_qv", title):
        return adapter(model, int(rank[1])).parameters
    plain: Mapping[str, Callable[[], int]] = {
        "params": lambda: counts.parameters(model).total,
        "layers": lambda: len(model.layers),
        "hidden": lambda: model.hidden,
        "layer_flops": lambda: counts.layer_flop(model.layers[0], tokens),
        "analytic_layer": lambda: counts.layer_flop(model.layers[0], tokens),
        "lm_head": lambda: counts.head_flop(model) * tokens,
        "kv_bytes_per_token_bf16": lambda: BF16_BYTE * counts.kv_values_per_tok(model),
        "hidden_bytes_per_token_bf16": lambda: BF16_BYTE * model.hidden,
        "lora_analytic": lambda: adapter(model, 8).parameters,
    }
    return plain[title]() if title in plain else None


def _layers(file: Path, table: Columns) -> _Part:
    """Layers of convolutional networks, matched by name."""
    found: list[_Figure] = []
    problems: list[str] = []
    faults: list[str] = []
    rows = 0
    for name in dict.fromkeys(table.text["model"]):
        mine = [n for n, model in enumerate(table.text["model"]) if model == name]
        try:
            ours = {layer.name: layer for layer in network(name).layers}
        except DataError as error:
            problems.append(f"{name} left out: {error}")
            continue
        absent = [layer for layer in ours if layer not in [table.text["layer"][n] for n in mine]]
        if absent:
            problems.append(f"{name}: layers of ours that the file does not name: {_join(absent)}")
        for n in mine:
            layer = ours.get(table.text["layer"][n])
            if layer is None:
                problems.append(f"{name}: we have no layer {table.text['layer'][n]!r}")
                continue
            rows += 1
            figures = {
                "out_elems": layer.values,
                "out_bytes_fp32": FP32_BYTE * layer.values,
                "params": layer.parameters,
                "flops": layer.flop,
            }
            for title, value in figures.items():
                if title in table.text:
                    theirs = _whole(table, title, n, faults)
                    what = f"{layer.name} {title}"
                    found.append(_Figure(model=name, what=what, theirs=theirs, ours=value))
            found += _shape(name, layer.name, layer.shape, table, n)
    raise_all(file, faults)
    return _Part(figures=tuple(found), rows=rows, problems=tuple(problems))


def _shape(
    model: str, layer: str, ours: tuple[int, ...], table: Columns, n: int
) -> Iterator[_Figure]:
    """Sides of what a layer hands on; a missing or further side counts as 0."""
    written = table.text.get("out_shape")
    if written is None:
        return
    theirs = [int(side) for side in re.findall(r"\d+", written[n])]
    for k in range(max(len(ours), len(theirs))):
        sides = [sizes[k] if k < len(sizes) else 0 for sizes in (ours, theirs)]
        what = f"{layer} out_shape {k + 1}"
        yield _Figure(model=model, what=what, theirs=sides[1], ours=sides[0])


def _adapters(file: Path, table: Columns) -> _Part:
    """Adapters from the shapes in the file, and from the config of a packaged model."""
    found: list[_Figure] = []
    problems: list[str] = []
    faults: list[str] = []
    for n, name in enumerate(table.text["model"]):
        rank, theirs = _whole(table, "rank", n, faults), _whole(table, "trainable", n, faults)
        blocks = _whole(table, "attention_blocks", n, faults) if _has(table) else 1
        shapes = _TARGET.findall(table.text["targets"][n])
        if not shapes or rank < 1:
            faults.append(
                f"line {n + 2}: targets must be as q:4096x4096;v:4096x1024 and rank above 0; got "
                f"'{table.text['targets'][n]}' and '{table.text['rank'][n]}'"
            )
            continue
        linears = [Linear(name=t, inputs=int(a), outputs=int(b)) for t, a, b in shapes]
        ours = blocks * adapter_parameters(rank, linears)
        label = f"rank {rank}"
        found.append(_Figure(model=name, what=f"{label} by shapes", theirs=theirs, ours=ours))
        try:
            whole = adapter(architecture(name), rank, [t for t, _, _ in shapes]).parameters
        except DataError as error:
            problems.append(f"{name}, {label}: by shapes alone: {error}")
        else:
            found.append(_Figure(model=name, what=f"{label} by config", theirs=theirs, ours=whole))
    raise_all(file, faults)
    return _Part(figures=tuple(found), rows=table.rows, problems=tuple(problems))


def _has(table: Columns) -> bool:
    return "attention_blocks" in table.text


def _whole(table: Columns, title: str, n: int, faults: list[str]) -> int:
    written = table.text[title][n]
    if re.fullmatch(r"\d+(\.0+)?", written):
        return int(written.partition(".")[0])
    faults.append(f"line {n + 2}: {title} must be a whole number; got '{written}'")
    return 0


def _group(name: str, figures: Sequence[_Figure]) -> Group:
    errors = {k: v for k, v in _errors(figures).items() if k != "figures"}
    return Group(name=name, rows=len(figures), figures=errors, heading="Integers by model")


def _errors(figures: Sequence[_Figure]) -> dict[str, float]:
    away = [abs(figure.ours - figure.theirs) for figure in figures]
    return {
        "max_abs_error": float(max(away)),
        "inside_range_frac": sum(error == 0 for error in away) / len(away),
        "figures": float(len(away)),
    }


def _miss(figure: _Figure) -> dict[str, str | float]:
    return {
        "group": figure.model,
        "figure": figure.what,
        "file": float(figure.theirs),
        "ours": float(figure.ours),
    }


def _headline(figures: Sequence[_Figure], rows: int) -> str:
    exact = sum(figure.ours == figure.theirs for figure in figures)
    largest = max(abs(figure.ours - figure.theirs) for figure in figures)
    models = len({figure.model for figure in figures})
    share = f"all {exact:,}" if exact == len(figures) else f"{exact:,} of {len(figures):,}"
    of = f"{_many(rows, 'row')} and {_many(models, 'model')}"
    return f"Counts: {share} integers of {of} exact (largest error {largest:,})."


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def _join(names: Sequence[str]) -> str:
    return ", ".join(names)
