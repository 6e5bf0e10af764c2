"""A bound that was passed is no bound: it is told, never lifted to what was reached."""

from __future__ import annotations

from typing import Final

from tree6g.errors import InfeasibleError

ROUNDING: Final = 1e-9  # of a figure; what sums in another order differ by


def certified(bound: float, value: float, what: str) -> float:
    """The upper bound beside a value that was reached, free of rounding.

    Args:
        bound: No `what` has more, by a proof that did not use the value.
        value: Figure of the best `what` that was found.
        what: Of what the bound is, plural: allocations, placements.

    Raises:
        InfeasibleError: The value is above the bound by more than rounding, so the proof fails.
    """
    if bound < value - ROUNDING * abs(value):
        raise InfeasibleError(
            f"expected no {what} above the bound of {bound:.9g}; one of {value:.9g} was found, so "
            "nothing is proved. This network breaks what the bound takes for granted: please "
            "report it with its scenario."
        )
    return max(bound, value)
