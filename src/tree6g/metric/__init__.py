"""The metric: TREE, EE and everything beside them, as queries on a ledger of any origin.

Modules: `utility` (families), `profile` (what a service is worth), `figure` (records), `tree` (the
query), `attribution`, `coverage`, `uncertainty`, `asymmetry`, `robustness`, `compare`.
"""
