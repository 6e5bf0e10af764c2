"""What the footers of Parquet parts tell about a table before a row is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import duckdb

from tree6g.ledger import schema

# The database reads footers: pyarrow ends the process on some damaged ones.
_STATED = """
SELECT path_in_schema, count(*), count(stats_null_count), sum(stats_null_count), sum(num_values),
       count(TRY_CAST(stats_min_value AS DOUBLE)), min(TRY_CAST(stats_min_value AS DOUBLE)),
       count(TRY_CAST(stats_max_value AS DOUBLE)), max(TRY_CAST(stats_max_value AS DOUBLE))
FROM parquet_metadata(?) GROUP BY path_in_schema
"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Footer:
    """A table's parts as their footers describe them.

    Attributes:
        rows: Number of rows.
        start_s: Least `t0_s`; None without rows, or where a footer does not tell.
        end_s: Greatest `t1_s`, likewise.
        empty: Optional columns that are known to hold nothing but nulls.
    """

    rows: int
    start_s: float | None
    end_s: float | None
    empty: frozenset[str]


def of_parts(
    connection: duckdb.DuckDBPyConnection, table: str, parts: Sequence[Path], rows: int
) -> Footer:
    """The footers of a table's parts as one."""
    optional = frozenset(field.name for field in schema.columns_of(table) if field.nullable)
    if not parts:
        return Footer(rows=0, start_s=None, end_s=None, empty=optional)
    found = connection.execute(_STATED, [[str(p) for p in parts]]).fetchall()
    stated = {name: values for name, *values in found}
    start, end = stated.get("t0_s"), stated.get("t1_s")
    return Footer(
        rows=rows,
        start_s=start[5] if start is not None and start[4] == start[0] else None,
        end_s=end[7] if end is not None and end[6] == end[0] else None,
        empty=frozenset(n for n in optional if n in stated and _is_empty(*stated[n][:4])),
    )


def _is_empty(groups: int, told: int, nulls: int, values: int) -> bool:
    return groups == told and nulls == values
