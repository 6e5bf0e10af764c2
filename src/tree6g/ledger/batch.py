"""Rows on their way into the ledger: columns to Arrow, and everything that may be wrong with them.

All checks are on whole columns. A text column is dictionary-encoded, so its words are checked once
per distinct word, whatever the number of rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tree6g import units
from tree6g.errors import LedgerError, nearest
from tree6g.ledger import schema

Scalar: TypeAlias = str | float | int | None
Column: TypeAlias = Scalar | Sequence[Any] | np.ndarray | pa.Array | pa.ChunkedArray

SHOWN: Final = 20
NEGATIVE_ENERGY: Final = (
    "Every joule counts once and none is netted: write storage, solar and export as rows of "
    "their own and leave the consumption whole (METRIC rule 8)."
)
UNKNOWN_IS_NULL: Final = "Leave the cell empty (None) if the value is unknown."

_NOT_CONVERTED: Final = (pa.ArrowException, ValueError, TypeError, OverflowError)
_TEXT_TYPES: Final = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One wrong cell, column or batch.

    Attributes:
        column: Column, or columns, at fault.
        row: Row of the batch from 0; None if the fault is not one of a row.
        text: What was expected, what came, what to do.
    """

    column: str
    row: int | None
    text: str


def to_table(table: str, columns: Mapping[str, Column]) -> pa.Table:
    """Columns of a batch as a valid Arrow table; scalars broadcast, absent optionals are null.

    Raises:
        LedgerError: The faults of the batch, at most `SHOWN` of them in words.
    """
    data, found = convert(table, columns)
    found += faults(table, data)
    if found:
        raise LedgerError(describe(f"table '{table}'", found))
    return data


def convert(table: str, columns: Mapping[str, Column]) -> tuple[pa.Table, list[Fault]]:
    """Columns as Arrow in the table's types, and the faults of those that cannot be converted.

    Without faults the result has all columns of the table, with faults those that are right.
    """
    wanted = schema.columns_of(table)
    found = list(_column_faults(wanted, columns))
    lengths = {name: len(v) for name, v in columns.items() if not _is_scalar(v)}  # type: ignore[arg-type]
    if len(set(lengths.values())) > 1:
        seen = ", ".join(f"{name} {n}" for name, n in lengths.items())
        found.append(_whole(next(iter(lengths)), f"expected columns of one length; got {seen}"))
        return pa.table({}), found
    rows = next(iter(lengths.values()), 1)
    arrays = {}
    for field in wanted:
        value = columns.get(field.name)
        try:
            if value is not None or field.nullable:
                arrays[field.name] = _array(field, value, rows)
        except _NOT_CONVERTED as error:
            found += _type_faults(field, value, error)
    fields = [wanted.field(name) for name in arrays]
    return pa.Table.from_arrays(list(arrays.values()), schema=pa.schema(fields)), found


def faults(table: str, data: pa.Table) -> Iterator[Fault]:
    """What the rules of the ledger say against rows of the right types."""
    columns = {f.name: _joined(data.column(f.name)) for f in data.schema}
    for field in data.schema:
        array = columns[field.name]
        if not field.nullable and array.null_count:
            yield from _cells(array, pc.is_null(array), field.name, "given", "It is required.")
        if pa.types.is_dictionary(field.type):
            yield from _text_faults(table, field.name, array)
        elif pa.types.is_floating(field.type):
            yield from _number_faults(table, field.name, array)
    yield from _order_faults(table, columns)


def _joined(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece; Arrow would copy even what is one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def describe(where: str, found: Iterable[Fault]) -> str:
    """All faults of a batch as one message, a line each, no more than `SHOWN`."""
    faults = list(found)
    lines = [f"{f.text}{'' if f.row is None else f' (row {f.row})'}" for f in faults[:SHOWN]]
    if len(faults) > SHOWN:
        lines.append(f"... and {len(faults) - SHOWN} more")
    if len(lines) == 1:
        return f"{where}: {lines[0]}"
    return f"{where}: {len(faults)} problems\n  " + "\n  ".join(lines)


def measure(column: str, value: object) -> str:
    """A value with the unit that its column's name carries."""
    suffix = units.suffix_of(column)
    unit = units.symbol_of(suffix) if suffix else ""
    return f"{value!r} {unit}".strip()


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float | np.generic)


def _whole(column: str, text: str) -> Fault:
    return Fault(column=column, row=None, text=text)


def _column_faults(wanted: pa.Schema, columns: Mapping[str, Column]) -> Iterator[Fault]:
    for name in columns:
        if name not in wanted.names:
            yield _whole(str(name), f"unknown column {name!r}. {nearest(str(name), wanted.names)}")
    for field in wanted:
        if not field.nullable and columns.get(field.name) is None:
            yield _whole(field.name, f"column '{field.name}' is required; it is missing")


def _array(field: pa.Field, value: Any, rows: int) -> pa.Array:
    if value is None:
        return pa.nulls(rows, field.type)
    if isinstance(value, pa.ChunkedArray):
        value = value.unify_dictionaries().combine_chunks()
    if pa.types.is_dictionary(field.type):
        return _text_array(field.type, value, rows)
    if _is_scalar(value):
        # Through an array of one, so that a scalar is held to what a column is held to.
        return _number_array([value], field.type).take(pa.array(np.zeros(rows, np.int8)))
    return _number_array(value, field.type)


