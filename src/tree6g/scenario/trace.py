"""Request traces: when each AI request came, how long its prompt was and how long its answer.

Four forms are read, told apart by their header:

- `csv`: any CSV with a header; the columns are `arrival_s,input_tokens,output_tokens` (and
  `cached_tokens`, if there is one) or named by a column map.
- `azure`: Azure LLM inference traces 2023 and 2024 as published, CSV with
  `TIMESTAMP,ContextTokens,GeneratedTokens`, timestamps in steps of 100 ns.
- `mooncake`: Mooncake's FAST'25 traces as published, one JSON object per line with `timestamp` in
  ms, `input_length`, `output_length` and the `hash_ids` of 512-token prefix blocks.
- `burstgpt`: BurstGPT as published, CSV with `Timestamp` in s, `Request tokens`, `Response tokens`;
  releases with and without `Session ID` and `Elapsed time`.
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
from tree6g.scenario import trace_table
from tree6g.scenario.trace_table import SHOWN, Column, Table

NAMES: Final = ("arrival_s", "input_tokens", "output_tokens")
CACHED: Final = "cached_tokens"
FORMS: Final[Mapping[str, Mapping[str, str]]] = {
    "csv": {name: name for name in NAMES},
    "azure": dict(zip(NAMES, ("TIMESTAMP", "ContextTokens", "GeneratedTokens"), strict=True)),
    "burstgpt": dict(zip(NAMES, ("Timestamp", "Request tokens", "Response tokens"), strict=True)),
    "mooncake": dict(zip(NAMES, ("timestamp", "input_length", "output_length"), strict=True)),
}
# Limits that only a wrong unit or a broken file passes: 1e10 s is the year 2286 in Unix time.
MAX_ARRIVAL_S: Final = 1e10
MAX_TOK: Final = 10_000_000
MOONCAKE_BLOCK_TOK: Final = 512  # Mooncake, FAST'25 release, description of hash_ids


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
        t_zero: UTC instant of the first request (ISO 8601), None where the file does not say.
        notes: What was done to the file's rows, for the reader of any figure.
    """

    name: str
    arrival_s: np.ndarray
    input_tok: np.ndarray
    output_tok: np.ndarray
    source: str
    cached_tok: np.ndarray | None = None
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
        form: `csv`, `azure`, `burstgpt` or `mooncake`; None: told by the header.
        columns: Column titles of a CSV file by `arrival_s`, `input_tokens`, `output_tokens` and
            `cached_tokens`; what is not named keeps its own name. Arrivals are seconds or
            timestamps.

    Raises:
        DataError: Not a trace, or rows that cannot be.
    """
    file = Path(path)
    head = trace_table.first_line(file)
    form = _form(form, head, file, mapped=columns is not None)
    if form == "mooncake":
        table = trace_table.read_json_lines(file, FORMS[form], {"arrival_s": 1e-3})
    else:
        titles, separator = trace_table.header_of(head)
        wanted = _wanted(form, titles, columns or {}, file)
        table = trace_table.read_csv(file, titles, separator, wanted)
    _refuse(file, table)
    return _assemble(file, form, table)


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
    known = (*NAMES, CACHED)
    problems = [
        f"expected one of {', '.join(known)} in the column map; got {name!r}. "
        f"{nearest(name, known)}"
        for name in columns
        if name not in known
    ]
    wanted = {**FORMS[form], **columns}
    if CACHED in titles and form == "csv":
        wanted.setdefault(CACHED, CACHED)
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
    if CACHED not in values and table.prefixes is not None:
        values[CACHED] = _cached(table.prefixes, values["input_tokens"], order)
    kept = order[(values["input_tokens"][order] > 0) & (values["output_tokens"][order] > 0)]
    if len(kept) < len(order):
        notes.append(
            f"{len(order) - len(kept)} of {len(order)} requests left out: no prompt or no output "
            "tokens, which is how failed and cancelled requests are logged"
        )
    if not len(kept):
        raise DataError(f"expected a request with prompt and output tokens; got none in {file}.")
    start = float(arrival.value[kept[0]])
    columns = {name: _frozen(value[kept].astype(np.int64)) for name, value in values.items()
               if name != "arrival_s"}  # fmt: skip
    arrival_s = _frozen(arrival.value[kept] - start)
    return Trace(
        name=file.stem,
        arrival_s=arrival_s,
        input_tok=columns["input_tokens"],
        output_tok=columns["output_tokens"],
        cached_tok=columns.get(CACHED),
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


def _cached(
    prefixes: tuple[tuple[int, ...], ...], input_tok: np.ndarray, order: np.ndarray
) -> np.ndarray:
    """Tokens of the leading blocks that an earlier request already had [row]."""
    seen: set[int] = set()
    cached = np.zeros(len(input_tok))
    for row in order:
        blocks = prefixes[row]
        hit = next((i for i, block in enumerate(blocks) if block not in seen), len(blocks))
        cached[row] = min(hit * MOONCAKE_BLOCK_TOK, input_tok[row])
        seen.update(blocks)
    return cached


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


def write_trace(trace: Trace, path: str | os.PathLike[str], *, form: str | None = None) -> None:
    """Write a trace as `csv`, `azure` or `mooncake`.

    Azure's timestamps have steps of 100 ns, Mooncake's of 1 ms: finer arrivals are rounded.
    Mooncake lines carry no `hash_ids`, for a trace holds none.

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
    if form == "csv" and trace.cached_tok is not None:
        header, row = f"{header.rstrip()},{CACHED}\n", row.replace("\n", ",{}\n")
        columns.append(trace.cached_tok.tolist())
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            out.write(header)
            out.writelines(row.format(*cells) for cells in zip(*columns, strict=True))
    except OSError as error:
        raise DataError(f"expected a file that can be written; got '{file}': {error}.") from error


def _azure_stamps(trace: Trace) -> list[str]:
    start = np.datetime64((trace.t_zero or "1970-01-01T00:00:00Z").removesuffix("Z"), "ns")
    tick = np.round(trace.arrival_s * 1e7).astype(np.int64) * 100
    return [str(stamp)[:-2].replace("T", " ") for stamp in start + tick.astype("timedelta64[ns]")]


_WRITERS: Final[Mapping[str, tuple[str, str]]] = {
    "csv": (",".join(FORMS["csv"].values()) + "\n", "{!r},{},{}\n"),
    "azure": (",".join(FORMS["azure"].values()) + "\n", "{},{},{}\n"),
    "mooncake": (
        "",
        '{{"timestamp": {}, "input_length": {}, "output_length": {}}}\n',
    ),
}
