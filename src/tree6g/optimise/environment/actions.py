"""Actions as agents give them, to arrays that the slots take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tree6g.errors import ScenarioError
from tree6g.optimise.environment.network import MODES, IntArray
from tree6g.radio.pathloss import FloatArray


def parsed(action: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[FloatArray, IntArray]:
    """Shares and modes of an action.

    Args:
        action: `share` [..., cell, user] from 0 to 1, and `mode` [..., cell], numbers of `MODES`.
        shape: Shape that the shares must have.

    Raises:
        ScenarioError: Other keys, shapes or values.
    """
    if set(action) != {"share", "mode"}:
        raise ScenarioError(f"expected an action with 'share' and 'mode'; got {sorted(action)}.")
    share = np.asarray(action["share"], dtype=np.float64)
    mode = np.asarray(action["mode"], dtype=np.int64)
    if share.shape != shape or mode.shape != shape[:-1]:
        raise ScenarioError(
            f"expected shares of shape {shape} and modes of {shape[:-1]}; got {share.shape} and "
            f"{mode.shape}."
        )
    if not (share.min(initial=0.0) >= 0.0 and share.max(initial=0.0) <= 1.0):
        raise ScenarioError("expected shares from 0 to 1; some are not. Clip them.")
    if not (mode.min(initial=0) >= 0 and mode.max(initial=0) < len(MODES)):
        raise ScenarioError(f"expected modes from 0 to {len(MODES) - 1} ({', '.join(MODES)}).")
    return share, mode
