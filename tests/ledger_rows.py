"""Rows and small ledgers for the tests of the ledger itself, without the packages above it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa

from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter

SERVICES = {"chat": {"kind": "ai"}, "upload": {"kind": "data"}}
META = Meta(services=SERVICES, sources={"model": "test"})


def energy(**columns: Any) -> dict[str, Any]:
    """Columns of one valid energy row, or of many where a column is a sequence."""
    return {
        "t0_s": 0.0, "t1_s": 1.0, "node": "n", "tier": "edge", "component": "gpu",
        "state": "active", "energy_j": 1.0, "origin": "modelled", "source": "model", **columns,
    }  # fmt: skip


def work(**columns: Any) -> dict[str, Any]:
    """Columns of valid work rows."""
    return {
        "t0_s": 0.0, "t1_s": 1.0, "node": "n", "tier": "edge", "service": "chat",
        "kind": "token_out", "amount": 5.0, "origin": "modelled", "source": "model", **columns,
    }  # fmt: skip


def request(**columns: Any) -> dict[str, Any]:
    """Columns of valid request rows."""
    return {
        "id": 1, "service": "chat", "arrival_s": 0.0, "node": "n", "token_in": 3.0,
        "token_out": 5.0, "token_late": 0.0, **columns,
    }  # fmt: skip


def coverage(**columns: Any) -> dict[str, Any]:
    """Columns of valid coverage rows."""
    return {
        "t0_s": 0.0, "t1_s": 10.0, "source": "model", "quantity": ["energy", "work"],
        "status": "ok", **columns,
    }  # fmt: skip


def entity(**columns: Any) -> dict[str, Any]:
    """Columns of valid entity rows."""
    return {"node": "n", "tier": "edge", "boundaries": "operator full", **columns}


def write(path: Path, meta: Meta = META, /, **tables: dict[str, Any]) -> Ledger:
    """A ledger of these rows; the node 'n' and its coverage are there unless given."""
    tables = {"entity": entity(), "coverage": coverage(), **tables}
    with LedgerWriter(path, meta) as writer:
        for table, columns in tables.items():
            writer.append(table, columns)
    return open_ledger(path)


def joules(ledger: Ledger) -> float:
    """All energy of a ledger, summed without rounding error."""
    return math.fsum(ledger.table("energy")["energy_j"].to_pylist())


def same_rows(a: Ledger, b: Ledger) -> bool:
    """Equal rows in the same order in every table, whatever the parts."""
    return all(_plain(a.table(t)).equals(_plain(b.table(t))) for t in a.part_rows)


def _plain(rows: pa.Table) -> pa.Table:
    kinds = [
        f.with_type(f.type.value_type if pa.types.is_dictionary(f.type) else f.type)
        for f in rows.schema
    ]
    return rows.cast(pa.schema(kinds)).combine_chunks()
