"""The best split of a chain of places by dynamic programming over (layer, place)."""

from __future__ import annotations

import numpy as np

from tree6g.compute.splitting.costs import IntArray
from tree6g.compute.splitting.tables import Tables
from tree6g.compute.stream import FloatArray
from tree6g.errors import InfeasibleError


def best_chain(
    tables: Tables, *, energy_weight: float = 1.0, j_per_s: float = 0.0, device_layers: int = 0
) -> IntArray:
    """Cuts that make `energy_weight` x joules + `j_per_s` x seconds least. [hop].

    V_k(b) = min over a <= b of V_{k-1}(a) + hop_{k-1}(a) + place_k(a, b), where place k computes
    layers a to b if it has the memory for them, else the cost is infinite. Exact, since time and
    energy add up over places and hops; with it goes any number of places in O(K L^2), where
    enumeration tries L^(K-1) splits. Limits on latency do not add up: for those, enumerate.
    The idea of such a search over heterogeneous devices is that of EdgeShard (Zhang et al.,
    arXiv 2405.14371); its order of devices is chosen by the search, ours is the given chain.

    Raises:
        InfeasibleError: No split fits into the memory of the places.
    """
    layers = tables.layers
    waiting_w = sum(t.wait_w for t in tables.places)
    second = j_per_s + energy_weight * waiting_w  # of anything: all places wait through it
    value = np.full(layers + 1, np.inf)
    value[0] = 0.0
    origins: list[IntArray] = []
    for k in range(len(tables.places)):
        through = value[:, None] + _place_cost(tables, k, second, energy_weight)
        if k == 0:
            through[:, :device_layers] = np.inf
        origins.append(through.argmin(axis=0))
        value = through.min(axis=0)
        if k < len(tables.hops):
            value = value + _hop_cost(tables, k, second, energy_weight)
    if not np.isfinite(value[layers]):
        raise InfeasibleError(
            "expected a split whose parts fit into the memory of their places; there is none. Use "
            "fewer bits, a smaller model or more places."
        )
    return _walk_back(origins, layers)


def _place_cost(tables: Tables, k: int, second: float, energy_weight: float) -> FloatArray:
    """Cost of layers a to b at place k. [a, b]."""
    t = tables.places[k]
    s, j = t.s.sum(axis=0), t.j.sum(axis=0)
    busy = energy_weight * t.wait_w  # it does not wait while it computes
    weigh = (second - busy, energy_weight)
    below = weigh[0] * s + weigh[1] * j
    fixed = weigh[0] * t.fixed_s.sum(axis=0) + weigh[1] * t.fixed_j.sum(axis=0)
    tail = weigh[0] * t.tail_s.sum(axis=0) + weigh[1] * t.tail_j.sum(axis=0)
    a, b = np.meshgrid(np.arange(tables.layers + 1), np.arange(tables.layers + 1), indexing="ij")
    cost = below[b] - below[a] + (b > a) * fixed[a] + tail[b]
    fits = t.held_byte[b] - t.held_byte[a] <= t.memory_byte
    return np.where((b >= a) & fits, cost, np.inf)


def _hop_cost(tables: Tables, k: int, second: float, energy_weight: float) -> FloatArray:
    hop = tables.hops[k]
    return second * hop.wait_s.sum(axis=0) + energy_weight * hop.energy_j.sum(axis=0)


def _walk_back(origins: list[IntArray], layers: int) -> IntArray:
    cuts: list[int] = []
    at = layers
    for origin in reversed(origins[1:]):
        at = int(origin[at])
        cuts.append(at)
    return np.array(cuts[::-1], dtype=np.int64)
