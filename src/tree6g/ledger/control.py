"""Joules by node that a ledger's producer counted beside the rows, while the ledger grows.

`control` in the header holds them for `check`:

| name | what it is |
|---|---|
| `energy_j` | by node: what was counted, less what was in parts that are dropped |
| `dropped_j` | by node: what was in these |
| `dropping` | names of the parts of energy that were taken off last; they go right after that |
| `flushes` | number of the last flush that is counted |

A sum that dropping has left next to nothing of (`LEAST_FRAC`) is rounding, and is left out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from tree6g.ledger import reading
from tree6g.ledger.meta import Meta

OWN: Final = frozenset({"energy_j", "dropped_j", "dropping", "flushes"})
LEAST_FRAC: Final = 1e-6


def is_own(meta: Meta) -> bool:
    """Whether the totals of a header are all of the kind that may grow and shrink."""
    return bool(meta.control) and set(meta.control) <= OWN


def counted(meta: Meta, energy_j: Mapping[str, float], flushes: int) -> Meta:
    """The header after a flush; `energy_j` is all that was ever counted."""
    return _with(meta, energy_j, _dropped(meta), flushes=flushes)


def without(meta: Meta, going: Iterable[Path]) -> Meta:
    """The header without the energy of parts that are dropped next."""
    paths = list(going)
    known = set(meta.control.get("dropping", ()))
    before, dropped = _dropped(meta), _dropped(meta)
    for path in (path for path in paths if path.name not in known):
        for node, energy_j in _in_part(path).items():
            dropped[node] = dropped.get(node, 0.0) + energy_j
    left = meta.control.get("energy_j", {})
    whole = {node: float(j) + before.get(node, 0.0) for node, j in left.items()}
    return _with(meta, whole, dropped, dropping=[path.name for path in paths])


def dropping(meta: Meta) -> frozenset[str]:
    """Names of parts whose energy is taken off already."""
    return frozenset(meta.control.get("dropping", ()))


def _dropped(meta: Meta) -> dict[str, float]:
    return {node: float(j) for node, j in meta.control.get("dropped_j", {}).items()}


def _with(
    meta: Meta, whole: Mapping[str, float], dropped: Mapping[str, float], **more: Any
) -> Meta:
    left = {node: math.fsum((j, -dropped.get(node, 0.0))) for node, j in whole.items()}
    kept = {n: j for n, j in left.items() if n not in dropped or j > LEAST_FRAC * whole[n]}
    control = {**meta.control, **more, "energy_j": dict(sorted(kept.items()))}
    if dropped:
        control["dropped_j"] = dict(sorted(dropped.items()))
    return dataclasses.replace(meta, control=control)


def _in_part(path: Path) -> dict[str, float]:
    """Joules of a part by node."""
    values: dict[str, list[float]] = {}
    for rows in reading.part_batches(path, "energy", ("node", "energy_j")):
        column = rows.column("node")
        codes, nodes = column.indices.to_pylist(), column.dictionary.to_pylist()
        for code, energy_j in zip(codes, rows.column("energy_j").to_pylist(), strict=True):
            if code is not None:
                values.setdefault(nodes[code], []).append(energy_j)
    return {node: math.fsum(found) for node, found in values.items()}


def is_behind(meta: Meta, last: int) -> bool:
    """Whether the totals are of an earlier flush than the rows, as while a meter writes."""
    return last > meta.control.get("flushes", math.inf)
