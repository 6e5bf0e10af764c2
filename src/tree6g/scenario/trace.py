"""Request traces: when each AI request came, how long its prompt was and how long its answer.

Six forms are read, told apart by their header:

- `csv`: any CSV with a header; the columns are `arrival_s,input_tokens,output_tokens` (and those of
  `cached_tokens`, `session_id`, `prefix_id`, `prefix_tokens` and `priority` that are there) or
  named by a column map.
- `azure`: Azure LLM inference traces 2023 and 2024 as published, CSV with
  `TIMESTAMP,ContextTokens,GeneratedTokens`, timestamps in steps of 100 ns.
- `mooncake`: Mooncake's FAST'25 traces as published, one JSON object per line with `timestamp` in
  ms, `input_length`, `output_length` and the `hash_ids` of 512-token prefix blocks.
- `burstgpt`: BurstGPT as published, CSV with `Timestamp` in s, `Request tokens`, `Response tokens`;
  releases with and without `Session ID` and `Elapsed time`.
- `vidur`: Vidur's processed traces, CSV with `arrived_at` in s, `num_prefill_tokens`,
  `num_decode_tokens`.
- `blis`: the data file of BLIS's trace format 2 (and 3), CSV with `arrival_time_us`, `input_tokens`
  beyond the prefix of `prefix_length` tokens that `prefix_group` shares, `output_tokens`,
  `session_id`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.errors import DataError, nearest
from tree6g.scenario import trace_prefix, trace_table
from tree6g.scenario.trace_cells import (
    MOONCAKE_BLOCK_TOK,
    SHOWN,
    WORDS,
    Column,
    Table,
)
from tree6g.scenario.trace_write import write_trace

__all__ = ["FORMS", "NAMES", "Trace", "describe", "read_trace", "write_trace"]

NAMES: Final = ("arrival_s", "input_tokens", "output_tokens")
CACHED: Final = "cached_tokens"
FORMS: Final[Mapping[str, Mapping[str, str]]] = {
    "csv": {name: name for name in NAMES},
    "azure": dict(zip(NAMES, ("TIMESTAMP", "ContextTokens", "GeneratedTokens"), strict=True)),
    "burstgpt": dict(zip(NAMES, ("Timestamp", "Request tokens", "Response tokens"), strict=True)),
    "mooncake": dict(zip(NAMES, ("timestamp", "input_length", "output_length"), strict=True)),
    "vidur": dict(
        zip(NAMES, ("arrived_at", "num_prefill_tokens", "num_decode_tokens"), strict=True)
    ),
    "blis": dict(zip(NAMES, ("arrival_time_us", "input_tokens", "output_tokens"), strict=True)),
}
# Columns that a file may have, by our name, and the factor of an arrival that is not in seconds.
FURTHER: Final[Mapping[str, Mapping[str, str]]] = {
    "csv": {
        name: name for name in (CACHED, "session_id", "prefix_id", "prefix_tokens", "priority")
    },
    "burstgpt": {"session_id": "Session ID"},
    "blis": {
        "session_id": "session_id",
        "prefix_id": "prefix_group",
        "prefix_tokens": "prefix_length",
    },
}
SCALE: Final = {"mooncake": 1e-3, "blis": 1e-6}
# Limits that only a wrong unit or a broken file passes: 1e10 s is the year 2286 in Unix time.
MAX_ARRIVAL_S: Final = 1e10
MAX_TOK: Final = 10_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Requests in order of arrival.

    Attributes:
        name: Stem of the file.
        arrival_s: Arrival after the first request [request], ascending from 0.
        input_tok: Prompt tokens [request], whole numbers.
        output_tok: Output tokens [request], whole numbers above 0.
        source: File, form and hash of the content.
        cached_tok: Prompt tokens [request] whose prefix came earlier in the trace: what an
            unlimited prefix cache would save. None where the file does not say.
        session_id: Number of the session [request], -1 for none. None as for `cached_tok`.
        prefix_id: Group of requests whose prompts begin alike [request], -1 for none.
        prefix_tok: How many prompt tokens are the group's [request].
        priority: Class [request]; smaller numbers are served first where a server has classes.
        t_zero: UTC instant of the first request (ISO 8601), None where the file does not say.
        notes: What was done to the file's rows, for the reader of any figure.
    """

    name: str
    arrival_s: np.ndarray
    input_tok: np.ndarray
    output_tok: np.ndarray
    source: str
    cached_tok: np.ndarray | None = None
    session_id: np.ndarray | None = None
    prefix_id: np.ndarray | None = None
    prefix_tok: np.ndarray | None = None
    priority: np.ndarray | None = None
    t_zero: str | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.arrival_s)


