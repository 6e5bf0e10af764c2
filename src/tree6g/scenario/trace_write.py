"""A request trace as a file: generic CSV, Azure CSV, Mooncake JSONL."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.errors import DataError, nearest
from tree6g.scenario.trace_cells import MOONCAKE_BLOCK_TOK

if TYPE_CHECKING:
    from tree6g.scenario.trace import Trace

_WRITERS: Final[Mapping[str, tuple[str, str]]] = {
    "csv": ("arrival_s,input_tokens,output_tokens", "{!r},{},{}"),
    "azure": ("TIMESTAMP,ContextTokens,GeneratedTokens", "{},{},{}"),
    "mooncake": (
        "",
        '{{"timestamp": {}, "input_length": {}, "output_length": {}, "hash_ids": {}}}',
    ),
}


def write_trace(trace: Trace, path: str | os.PathLike[str], *, form: str | None = None) -> None:
    """Write a trace as `csv`, `azure` or `mooncake`.

    Azure's timestamps have steps of 100 ns, Mooncake's of 1 ms: finer arrivals are rounded.
    Mooncake's `hash_ids` are whole blocks of 512 tokens of the trace's prefix groups, then ids that
    no other request has.

    Args:
        trace: The trace.
        path: The file to write.
        form: None: `mooncake` for `.jsonl`, else `csv`.

    Raises:
        DataError: An unknown form, or the file cannot be written.
    """
    file = Path(path)
    form = form or ("mooncake" if file.suffix == ".jsonl" else "csv")
    if form not in _WRITERS:
        raise DataError(f"expected a form to write; got {form!r}. {nearest(form, _WRITERS)}")
    header, row = _WRITERS[form]
    columns = [trace.arrival_s.tolist(), trace.input_tok.tolist(), trace.output_tok.tolist()]
    if form == "azure":
        columns[0] = _azure_stamps(trace)
    if form == "mooncake":
        columns[0] = np.round(trace.arrival_s * 1e3).astype(np.int64).tolist()
        columns.append(list(_hash_ids(trace)))
    if form == "csv":
        for name, values in _further(trace):
            header, row = f"{header},{name}", row + ",{}"
            columns.append(values.tolist())
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            out.write(f"{header}\n" if header else "")
            out.writelines(row.format(*cells) + "\n" for cells in zip(*columns, strict=True))
    except OSError as error:
        raise DataError(f"expected a file that can be written; got '{file}': {error}.") from error


def _further(trace: Trace) -> Iterator[tuple[str, np.ndarray]]:
    """Columns of generic CSV that a trace may have."""
    named = (
        ("cached_tokens", trace.cached_tok),
        ("session_id", trace.session_id),
        ("prefix_id", trace.prefix_id),
        ("prefix_tokens", trace.prefix_tok),
        ("priority", trace.priority),
    )
    return ((name, values) for name, values in named if values is not None)


def _hash_ids(trace: Trace) -> Iterator[list[int]]:
    """Ids of blocks: those of a group by group and place, the others by request and place."""
    most = int(trace.input_tok.max()) // MOONCAKE_BLOCK_TOK + 1
    group, length = trace.prefix_id, trace.prefix_tok
    if group is None or length is None:
        group, length = np.full(len(trace), -1), np.zeros(len(trace), dtype=np.int64)
    own = (int(group.max()) + 1) * most
    for row, tok in enumerate(trace.input_tok.tolist()):
        blocks = -(-tok // MOONCAKE_BLOCK_TOK)
        common = int(length[row]) // MOONCAKE_BLOCK_TOK if group[row] >= 0 else 0
        yield [int(group[row]) * most + i for i in range(common)] + [
            own + row * most + i for i in range(common, blocks)
        ]


def _azure_stamps(trace: Trace) -> list[str]:
    start = np.datetime64((trace.t_zero or "1970-01-01T00:00:00Z").removesuffix("Z"), "ns")
    tick = np.round(trace.arrival_s * 1e7).astype(np.int64) * 100
    return [str(stamp)[:-2].replace("T", " ") for stamp in start + tick.astype("timedelta64[ns]")]
