"""Cut policies: how many layers of a shared model a terminal computes, and when that changes.

A cut policy is any callable of the protocol `CutPolicy`. Those of the package are one file each;
others come by the entry-point group `tree6g.cut_policies`.
"""

from __future__ import annotations

import dataclasses
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from tree6g.engine.policies.choice import named
from tree6g.radio.pathloss import FloatArray

GROUP: Final = "tree6g.cut_policies"
BUILT_IN: Final = ("best", "dynamic")
# Times are means over the air; the rest of a budget is kept for what comes in between.
SAFE_FRAC: Final = 0.5


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CutQuery:
    """An answer whose layers may change hands. Arrays are [cut]: layers on the terminal.

    Attributes:
        cut: The present cut; None: the answer has not begun.
        prompting: Whether its prompt is not through yet; another cut begins the prompt anew.
        now_s: Time that the prompt still takes, 0 once it is through.
        now_j: Energy of that.
        token_s: Time of each further token, over the link as it is now.
        token_j: Energy of it.
        move_s: Time to move there.
        move_j: Energy to move there.
        rest_tok: Tokens still to come, the first one left out.
        first_left_s: Time until the first token is late; infinite once it is there.
        last_left_s: Time until the last token is late.
        allowed: Where both sides have the memory, and as many layers stay as must.
    """

    cut: int | None
    prompting: bool
    now_s: FloatArray
    now_j: FloatArray
    token_s: FloatArray
    token_j: FloatArray
    move_s: FloatArray
    move_j: FloatArray
    rest_tok: float
    first_left_s: float
    last_left_s: float
    allowed: npt.NDArray[np.bool_]

    @property
    def whole_s(self) -> FloatArray:
        """Time until the last token, moving included. [cut]."""
        return self.move_s + self.now_s + self.rest_tok * self.token_s

    @property
    def whole_j(self) -> FloatArray:
        """Energy until the last token, moving included. [cut]."""
        return self.move_j + self.now_j + self.rest_tok * self.token_j

    @property
    def timely(self) -> npt.NDArray[np.bool_]:
        """Where the first and the last token come on time with something to spare. [cut]."""
        first = self.move_s + self.now_s <= SAFE_FRAC * self.first_left_s
        return self.allowed & first & (self.whole_s <= SAFE_FRAC * self.last_left_s)


class CutPolicy(Protocol):
    """Chooses the cut of an answer when it begins and, from then on, in every step."""

    def __call__(self, query: CutQuery) -> int:
        """Layers on the terminal."""
        ...


def cut_policy(name: str) -> CutPolicy:
    """A cut policy by name.

    Raises:
        ScenarioError: No such policy.
    """
    found = named(name, "cut policy", group=GROUP, files=__name__, built_in=BUILT_IN)
    chosen: CutPolicy = found.choose if name in BUILT_IN else found
    return chosen


def cheapest(query: CutQuery) -> int:
    """The cut with the least joules that is on time; if none is, the fastest."""
    timely = query.timely
    if timely.any():
        return int(np.argmin(np.where(timely, query.whole_j, np.inf)))
    return int(np.argmin(np.where(query.allowed, query.whole_s, np.inf)))
