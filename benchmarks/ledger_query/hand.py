"""Runs hand.sql with DuckDB alone, under the same threads and memory limit as the package."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

if __name__ == "__main__":
    ledger, result, threads, memory = sys.argv[1:]
    text = (Path(__file__).parent / "hand.sql").read_text()
    files = {"$energy": f"{ledger}/energy/*.parquet", "$work": f"{ledger}/work/*.parquet"}
    for name, path in {**files, "$result": result}.items():
        text = text.replace(name, f"'{path}'")
    connection = duckdb.connect(config={"threads": int(threads), "memory_limit": memory})
    connection.execute(text)
