"""Options of a request as columns: what the array form of a policy chooses from.

A policy of the package states its rule twice: `choose(query, options)`, as anybody's policy, and
`pick(asked, options, count)`, which the loop over all requests of a step calls (`engine.choosing`):
plain Python on arrays, compiled where there is a compiler. Both choose the same.

    asked    [field]: what `Query` says, by the first names below
    options  [field, option]: what `Option` says, by the second names; `count` of them are there
    returns  the option, or `NOBODY`
"""

from __future__ import annotations

from typing import Final

from tree6g.radio.pathloss import FloatArray

BUDGET_S, TPOT_BUDGET_S, STREAMS, OUTPUT_TOK, QUALITY_MIN, ASKED = range(6)
TTFT_S, LOAD_FRAC, TIER, LATENCY_S, OPTIONS = range(5)
TIERS: Final = ("device", "edge", "cloud")  # by number
DEVICE, EDGE, CLOUD = range(3)
NOBODY: Final = -1


def first_of_tier(options: FloatArray, count: int, tier: int) -> int:
    """The option of a tier that answers first, of equal ones the emptiest; else `NOBODY`."""
    found = NOBODY
    for i in range(count):
        if options[TIER, i] == tier and (found == NOBODY or sooner(options, i, found)):
            found = i
    return found


def first_of_all(options: FloatArray, count: int) -> int:
    """The option that answers first, of equal ones the emptiest; `NOBODY` without options."""
    found = NOBODY
    for i in range(count):
        if found == NOBODY or sooner(options, i, found):
            found = i
    return found


def sooner(options: FloatArray, one: int, other: int) -> bool:
    """Whether an option answers before another, or at the same time and has more room."""
    if options[TTFT_S, one] == options[TTFT_S, other]:
        return bool(options[LOAD_FRAC, one] < options[LOAD_FRAC, other])
    return bool(options[TTFT_S, one] < options[TTFT_S, other])


def as_near(options: FloatArray, one: int, other: int) -> bool:
    """Whether two options are of one tier and behind the same transport."""
    same = options[TIER, one] == options[TIER, other]
    return bool(same and options[LATENCY_S, one] == options[LATENCY_S, other])


def least(options: FloatArray, count: int, field: int) -> int:
    """The option with the least of a field, the nearest of equal ones; `NOBODY` without options."""
    found = NOBODY
    for i in range(count):
        if found == NOBODY or options[field, i] < options[field, found]:
            found = i
    return found