def read_trace(
    path: str | os.PathLike[str],
    *,
    form: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Trace:
    """Read a trace.

    Rows that are out of order are sorted, requests without prompt or output tokens (failed or
    cancelled ones) are left out; both are noted. Everything else that is wrong is refused with
    file, line and value, the first 20 of each kind at once.

    Args:
        path: The file.
        form: `csv`, `azure`, `burstgpt`, `mooncake`, `vidur` or `blis`; None: told by the header.
        columns: Column titles of a CSV file by `arrival_s`, `input_tokens`, `output_tokens` and the
            other columns of `csv`; what is not named keeps its own name. Arrivals are seconds or
            timestamps.

    Raises:
        DataError: Not a trace, or rows that cannot be.
    """
    file = Path(path)
    head = trace_table.first_line(file)
    form = _form(form, head, file, mapped=columns is not None)
    if form == "mooncake":
        table = trace_table.read_json_lines(file, FORMS[form], {})
        table = _scaled(table, form)
    else:
        titles, separator = trace_table.header_of(head)
        wanted = _wanted(form, titles, columns or {}, file)
        table = _scaled(trace_table.read_csv(file, titles, separator, wanted), form)
        if not all(_sound(name, column).all() for name, column in table.columns.items()):
            table = _scaled(trace_table.read_text(file, titles, separator, wanted), form)
    _refuse(file, table)
    return _assemble(file, form, table)


def _scaled(table: Table, form: str) -> Table:
    """The table with arrivals in seconds and prompts whole."""
    columns = dict(table.columns)
    arrival = columns["arrival_s"]
    factor = SCALE.get(form, 1.0)
    columns["arrival_s"] = dataclasses.replace(arrival, value=arrival.value * factor)
    if form == "blis" and "prefix_tokens" in columns:
        # input_tokens are those beyond the prefix; an unsound cell stays one
        beyond, prefix = columns["input_tokens"], columns["prefix_tokens"].value
        whole = np.where(_sound("prefix_tokens", columns["prefix_tokens"]), prefix, 0.0)
        columns["input_tokens"] = dataclasses.replace(beyond, value=beyond.value + whole)
    return dataclasses.replace(table, columns=columns)


def _form(form: str | None, head: str, file: Path, *, mapped: bool) -> str:
    if form is not None:
        if form not in FORMS:
            raise DataError(f"expected a trace form; got {form!r}. {nearest(form, FORMS)}")
        return form
    if head.lstrip().startswith("{"):
        return "mooncake"
    if mapped:
        return "csv"
    titles, _ = trace_table.header_of(head)
    for name, wanted in FORMS.items():
        if set(wanted.values()) <= set(titles):
            return name
    shown = "; ".join(f"{name}: {', '.join(w.values())}" for name, w in FORMS.items())
    raise DataError(
        f"{file}:1: expected the header of a known trace ({shown}); got {head[:120]!r}. "
        "Name the columns with a column map."
    )


def _wanted(form: str, titles: list[str], columns: Mapping[str, str], file: Path) -> dict[str, str]:
    known = (*NAMES, *FURTHER["csv"])
    problems = [
        f"expected one of {', '.join(known)} in the column map; got {name!r}. "
        f"{nearest(name, known)}"
        for name in columns
        if name not in known
    ]
    wanted = {**FORMS[form], **columns}
    for name, title in FURTHER.get(form, {}).items():
        if title in titles:
            wanted.setdefault(name, title)
    for name, title in wanted.items():
        if titles.count(title) != 1:
            found = "it twice" if title in titles else "no such column"
            problems.append(
                f"{file}:1: expected the column {title!r} for {name}; got {found}. "
                f"{nearest(title, titles)}"
            )
    if problems:
        raise DataError("\n".join(problems))
    return wanted


def _refuse(file: Path, table: Table) -> None:
    """Raise if any row is wrong; all kinds of fault are reported, each up to `SHOWN` times."""
    problems = [f"{file}:{problem}" for problem in table.problems[:SHOWN]]
    count = len(table.problems)
    for name, column in table.columns.items():
        bad = np.flatnonzero(~_sound(name, column))
        count += len(bad)
        rows = [int(row) for row in bad[:SHOWN]]
        for row, line in zip(rows, table.lines(rows) if rows else (), strict=True):
            got = column.written(row).strip()[:40] or "nothing"
            problems.append(
                f"{file}:{line}: {column.title}: expected {_expected(name)}; got {got}."
            )
    if count > len(problems):
        problems.append(f"... and {count - len(problems)} more.")
    if problems:
        raise DataError("\n".join(problems))
    if not any(len(c.value) for c in table.columns.values()):
        raise DataError(f"expected at least one request below the header; {file} has none.")


def _sound(name: str, column: Column) -> np.ndarray:
    """Whether each cell is a number that can be [row]."""
    value = column.value
    if name in WORDS:
        return np.ones(len(value), dtype=bool)
    limit = MAX_ARRIVAL_S if name == "arrival_s" else MAX_TOK
    with np.errstate(invalid="ignore"):
        sound = np.isfinite(value) & (value >= 0) & (value <= limit)
        return sound if name == "arrival_s" else sound & (value == np.floor(value))


def _expected(name: str) -> str:
    if name == "arrival_s":
        return f"seconds from 0 to {MAX_ARRIVAL_S:g} or a timestamp"
    return f"a whole number of tokens from 0 to {MAX_TOK:,}"


def _assemble(file: Path, form: str, table: Table) -> Trace:
    arrival = table.columns["arrival_s"]
    values = {name: column.value for name, column in table.columns.items()}
    notes: list[str] = []
    if np.any(np.diff(arrival.value) < 0):
        notes.append("rows sorted by arrival")
    order = np.argsort(arrival.value, kind="stable")
    if table.prefixes is not None:
        values |= _prefix_columns(table.prefixes, values["input_tokens"], order, notes)
    kept = order[(values["input_tokens"][order] > 0) & (values["output_tokens"][order] > 0)]
    if len(kept) < len(order):
        notes.append(
            f"{len(order) - len(kept)} of {len(order)} requests left out: no prompt or no output "
            "tokens, which is how failed and cancelled requests are logged"
        )
    if not len(kept):
        raise DataError(f"expected a request with prompt and output tokens; got none in {file}.")
    start = float(arrival.value[kept[0]])
    columns = {
        name: _frozen(value[kept].astype(np.int64))
        for name, value in values.items()
        if name != "arrival_s"
    }
    arrival_s = _frozen(arrival.value[kept] - start)
    return Trace(
        name=file.stem,
        arrival_s=arrival_s,
        input_tok=columns["input_tokens"],
        output_tok=columns["output_tokens"],
        cached_tok=columns.get(CACHED),
        session_id=columns.get("session_id"),
        prefix_id=columns.get("prefix_id"),
        prefix_tok=columns.get("prefix_tokens"),
        priority=columns.get("priority"),
        source=f"{file.name}, form {form}, content {_digest(arrival_s, *columns.values())}",
        t_zero=_instant(arrival.epoch_ns, start),
        notes=tuple(notes),
    )


def _frozen(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)
    return array


def _instant(epoch_ns: int | None, start_s: float) -> str | None:
    if epoch_ns is None:
        return None
    return f"{np.datetime64(epoch_ns + round(start_s * 1e9), 'ns')}Z"


def _digest(*arrays: np.ndarray) -> str:
    state = hashlib.sha256()
    for array in arrays:
        state.update(np.ascontiguousarray(array).tobytes())
    return state.hexdigest()[:12]


def _prefix_columns(
    blocks: tuple[tuple[int, ...], ...],
    input_tok: np.ndarray,
    order: np.ndarray,
    notes: list[str],
) -> dict[str, np.ndarray]:
    """What prefix blocks tell: tokens that came before, and groups for a server's cache."""
    whole = np.where(np.isfinite(input_tok), input_tok, 0.0)
    seen = trace_prefix.seen_before(blocks, whole, order, MOONCAKE_BLOCK_TOK)
    found = trace_prefix.chains(blocks, whole, order, MOONCAKE_BLOCK_TOK)
    total = max(float(whole.sum()), 1.0)
    notes.append(
        f"prefix blocks: {seen.sum() / total:.1%} of the prompt tokens came before; the "
        f"chains that a server's cache knows keep {found.saved_tok.sum() / total:.1%}"
    )
    return {CACHED: seen, "prefix_id": found.group, "prefix_tokens": found.length_tok}


def describe(trace: Trace) -> dict[str, Any]:
    """What a trace is like, as plain data with units in the keys.

    `rate_hz` is the inverse of the mean gap between requests and `interarrival_cv` the gaps'
    standard deviation over their mean (1 for a Poisson process); both are None for traces without
    length. `peak_rate_hz` is the most requests in one of the windows of `peak_window_s` that tile
    the trace from its start.
    """
    gaps = np.diff(trace.arrival_s)
    length_s = float(trace.arrival_s[-1])
    window_s = 60.0 if length_s >= 60.0 else 1.0
    peak = np.unique(np.floor(trace.arrival_s / window_s), return_counts=True)[1].max()
    total_in, total_out = float(trace.input_tok.sum()), float(trace.output_tok.sum())
    return {
        "name": trace.name,
        "source": trace.source,
        "t_zero": trace.t_zero,
        "requests": len(trace),
        "length_s": length_s,
        "rate_hz": len(gaps) / length_s if length_s > 0 else None,
        "interarrival_cv": float(gaps.std() / gaps.mean()) if length_s > 0 else None,
        "peak_rate_hz": float(peak / window_s),
        "peak_window_s": window_s,
        **_quantiles("input", trace.input_tok),
        **_quantiles("output", trace.output_tok),
        "input_output_ratio": total_in / total_out,
        "cached_frac": _cached_frac(trace),
        "notes": list(trace.notes),
    }


def _cached_frac(trace: Trace) -> float | None:
    if trace.cached_tok is None:
        return None
    return float(trace.cached_tok.sum() / trace.input_tok.sum())


def _quantiles(name: str, tokens: np.ndarray) -> dict[str, float]:
    p50, p90, p99 = np.quantile(tokens, (0.5, 0.9, 0.99))
    return {
        f"{name}_mean_tok": float(tokens.mean()),
        f"{name}_p50_tok": float(p50),
        f"{name}_p90_tok": float(p90),
        f"{name}_p99_tok": float(p99),
        f"{name}_max_tok": float(tokens.max()),
        f"{name}_total_tok": float(tokens.sum()),
    }