def _text_array(kind: pa.DataType, value: Any, rows: int) -> pa.Array:
    if isinstance(value, str):
        codes = pa.array(np.zeros(rows, np.int32))
        return pa.DictionaryArray.from_arrays(codes, pa.array([value], pa.string()))
    array = value if isinstance(value, pa.Array) else pa.array(value, pa.string())
    is_coded = pa.types.is_dictionary(array.type)
    words = array.dictionary if is_coded else array
    if pa.types.is_null(words.type):
        return pa.nulls(len(array), kind)
    if not any(is_text(words.type) for is_text in _TEXT_TYPES):
        raise ValueError(f"not text but {words.type}")
    if not is_coded:
        return words.cast(pa.string()).dictionary_encode()
    codes = array.indices.cast(pa.int32())
    return pa.DictionaryArray.from_arrays(codes, words.cast(pa.string()))


def _number_array(value: Any, kind: pa.DataType) -> pa.Array:
    known = isinstance(value, pa.Array) or (isinstance(value, np.ndarray) and value.dtype != object)
    array = pa.array(value if known else list(value))
    number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if not (number or pa.types.is_decimal(array.type) or pa.types.is_null(array.type)):
        raise ValueError(f"not numbers but {array.type}")
    return array.cast(kind)


def _type_faults(field: pa.Field, value: Any, error: Exception) -> Iterator[Fault]:
    """The cells that cannot be converted (the first few), or the column if all of it is wrong."""
    kind = "text" if pa.types.is_dictionary(field.type) else "numbers"
    kind = "whole numbers" if pa.types.is_integer(field.type) else kind
    bad: list[int] = []
    if not _is_scalar(value) and not isinstance(value, pa.Array | pa.ChunkedArray):
        rows = (row for row, cell in enumerate(value) if not _converts(field, cell))
        bad = list(islice(rows, SHOWN))
    for row in bad:
        text = f"{field.name} must hold {kind}; got {value[row]!r}"
        yield Fault(column=field.name, row=row, text=text)
    if not bad:
        shown = repr(value) if _is_scalar(value) else str(error).partition("\n")[0]
        yield _whole(field.name, f"{field.name} must hold {kind}; got {shown}")


def _converts(field: pa.Field, cell: object) -> bool:
    try:
        _array(field, [cell], 1)
    except _NOT_CONVERTED:
        return False
    return True


def _cells(array: pa.Array, bad: Any, column: str, rule: str, hint: str) -> Iterator[Fault]:
    """One fault per bad cell."""
    mask = bad if isinstance(bad, np.ndarray) else pc.fill_null(bad, False).to_numpy(False)
    for row in np.flatnonzero(mask):
        got = measure(column, array[int(row)].as_py())
        text = f"{column} must be {rule}; got {got}. {hint}"
        yield Fault(column=column, row=int(row), text=text)


def _number_faults(table: str, column: str, array: pa.Array) -> Iterator[Fault]:
    finite = pc.is_finite(array)
    if not pc.all(finite, min_count=0).as_py():
        yield from _cells(array, pc.invert(finite), column, "finite", UNKNOWN_IS_NULL)
    if column in schema.NON_NEGATIVE.get(table, ()):
        low = pc.min(array).as_py()
        if low is not None and low < 0:
            hint = NEGATIVE_ENERGY if column == "energy_j" else "Quantities are not negative."
            yield from _cells(array, pc.less(array, 0.0), column, ">= 0", hint)


def _text_faults(table: str, column: str, array: pa.Array) -> Iterator[Fault]:
    words = array.dictionary.to_pylist()
    rules = [(w, _word_rule(table, column, w)) for w in words]
    if not any(rule for _, rule in rules):
        return
    codes = array.indices.fill_null(-1).to_numpy(False)
    for code, (word, rule) in enumerate(rules):
        if rule is not None:
            for row in np.flatnonzero(codes == code):
                text = f"{column} must be {rule[0]}; got {word!r}. {rule[1]}"
                yield Fault(column=column, row=int(row), text=text)


def _word_rule(table: str, column: str, word: str | None) -> tuple[str, str] | None:
    """What a word breaks: the rule and what to do; None if it is fine."""
    if not word or not word.isprintable():
        return "one line of printable text", UNKNOWN_IS_NULL
    known = schema.VOCABULARY.get((table, column))
    if known is not None and word not in known:
        return f"one of {', '.join(known)}", nearest(word, known)
    if (table, column) == ("entity", "boundaries"):
        for part in word.split(" "):
            if part not in schema.BOUNDARIES:
                return "boundaries separated by one space", nearest(part, schema.BOUNDARIES)
    return None


def _order_faults(table: str, columns: Mapping[str, pa.Array]) -> Iterator[Fault]:
    """Rules between two columns of a row."""
    rules: list[tuple[str, str, Callable[..., Any], str]] = []
    rules.append(("t0_s", "t1_s", pc.less, "An interval ends after it starts."))
    if table == "request":
        rules.append(
            ("token_late", "token_out", pc.less_equal, "Late tokens are part of the output.")
        )
        rules.append(
            ("token_in_late", "token_in", pc.less_equal, "Late tokens are part of the prompt.")
        )
    if table == "prb":
        rules.append(
            ("used_s", "available_s", pc.less_equal, "What is used is part of what is available.")
        )
    for low, high, holds, hint in rules:
        if low not in columns or high not in columns:
            continue
        good = holds(columns[low], columns[high])
        if pc.all(good, min_count=0).as_py():  # nulls are skipped
            continue
        for row in np.flatnonzero(~pc.fill_null(good, True).to_numpy(False)):
            a, b = (measure(name, columns[name][int(row)].as_py()) for name in (low, high))
            sign = "before" if low == "t0_s" else "no more than"
            text = f"{low} must be {sign} {high}; got {a} and {b}. {hint}"
            yield Fault(column=f"{low}, {high}", row=int(row), text=text)
