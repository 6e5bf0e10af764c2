"""Logs of real inference engines: one row per request, and what is known of the engine.

Columns: `arrival_s`, `input_tokens`, `output_tokens`, `first_token_s`, `last_token_s`; others are
passed over. A file `engine.json` beside them may hold an object for each file by its stem with
`observed_peak_running` (most sequences that ran at once), `kv_cache_tok`, `max_num_seqs`,
`max_num_batched_tokens`, `prefix_caching` and `tensor_parallel`; null is unknown.

The file's name gives accelerator and model: `RTX4090_Llama-3.1-8B.csv`. More than one accelerator
is `RTXPRO6000x2_...`, `2xH100_...`, or `_TP2` anywhere in the name.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.calibrate.columns import Columns, read_columns
from tree6g.calibrate.result import FloatArray
from tree6g.errors import DataError, nearest

NUMBERS: Final = ("arrival_s", "input_tokens", "output_tokens", "first_token_s", "last_token_s")
ENGINE: Final = "engine.json"
COUNTS: Final = (
    "observed_peak_running", "kv_cache_tok", "max_num_seqs", "max_num_batched_tokens",
    "tensor_parallel",
)  # fmt: skip
_TENSOR_PARALLEL: Final = re.compile(r"[_-]tp[_-]?(\d+)(?=$|[_.-])", re.IGNORECASE)
_COUNT_BEFORE: Final = re.compile(r"^(\d{1,2})x[_-]?", re.IGNORECASE)
_COUNT_AFTER: Final = re.compile(r"[_-]?x(\d{1,2})$", re.IGNORECASE)  # not the x of RTX4090


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What the name of a file says; None where it does not."""

    accelerator: str
    model: str | None
    tensor_parallel: int | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RequestLog:
    """One file, its requests in order of arrival; arrays are [request].

    Attributes:
        name: Stem of the file.
        arrival_s: Arrival after the first request.
        input_tok: Prompt tokens.
        output_tok: Tokens of the answer.
        first_s: First token, after arrival.
        last_s: Last token, after arrival.
        engine: What is known of the engine, by the keys of `engine.json`.
    """

    name: str
    arrival_s: FloatArray
    input_tok: FloatArray
    output_tok: FloatArray
    first_s: FloatArray
    last_s: FloatArray
    engine: dict[str, int | bool]

    def __len__(self) -> int:
        return len(self.arrival_s)


def read_log(file: Path) -> RequestLog:
    """Read a log and what `engine.json` beside it says of it.

    Raises:
        DataError: The file or `engine.json` is not what it should be, with all faults.
    """
    table = read_columns(file, (), NUMBERS, check=_faults)
    order = np.argsort(table.number["arrival_s"], kind="stable")
    number = {name: table.number[name][order] for name in NUMBERS}
    arrival_s = number["arrival_s"]
    return RequestLog(
        name=file.stem,
        arrival_s=arrival_s - arrival_s[0],
        input_tok=number["input_tokens"],
        output_tok=number["output_tokens"],
        first_s=number["first_token_s"] - arrival_s,
        last_s=number["last_token_s"] - arrival_s,
        engine=_engine(file),
    )


def named(stem: str) -> Named:
    """Accelerator, model and number of accelerators from a file's stem.

    >>> named("RTXPRO6000x2_Qwen3-32B").tensor_parallel
    2
    >>> named("H100_Llama-3.1-70B_TP4")
    Named(accelerator='H100', model='Llama-3.1-70B', tensor_parallel=4)
    """
    parallel = _TENSOR_PARALLEL.search(stem)
    plain = _TENSOR_PARALLEL.sub("", stem)
    accelerator, _, model = plain.partition("_")
    count = _COUNT_BEFORE.search(accelerator) or _COUNT_AFTER.search(accelerator)
    bare = _COUNT_AFTER.sub("", _COUNT_BEFORE.sub("", accelerator))
    found = parallel or count
    return Named(
        accelerator=bare or accelerator,
        model=model or None,
        tensor_parallel=int(found[1]) if found else None,
    )


def row_named(written: str, rows: Iterable[str], what: str) -> str:
    """The row of a table that a name in a file means, whatever its case and punctuation.

    An exact match counts first, then the only row that the name begins, then the longest row that
    begins the name.

    Raises:
        DataError: None, or more than one.
    """
    known = {_plain(row): row for row in rows}
    wanted = _plain(written)
    if wanted in known:
        return known[wanted]
    longer = [row for plain, row in known.items() if plain.startswith(wanted)]
    shorter = [plain for plain in known if wanted.startswith(plain)]
    if len(longer) == 1:
        return longer[0]
    if not longer and shorter:
        return known[max(shorter, key=len)]
    many = f"; it may mean {', '.join(sorted(longer))}" if longer else ""
    raise DataError(
        f"expected the name of a known {what}; got {written!r}{many}. "
        f"{nearest(written.lower(), known.values())} Name it with --{what}."
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", name.lower())


def _faults(table: Columns) -> list[str]:
    """What cannot be: tokens that are no whole numbers, tokens before their arrival."""
    problems = []
    for name in ("input_tokens", "output_tokens"):
        value = table.number[name]
        problems += [
            f"line {row + 2}: {name} must be a whole number from 1; got {value[row]:g}"
            for row in np.flatnonzero(~((value >= 1) & (value == np.floor(value))))
        ]
    steps = (("arrival_s", "first_token_s"), ("first_token_s", "last_token_s"))
    for before, after in steps:
        early = table.number[after] < table.number[before]
        problems += [
            f"line {row + 2}: {after} must not be before {before}; got "
            f"{table.number[after][row]:g} s and {table.number[before][row]:g} s"
            for row in np.flatnonzero(early)
        ]
    same = table.number["first_token_s"] <= table.number["arrival_s"]
    problems += [
        f"line {row + 2}: first_token_s must be after arrival_s" for row in np.flatnonzero(same)
    ]
    return problems


def _engine(file: Path) -> dict[str, int | bool]:
    beside = file.with_name(ENGINE)
    if not beside.is_file():
        return {}
    try:
        whole = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"expected JSON in {beside}; got: {error}.") from error
    if not isinstance(whole, dict):
        raise DataError(f"expected an object by file in {beside}; got {type(whole).__name__}.")
    known = whole.get(file.stem) or {}
    if not isinstance(known, dict):
        raise DataError(f"expected an object for {file.stem!r} in {beside}; got {known!r}.")
    faults = [text for name, value in known.items() if (text := _fault(name, value))]
    if faults:
        raise DataError("\n".join(f"{beside}: {file.stem}: {text}" for text in faults))
    return {n: v for n, v in known.items() if v is not None and n in (*COUNTS, "prefix_caching")}


def _fault(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        return f"{name} must be a whole number from 1, or null; got {value!r}"
    if name == "prefix_caching" and not isinstance(value, bool):
        return f"{name} must be true, false or null; got {value!r}"
    return ""
