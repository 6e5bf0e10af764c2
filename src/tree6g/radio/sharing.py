"""A station that several operators share: who pays which joules."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray


def operator_j(fixed_j: float, dynamic_j: npt.ArrayLike, share_frac: npt.ArrayLike) -> FloatArray:
    """Energy of each operator: its agreed share of what is there anyway, and its own traffic.

    E_o = share_o E_fixed + E_dynamic,o. Every joule is somebody's, and once. [operator]

    Args:
        fixed_j: Sleep, awake, transitions, broadcast: what the station draws without traffic.
        dynamic_j: What each operator's traffic adds. [operator]
        share_frac: Agreed shares, which sum to 1. [operator]

    Raises:
        DataError: Shares that do not sum to 1, or not one per operator.
    """
    shares, own_j = np.asarray(share_frac, dtype=float), np.asarray(dynamic_j, dtype=float)
    total = math.fsum(shares.tolist())
    if shares.shape != own_j.shape or not math.isclose(total, 1.0, abs_tol=1e-9):
        raise DataError(
            f"expected one share per operator, {own_j.size} that sum to 1; got {shares.size} that "
            f"sum to {total:g}. Share out the whole station."
        )
    return shares * fixed_j + own_j
