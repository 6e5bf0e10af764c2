"""What the footers of Parquet parts tell about a table before a row is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import pyarrow.parquet as pq

from tree6g.ledger import schema


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


def of_parts(table: str, parts: Sequence[pq.FileMetaData]) -> Footer:
    """The footers of a table's parts as one."""
    groups = [_columns(part.row_group(g)) for part in parts for g in range(part.num_row_groups)]
    wanted = schema.columns_of(table)
    optional = [field.name for field in wanted if field.nullable]
    return Footer(
        rows=sum(part.num_rows for part in parts),
        start_s=min(_edges(groups, "t0_s", "min"), default=None),
        end_s=max(_edges(groups, "t1_s", "max"), default=None),
        empty=frozenset(n for n in optional if all(_is_empty(group[n]) for group in groups)),
    )


def _columns(group: Any) -> dict[str, Any]:
    columns = (group.column(n) for n in range(group.num_columns))
    return {column.path_in_schema: column for column in columns}


def _edges(groups: Sequence[dict[str, Any]], column: str, which: str) -> list[float]:
    """An edge of every row group; none at all where one of them does not tell."""
    stated = [group[column].statistics for group in groups if column in group]
    if any(s is None or not s.has_min_max for s in stated):
        return []
    return [float(getattr(s, which)) for s in stated]


def _is_empty(column: Any) -> bool:
    stated = column.statistics
    return bool(
        stated is not None and stated.has_null_count and stated.null_count == column.num_values
    )
