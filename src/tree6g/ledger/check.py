"""Does a ledger keep its own rules? Every row is read; memory does not grow with the rows."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tree6g.errors import nearest
from tree6g.ledger import batch, control, overlap, parts, schema
from tree6g.ledger.reading import Ledger, named_sql, sql_errors

TOLERANCE: Final = 1e-9
MEMORY: Final = "512MB"
# What makes two rows the same claim; a second one of the same key is a double count.
KEYS: Final = {
    "energy": "t0_s, t1_s, node, component, state, service, source",
    "work": "t0_s, t1_s, node, service, model, kind, demand_unit, source",
    "latency": "t0_s, t1_s, node, service, kind, le_s",
    "throughput": "t0_s, t1_s, node, service, kind, le_bps",
    "prb": "t0_s, t1_s, node, kind",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One broken rule.

    Attributes:
        table: Table of the rows, or `meta`.
        rule: `schema`, `overlap`, `duplicate`, `unknown`, `late`, `requests`, `conservation`.
        text: What was expected, what the rows say, what to do.
        rows: Rows that break it (for `conservation` and `unknown`: nodes or names).
    """

    table: str
    rule: str
    text: str
    rows: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """What `check` found.

    Attributes:
        rows: Rows of each table.
        conservation_error_frac: Largest difference, over the nodes, between the joules of the rows
            and the total that the producer counted besides them, over the larger of the two;
            None if the header has no such totals.
        problems: Broken rules; none in a sound ledger.
        notes: What is no fault and worth knowing.
    """

    rows: Mapping[str, int]
    conservation_error_frac: float | None
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]


def check(ledger: Ledger) -> CheckReport:
    """Hold a ledger to its rules: types, words, overlap, duplicates, sums, conservation.

    Raises:
        LedgerError: A part cannot be read at all.
    """
    found = [p for table in schema.TABLES for p in _row_problems(ledger, table)]
    with ledger.connect(memory=MEMORY) as db, sql_errors(ledger.path):
        for table in KEYS:
            found += _duplicates(db, table)
        found += _unknown_names(db, ledger)
        found += _two_boundaries(db)
        found += _late_parts(db)
        found += _request_sums(db)
        joules = dict(db.sql(named_sql("ledger", "node_energy")).fetchall())
        error, broken, notes = _conserved(ledger, joules)
        notes += _uncovered(db)
    stale = parts.list_stale(ledger.path)
    if stale:
        notes.append(
            f"{len(stale)} temporary files such as {stale[0].name}: a writer is at work, or one "
            "crashed. Readers ignore them and the next writer removes them."
        )
    return CheckReport(
        rows=ledger.rows(),
        conservation_error_frac=error,
        problems=(*found, *broken),
        notes=tuple(notes),
    )


def _row_problems(ledger: Ledger, table: str) -> Iterator[Problem]:
    """Rules of single rows, and overlap of energy rows, in one pass over the rows."""
    claims = overlap.Claims()
    found: list[batch.Fault] = []
    clashes: list[overlap.Clash] = []
    faults = start = 0
    for rows in ledger.batches(table):
        data = pa.Table.from_batches([rows])
        for fault in batch.faults(table, data):
            faults += 1
            if len(found) < batch.SHOWN:
                row = None if fault.row is None else fault.row + start
                found.append(dataclasses.replace(fault, row=row))
        if table == "energy":
            clashes += claims.clashes(data.select(overlap.COLUMNS).filter(_IS_INTERVAL).drop_null())
        start += data.num_rows
    if found:
        text = batch.describe(f"table '{table}'", found)
        yield Problem(table=table, rule="schema", text=text, rows=faults)
    if clashes:
        text = overlap.refusal(clashes)
        yield Problem(table=table, rule="overlap", text=text, rows=len(clashes))


