"""A ledger on a web page and for Prometheus: read-only, the newest state of a ledger that grows.

Modules: `follow` (the ledger as it grows), `extent` (time of its parts), `view` (what a page shows,
one snapshot per state of the ledger), `answers` (JSON of the API), `totals` and `exporter`
(Prometheus), `exposition` (its text format), `guard` (who may ask), `server` (HTTP), `replay`.
"""
