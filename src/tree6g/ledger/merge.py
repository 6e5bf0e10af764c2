"""Several ledgers made one: clocks aligned by stated offsets, nothing counted twice.

Rows are copied part by part, so memory does not grow with them. The header lists what was merged.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tree6g.errors import LedgerError
from tree6g.ledger import overlap, schema
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter, new_ledger

CLOCK_COLUMNS: Final = ("t0_s", "t1_s", "arrival_s")
# Tables that define a name: the key may stand in several parts if the rows are equal.
DEFINITIONS: Final = {"service": "service", "entity": "node"}
_SAME: Final = ("boundary", "attribution_interval_s", "attribution", "idle_rule")


def merge(
    ledgers: Sequence[Ledger], out: str | Path, *, clock_offsets_s: Sequence[float] | None = None
) -> Ledger:
    """Merge ledgers into a new one at `out`.

    Args:
        ledgers: The parts, at least one. Energy of one node and component must not overlap between
            parts, whatever its source; services and nodes that several parts define must be
            defined alike.
        out: Folder of the new ledger.
        clock_offsets_s: Per part, what is added to its times; 0 if all parts share `t_zero`, which
            the result takes from the first part.

    Raises:
        LedgerError: Overlap, conflicting definitions, headers of different meaning, or different
            `t_zero` without offsets. Nothing is written then.
    """
    offsets = _offsets(ledgers, clock_offsets_s)
    meta = _merged_meta(ledgers, offsets)
    _refuse_overlap(ledgers, offsets)
    with new_ledger(Path(out), meta) as writer:
        for table in schema.TABLES:
            if table in DEFINITIONS:
                _copy_definitions(ledgers, table, writer)
            else:
                _copy_rows(ledgers, offsets, table, writer)
    return open_ledger(out)


def _offsets(ledgers: Sequence[Ledger], given: Sequence[float] | None) -> list[float]:
    if not ledgers:
        raise LedgerError("expected at least one ledger to merge; got none.")
    if given is None:
        zeros = sorted({str(ledger.meta.t_zero) for ledger in ledgers})
        if len(zeros) > 1:
            raise LedgerError(
                f"expected ledgers of one t_zero; got {', '.join(zeros)}. State clock_offsets_s, "
                "what is to be added to the times of each ledger."
            )
        return [0.0] * len(ledgers)
    if len(given) != len(ledgers) or not all(math.isfinite(x) for x in given):
        raise LedgerError(
            f"expected {len(ledgers)} finite clock offsets, one per ledger; got {list(given)!r} s."
        )
    return [float(x) for x in given]


def _refuse_overlap(ledgers: Sequence[Ledger], offsets: Sequence[float]) -> None:
    """Each part claims its energy in its own name: even equal sources must not meet."""
    claims = overlap.Claims()
    for index, (ledger, offset) in enumerate(zip(ledgers, offsets, strict=True), 1):
        name = f"ledger {index} ({ledger.path.name})"
        for rows in ledger.batches("energy"):
            claims.add(_shift(pa.Table.from_batches([rows]), offset), claimant=name)


def _copy_rows(
    ledgers: Sequence[Ledger], offsets: Sequence[float], table: str, writer: LedgerWriter
) -> None:
    for ledger, offset in zip(ledgers, offsets, strict=True):
        for rows in ledger.batches(table):
            _append(writer, table, _shift(pa.Table.from_batches([rows]), offset))


def _copy_definitions(ledgers: Sequence[Ledger], table: str, writer: LedgerWriter) -> None:
    key = DEFINITIONS[table]
    known: dict[str, Mapping[str, Any]] = {}
    for ledger in ledgers:
        for row in ledger.table(table).to_pylist():
            if known.setdefault(row[key], row) != row:
                raise LedgerError(
                    f"{key} '{row[key]}' is defined as {_differing(known[row[key]], row)} in "
                    f"{ledger.path}. Rename one, or define both alike."
                )
    if known:
        rows = pa.Table.from_pylist(list(known.values()), schema.TABLES[table])
        _append(writer, table, rows)


def _append(writer: LedgerWriter, table: str, rows: pa.Table) -> None:
    writer.append(table, {name: rows.column(name) for name in rows.column_names})


def _shift(rows: pa.Table, offset_s: float) -> pa.Table:
    if offset_s == 0:
        return rows
    for name in CLOCK_COLUMNS:
        if name in rows.column_names:
            at = rows.column_names.index(name)
            rows = rows.set_column(at, rows.field(name), pc.add(rows.column(name), offset_s))
    return rows


def _merged_meta(ledgers: Sequence[Ledger], offsets: Sequence[float]) -> Meta:
    metas = [ledger.meta for ledger in ledgers]
    first = metas[0]
    for name in _SAME:
        values = [getattr(m, name) for m in metas]
        if any(v != values[0] for v in values):
            raise LedgerError(
                f"expected ledgers with one '{name}'; got {values!r}. Give them the same by "
                "`LedgerWriter.update_meta` first."
            )
    merged = tuple(
        {
            "ledger": ledger.path.name,
            "clock_offset_s": offset,
            "t_zero": ledger.meta.t_zero,
            "producer": ledger.meta.producer,
            "scenario_hash": ledger.meta.scenario_hash,
            "rows": ledger.rows(),
        }
        for ledger, offset in zip(ledgers, offsets, strict=True)
    )
    one_scenario = all(m.scenario_hash == first.scenario_hash for m in metas)
    return dataclasses.replace(
        first,
        services=_union("service", [m.services for m in metas]),
        sources=_union("source", [m.sources for m in metas]),
        phase_weights=_phase_weights(metas),
        scenario=first.scenario if one_scenario else None,
        scenario_hash=first.scenario_hash if one_scenario else None,
        control=_control(ledgers),
        notes=tuple(dict.fromkeys(note for m in metas for note in m.notes)),
        merged=merged,
        created=None,
    )


def _union(what: str, maps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    union: dict[str, Any] = {}
    for one in maps:
        for name, value in one.items():
            if union.setdefault(name, value) != value:
                raise LedgerError(
                    f"{what} '{name}' is defined as {_differing(union[name], value)} in the "
                    "headers. Rename one, or define both alike."
                )
    return union


def _phase_weights(metas: Sequence[Meta]) -> tuple[Mapping[str, Any], ...]:
    """All phase weights; a row without a node would reach into the other parts' nodes."""
    weights: dict[str, Mapping[str, Any]] = {}
    for row in (row for m in metas for row in m.phase_weights):
        key = repr(sorted((k, v) for k, v in row.items() if k != "weight"))
        if weights.setdefault(key, row) != row:
            raise LedgerError(f"phase weights conflict: {weights[key]!r} and {row!r}.")
    if any(list(m.phase_weights) != list(metas[0].phase_weights) for m in metas):
        for row in weights.values():
            if row.get("node") is None and not all(row in m.phase_weights for m in metas):
                raise LedgerError(
                    f"phase weight {row!r} names no node and stands in some ledgers only. Name "
                    "its nodes, so that it does not reach into the other ledgers."
                )
    return tuple(weights.values())


def _control(ledgers: Sequence[Ledger]) -> dict[str, Any]:
    """Sums of the producers' totals, for nodes whose every part has one."""
    totals: dict[str, float] = {}
    unknown: set[str] = set()
    for ledger in ledgers:
        given = ledger.meta.control.get("energy_j")
        items = given.items() if isinstance(given, Mapping) else ()
        counted = {node: float(j) for node, j in items if isinstance(j, int | float)}
        for node, energy_j in counted.items():
            totals[node] = totals.get(node, 0.0) + energy_j
        nodes = ledger.query("SELECT DISTINCT node FROM energy ORDER BY node")["node"].to_pylist()
        unknown |= set(nodes) - set(counted)
    known = {node: energy_j for node, energy_j in totals.items() if node not in unknown}
    return {"energy_j": known} if known else {}


def _differing(a: Any, b: Any) -> str:
    """Where two definitions differ, for people."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for name in sorted({*a, *b}):
            if a.get(name) != b.get(name):
                return f"{name} {a.get(name)!r} and as {b.get(name)!r}"
    return f"{a!r} and as {b!r}"
