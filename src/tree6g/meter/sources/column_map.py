"""Any vendor's CSV with a map of its columns: `energy=Energy (Wh):Wh`, `time=Date`.

Left of the sign is what it is to us (a kind of `reading.UNITS`, or `time`, `start`, `node`,
`model`, `tenant`), right of it the title there, and behind the last colon the unit. Amounts belong
to the time from `start`, or from the row before of the same node, to `time`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tree6g.errors import MeterError, nearest
from tree6g.meter.reading import UNITS, Form, Found, Reading, reading
from tree6g.meter.sources.rows import cell, header, instant, rows
from tree6g.units import parse

_PLACES: Final = ("time", "start", "node", "model", "tenant")
_GAUGES: Final = ("power", "running", "waiting", "users", "prb_dl", "prb_ul", "gpu_busy")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of the file: what it is, and its unit in SI."""

    kind: str
    title: str
    scale: float = 1.0


def columns_of(texts: Sequence[str]) -> tuple[Column, ...]:
    """Columns from `kind=title[:unit]`.

    Raises:
        MeterError: A kind, or a unit, that is not known; all at once.
    """
    made, problems = [], []
    for text in texts:
        kind, sign, rest = text.partition("=")
        if not sign or kind not in {*_PLACES, *UNITS}:
            problems.append(
                f"expected KIND=TITLE[:UNIT]; got {text!r}. {nearest(kind, {*_PLACES, *UNITS})}"
            )
            continue
        title, colon, unit = rest.rpartition(":")
        if kind in _PLACES or not colon:
            made.append(Column(kind=kind, title=rest))
            continue
        try:
            made.append(Column(kind=kind, title=title, scale=parse(f"1 {unit}", UNITS[kind])))
        except (ValueError, KeyError) as error:
            problems.append(f"{text!r}: {error}")
    if problems:
        raise MeterError("\n".join(problems))
    return tuple(made)


def read_columns(text: str, columns: Sequence[Column]) -> Found:
    """Rows of a table as readings over intervals, or at instants."""
    titles = header(text)
    lost = [c.title for c in columns if c.title not in titles]
    if lost:
        raise MeterError(
            "\n".join(f"no column {title!r}. {nearest(title, titles)}" for title in lost)
        )
    places = {c.kind: c.title for c in columns if c.kind in _PLACES}
    values = [c for c in columns if c.kind in UNITS]
    before: dict[str, float] = {}
    readings: list[Reading] = []
    problems: list[str] = []
    for number, row in enumerate(rows(text), 2):
        end = instant(row.get(places["time"], "")) if "time" in places else None
        node = row.get(places.get("node", ""), "")
        start = instant(row.get(places["start"], "")) if "start" in places else before.get(node)
        if "time" in places and end is None:
            problems.append(f"row {number}: no instant in column {places['time']!r}.")
        else:
            whose: dict[str, Any] = {
                key: row.get(places.get(key, ""), "") for key in ("model", "tenant")
            }
            made = list(_row(number, row, values, start, end))
            readings += [dataclasses.replace(r, node=node, **whose) for r in made]
        if end is not None:
            before[node] = end
    problems += [f"{r.name}: not known: {r.why}." for r in readings if r.value_si is None]
    return Found(format="csv", readings=tuple(readings), problems=tuple(problems))


def _row(
    number: int,
    row: Mapping[str, str],
    columns: Sequence[Column],
    start: float | None,
    end: float | None,
) -> Iterator[Reading]:
    for column in columns:
        text = row.get(column.title, "")
        form: Form = "gauge" if column.kind in _GAUGES else "interval"
        name = f"row {number} {column.title}"
        made = reading(name, column.kind, form, cell(text), scale=column.scale)
        if not text:
            made = dataclasses.replace(made, why="the cell is empty")
        yield dataclasses.replace(made, t0_s=start if form == "interval" else None, t1_s=end)
