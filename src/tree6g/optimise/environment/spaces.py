"""The spaces of observations and actions, of all cells or of one, in the terms of Gymnasium."""

from __future__ import annotations

from typing import Final

import numpy as np
from gymnasium import spaces

from tree6g.optimise.environment.network import MODES
from tree6g.optimise.environment.observation import CELL, USER

MOST: Final = (
    1e9  # of any entry, far beyond what occurs: an infinite edge would not do for learners
)


def observation_space(users: int, cells: int | None = None) -> spaces.Dict:
    """Tables `user` and `cell` of so many cells; of one cell, without its axis, if None."""
    lead = () if cells is None else (cells,)
    return spaces.Dict(
        {
            "user": spaces.Box(0.0, MOST, (*lead, users, len(USER)), np.float32),
            "cell": spaces.Box(0.0, MOST, (*lead, len(CELL)), np.float32),
        }
    )


def action_space(users: int, cells: int | None = None) -> spaces.Dict:
    """Shares of the users, and the mode of each cell."""
    lead = () if cells is None else (cells,)
    mode = (
        spaces.Discrete(len(MODES)) if cells is None else spaces.MultiDiscrete([len(MODES)] * cells)
    )
    return spaces.Dict({"share": spaces.Box(0.0, 1.0, (*lead, users), np.float32), "mode": mode})
