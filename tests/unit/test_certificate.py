"""What is said of a bound that was passed."""

from __future__ import annotations

import pytest

from tree6g.errors import InfeasibleError
from tree6g.optimise.certificate import certified


def test_a_bound_below_by_rounding_is_the_value():
    assert certified(1.0 - 1e-12, 1.0, "allocations") == 1.0
    assert certified(2.0, 1.0, "allocations") == 2.0


def test_a_bound_that_was_passed_is_told():
    with pytest.raises(InfeasibleError, match=r"above the bound of 0\.9; one of 1 was found"):
        certified(0.9, 1.0, "placements")
