"""Sweeps: a scenario under every combination of values and several seeds, on any executor.

Modules: `grid` (what varies), `parts` (keys and results on disk), `task` (one run, in a worker),
`run` (all of them), `executors` (local processes, Dask, Ray), `intervals` (means over seeds),
`pareto` (designs that none beats), `summary` (what came out).
"""
