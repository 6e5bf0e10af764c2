"""A table of the report as lines of plain ASCII for a terminal."""

from __future__ import annotations

from tree6g.report.summary import ascii_only
from tree6g.report.tables import Table, shown


def to_text(table: Table) -> str:
    """Heads, a rule and rows: text columns to the left, numbers to the right."""
    heads = [ascii_only(column.head) for column in table.columns]
    rows = [
        [ascii_only(shown(cell, column)) for cell, column in zip(row, table.columns, strict=True)]
        for row in table.rows
    ]
    widths = [max(map(len, cells)) for cells in zip(heads, *rows, strict=True)]
    left = [column.unit is None for column in table.columns]
    lines = []
    for cells in (heads, ["-" * width for width in widths], *rows):
        padded = (
            cell.ljust(width) if text else cell.rjust(width)
            for cell, width, text in zip(cells, widths, left, strict=True)
        )
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)
