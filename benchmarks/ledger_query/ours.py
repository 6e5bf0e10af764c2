"""TREE by service and minute with attribution, asked of the package."""

from __future__ import annotations

import sys

import pyarrow.parquet as pq

from tree6g.ledger.reading import open_ledger
from tree6g.metric.figure import Query
from tree6g.metric.tree import series

if __name__ == "__main__":
    ledger, result, threads, memory = sys.argv[1:]
    query = Query(threads=int(threads), memory=memory)
    table = series(open_ledger(ledger), query, by=("service", "window"), window_s=60.0)
    columns = ["service", "t0_s", "utility_beq", "bits_bit", "energy_j", "tree_beq_per_j"]
    pq.write_table(table.select(columns), result)
