"""Columns of a tick as Arrow arrays, straight from their buffers.

`pyarrow.array` would do, but it loads pandas if that is installed, which takes 50 MB and more than
a second, and it looks at every value three times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tree6g.ledger import schema


def tables(
    rows: Mapping[str, Mapping[str, Sequence[Any]]],
) -> dict[str, dict[str, pa.Array]]:
    """Columns of several tables."""
    return {table: columns(table, values) for table, values in rows.items()}


def columns(table: str, values: Mapping[str, Sequence[Any]]) -> dict[str, pa.Array]:
    """Columns in the types of a table."""
    types = schema.TABLES[table]
    return {
        name: texts(column) if pa.types.is_dictionary(types.field(name).type) else numbers(column)
        for name, column in values.items()
    }


def numbers(values: Sequence[float | None]) -> pa.Array:
    """Floats; None is null."""
    known = [value is not None for value in values]
    data = np.array([math.nan if value is None else value for value in values], np.float64)
    nulls = None if all(known) else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    return pa.Array.from_buffers(pa.float64(), len(values), [nulls, pa.py_buffer(data)])


def texts(values: Sequence[str | None]) -> pa.Array:
    """Text as a dictionary; None is null."""
    words = list(dict.fromkeys(value for value in values if value is not None))
    codes = {word: code for code, word in enumerate(words)}
    data = np.array([codes[v] if v is not None else 0 for v in values], np.int32)
    known = [value is not None for value in values]
    nulls = None if all(known) else pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
    indices = pa.Array.from_buffers(pa.int32(), len(values), [nulls, pa.py_buffer(data)])
    return pa.DictionaryArray.from_arrays(indices, _strings(words))


def _strings(words: Sequence[str]) -> pa.Array:
    encoded = [word.encode() for word in words]
    ends = np.zeros(len(words) + 1, np.int32)
    np.cumsum([len(word) for word in encoded], out=ends[1:])
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(words), buffers)
