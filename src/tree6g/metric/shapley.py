"""Shapley values of shared energy beyond on/off idle: capacity in steps, and any game of a user's.

For idle power that is there if anybody uses a node, the Shapley value is an equal split over its
users; `metric/sql/attribution.sql` does that. This module has the two other cases of METRIC rule 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tree6g.errors import LedgerError


def airport(needs: Mapping[str, int], step_j: Sequence[float]) -> dict[str, float]:
    """Shapley value of capacity that comes in steps (GPUs, carriers) and serves the largest need.

    v(S) = energy of the steps that the largest need in S switches on. Step n is shared equally by
    all who need at least n steps (Littlechild and Owen, Management Science 20(3), 1973).

    Args:
        needs: Steps that each service needs, >= 0.
        step_j: Idle energy of each step, first switched on first. [step]

    Returns:
        Energy per service; the sum is that of the steps which anybody needs.

    Raises:
        LedgerError: A need beyond the steps there are.

    >>> airport({"a": 1, "b": 2}, [40.0, 30.0])
    {'a': 20.0, 'b': 50.0}
    """
    if any(not 0 <= n <= len(step_j) for n in needs.values()):
        raise LedgerError(f"needs must lie in 0..{len(step_j)} steps; got {dict(needs)}.")
    shares = dict.fromkeys(needs, 0.0)
    for number, energy_j in enumerate(step_j, start=1):
        users = [name for name, need in needs.items() if need >= number]
        for name in users:
            shares[name] += energy_j / len(users)
    return shares


def sampled(
    players: Sequence[str],
    cost_j: Callable[[frozenset[str]], float],
    *,
    samples: int = 2000,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Shapley value of a user-defined game by random orders, with its standard error.

    Every order hands out v(all) exactly, so the values sum to it whatever the number of samples.

    Args:
        players: The services.
        cost_j: v(S), energy that a coalition causes; v of nobody must be 0.
        samples: Orders drawn.
        seed: Seed of the draw; the same seed gives the same values.

    Returns:
        Value and standard error per service.

    Raises:
        LedgerError: v of the empty coalition is not 0, or fewer than two samples.
    """
    if cost_j(frozenset()) != 0 or samples < 2:
        raise LedgerError("a game needs v(nobody) = 0 J and at least 2 samples.")
    rng = np.random.Generator(np.random.PCG64(seed))
    added = np.zeros((samples, len(players)))
    for row in added:
        before, present = 0.0, frozenset[str]()
        for player in rng.permutation(len(players)):
            present |= {players[player]}
            after = cost_j(present)
            row[player] = after - before
            before = after
    mean = added.mean(axis=0)
    error = added.std(axis=0, ddof=1) / math.sqrt(samples)
    return {p: (float(m), float(e)) for p, m, e in zip(players, mean, error, strict=True)}
