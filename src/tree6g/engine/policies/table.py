"""Options of a request as columns: what the array form of a policy chooses from.

A policy of the package states its rule twice: `choose(query, options)`, as anybody's policy, and
`pick(asked, options, count)`, which the loop over all requests of a step calls (`engine.choosing`):
plain Python on arrays, compiled where there is a compiler. Both choose the same.

    asked    [field]: what `Query` says, by the first names below
    options  [field, option]: what `Option` says, by the second names; `count` of them are there
    returns  the option, or `NOBODY`
"""

from __future__ import annotations

import math
from typing import Final

from tree6g.radio.pathloss import FloatArray

BUDGET_S, TPOT_BUDGET_S, STREAMS, OUTPUT_TOK, QUALITY_MIN, ASKED = range(6)
TTFT_S, LOAD_FRAC, TIER, OPTIONS = range(4)
TIERS: Final = ("device", "edge", "cloud")  # by number
DEVICE, EDGE, CLOUD = range(3)
NOBODY: Final = -1


def first_of_tier(options: FloatArray, count: int, tier: int) -> int:
    """The option of a tier that answers first, `NOBODY` if the tier has none."""
    found = NOBODY
    least_s = math.inf
    for i in range(count):
        if options[TIER, i] == tier and (found == NOBODY or options[TTFT_S, i] < least_s):
            found = i
            least_s = options[TTFT_S, i]
    return found


def least(options: FloatArray, count: int, field: int) -> int:
    """The option with the least of a field, the nearest of equal ones; `NOBODY` without options."""
    found = NOBODY
    for i in range(count):
        if found == NOBODY or options[field, i] < options[field, found]:
            found = i
    return found
