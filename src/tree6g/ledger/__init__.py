"""The ledger: work and joules of a network, simulated or measured, in one schema.

Modules: `schema` (tables), `meta` (header), `writer` (durable appends), `reading` (DuckDB views),
`overlap` (no joule twice), `check` (conservation), `interchange` (CSV, Arrow, frames), `merge`.
"""
