"""The ledger: work and joules of a network, simulated or measured, in one schema.

Modules: `schema` (tables), `meta` (header), `batch` (rows and their rules), `parts` (durable
files), `overlap` (no joule twice), `writer` (appends), `reading` (DuckDB views), `check` (rules and
conservation of a whole ledger), `interchange` (CSV, Parquet, Arrow, frames), `merge`, `compact`.
"""
