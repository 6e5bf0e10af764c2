"""What a scenario says of who is served next, and when servers compute."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tree6g.scenario.fields import NonNegative, Text
from tree6g.scenario.quantities import Described, Quantity


class Scheduling(Described):
    """A scheduler for all cells and servers, in place of each going by itself."""

    rule: Text = "tree"
    """`first-come`, `round-robin`, `proportional-fair`, `ee-greedy` or `tree`; or the path of a
    Python file with a scheduler of your own, relative to the scenario's file."""
    rule_sha256: Text | None = None
    """Hash of that file, filled in when it is read."""
    interval_s: Annotated[Quantity, Field(ge=0.001, le=1)] = 0.01
    """How often cells ask it; servers do after every iteration."""
    caution: NonNegative = 100.0
    """V of drift-plus-penalty: for how many wake-ups or iterations the urgency of what waits must
    pay before `tree` spends one; budgets bound the wait whatever it is. 0: nothing waits."""