def _two_boundaries(db: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    """Nodes that two rows of `entity` place in different boundaries: their joules count twice."""
    rows = db.sql(
        "SELECT node, list(DISTINCT boundaries ORDER BY boundaries) AS all_of FROM entity "
        "GROUP BY node HAVING count(DISTINCT boundaries) > 1 ORDER BY node"
    ).fetchall()
    if rows:
        node, found = rows[0]
        text = (
            f"expected one set of boundaries for a node; got {len(rows)} nodes with several, such "
            f"as '{node}' with {' and '.join(map(repr, found))}. Rename one of them."
        )
        yield Problem(table="entity", rule="duplicate", text=text, rows=len(rows))


def _duplicates(db: duckdb.DuckDBPyConnection, table: str) -> Iterator[Problem]:
    """Rows whose whole key is there twice.

    Eight bytes per row are sorted instead of all keys grouped; only rows whose hash is there twice
    are then compared in full.
    """
    key = KEYS[table]
    hashes = db.sql(f"SELECT hash({key}) AS h FROM {table}").fetchnumpy()["h"]
    hashes.sort()
    twice = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    if len(twice) == 0:
        return
    suspects = pa.table({"h": twice})
    db.register("suspects", suspects)
    groups = (
        f"SELECT {key}, count(*) AS n FROM {table} "
        f"WHERE hash({key}) IN (SELECT h FROM suspects) GROUP BY {key} HAVING count(*) > 1"
    )
    first = db.sql(f"{groups} ORDER BY ALL LIMIT 1").fetchall()
    if not first:
        return  # equal hashes of different keys
    ((keys, rows),) = db.sql(f"SELECT count(*), sum(n) FROM ({groups})").fetchall()
    row = ", ".join(f"{k} {v!r}" for k, v in zip(key.split(", "), first[0], strict=False))
    text = (
        f"expected each key once; got {keys} keys more than once, such as {first[0][-1]} rows of "
        f"{row}. Leave the second import out, or add the rows up."
    )
    yield Problem(table=table, rule="duplicate", text=text, rows=int(rows))


def _unknown_names(db: duckdb.DuckDBPyConnection, ledger: Ledger) -> Iterator[Problem]:
    services = [str(s) for s in ledger.meta.services]
    query = named_sql("ledger", "unknown_names")
    rows = db.sql(query, params={"services": services}).fetchall()
    nodes = [str(n) for (n,) in db.sql("SELECT DISTINCT node FROM entity").fetchall()]
    for table in schema.TABLES:
        for what, known in (("node", nodes), ("service", services)):
            names = [name for tbl, kind, name in rows if (tbl, kind) == (table, what)]
            if names:
                where = "the table 'entity'" if what == "node" else "'services' of the header"
                text = (
                    f"expected every {what} of table '{table}' in {where}; got {names[0]!r} and "
                    f"{len(names) - 1} others. {nearest(names[0], known)}"
                )
                yield Problem(table=table, rule="unknown", text=text, rows=len(names))


def _late_parts(db: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    query = named_sql("ledger", "late_parts")
    for node, service, kind, late, whole in db.sql(query, params=_TOLERANCE).fetchall():
        text = (
            f"{kind} is part of the delivered work; got {late!r} late of {whole!r} for service "
            f"'{service}' at node '{node}'. Write late work in both rows."
        )
        yield Problem(table="work", rule="late", text=text, rows=1)


def _request_sums(db: duckdb.DuckDBPyConnection) -> Iterator[Problem]:
    query = named_sql("ledger", "request_sums")
    for service, column, listed, counted in db.sql(query, params=_TOLERANCE).fetchall():
        text = (
            f"the requests of service '{service}' are all listed, so their {column} must add up "
            f"to that of the work rows; got {listed!r} and {counted!r}."
        )
        yield Problem(table="request", rule="requests", text=text, rows=1)


def _conserved(
    ledger: Ledger, joules: Mapping[str, float]
) -> tuple[float | None, list[Problem], list[str]]:
    """As `_conservation`; not while a flush has brought rows that are not in the totals yet."""
    last = max((parts.flushes_of(path)[1] for path in ledger.parts["energy"]), default=0)
    if control.is_behind(ledger.meta, last):
        note = (
            f"flush {last} is not in the control totals: a meter is writing it, or crashed there "
            "and counts it when it goes on; conservation is not checked"
        )
        return None, [], [note]
    return _conservation(joules, ledger.meta.control.get("energy_j"))


def _conservation(
    joules: Mapping[str, float], given: Any
) -> tuple[float | None, list[Problem], list[str]]:
    """Joules of the rows by node against the producer's own totals."""
    if given is None:
        return None, [], ["the header has no control totals: conservation is not checked"]
    if not isinstance(given, Mapping) or not all(_is_number(v) for v in given.values()):
        text = f"control.energy_j of the header must hold joules by node; got {given!r}."
        return None, [Problem(table="meta", rule="schema", text=text, rows=1)], []
    errors = {node: _error(joules.get(node, 0.0), float(v)) for node, v in given.items()}
    worst = max(errors, key=lambda node: errors[node], default=None)
    notes = []
    missing = sorted(set(joules) - set(given))
    if missing:
        notes.append(f"{len(missing)} nodes without a control total, such as '{missing[0]}'")
    if worst is None:
        return None, [], notes
    if errors[worst] <= TOLERANCE:
        return errors[worst], [], notes
    text = (
        f"node '{worst}': rows hold {joules.get(worst, 0.0)!r} J, the producer counted "
        f"{given[worst]!r} J (relative error {errors[worst]:.3g}, allowed {TOLERANCE:g}). Rows "
        "are missing or there twice."
    )
    broken = sum(e > TOLERANCE for e in errors.values())
    return (
        errors[worst],
        [Problem(table="energy", rule="conservation", text=text, rows=broken)],
        notes,
    )


def _uncovered(db: duckdb.DuckDBPyConnection) -> list[str]:
    rows = db.sql(named_sql("ledger", "uncovered_sources")).fetchall()
    return [
        f"no coverage is stated for {quantity} of source '{source}'" for quantity, source in rows
    ]


def _error(a: float, b: float) -> float:
    if not math.isfinite(a):
        return 1.0  # the rows that make it so are reported as what they are
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# What can overlap at all; rows of another hand may hold anything.
_IS_INTERVAL: Final = (
    pc.is_finite(pc.field("t0_s"))
    & pc.is_finite(pc.field("t1_s"))
    & (pc.field("t0_s") < pc.field("t1_s"))
)
_TOLERANCE: Final = {"tolerance": TOLERANCE}
