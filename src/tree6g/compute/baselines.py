"""What simpler models say of the energy of a token: for comparison, and to see what is gained."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

JOULE_PER_WATT_HOUR: Final = 3600.0
# EcoLogits 0.11.3 (ecologits/impacts/llm.py): per GPU and output token, in Wh, fitted by its
# authors to an older ML.ENERGY leaderboard; it assumes a batch of 64 and GPUs of 80 GB.
_SLOPE: Final = 1.1665273170451914e-06
_DECAY: Final = -0.011205921025579175
_FLOOR: Final = 4.052928146734005e-05
ECOLOGITS_BATCH: Final = 64.0


def ecologits_j_per_tok(active_parameters: Any, gpus: Any, batch: Any = ECOLOGITS_BATCH) -> Any:
    """Energy per output token of the GPUs, after EcoLogits' published formula.

    Prompts, networks and idle times are not in it, nor are servers and site overhead here.

    Args:
        active_parameters: Parameters that a token passes.
        gpus: Accelerators of the replica.
        batch: Sequences served together; as shipped always 64.

    >>> round(float(ecologits_j_per_tok(8.03e9, 1)), 4)
    0.1624
    """
    active_b = active_parameters / 1e9
    per_gpu_wh = _SLOPE * np.exp(_DECAY * batch) * active_b + _FLOOR
    return per_gpu_wh * JOULE_PER_WATT_HOUR * gpus


def ecologits_gpus(parameters: Any) -> Any:
    """Accelerators that EcoLogits gives a model: 16 bits, 20 % more memory, 80 GB, a power of 2."""
    needed_gb = 1.2 * parameters / 1e9 * 16.0 / 8.0
    return 2.0 ** np.ceil(np.log2(np.ceil(needed_gb / 80.0)))


def design_power_j_per_tok(tdp_w: Any, gpus: Any, tok_per_s: Any, load_frac: float = 1.0) -> Any:
    """Energy per token if the accelerators drew a share of their design power all the time."""
    return load_frac * tdp_w * gpus / tok_per_s


def log_linear(features: FloatArray, target: FloatArray, others: FloatArray) -> FloatArray:
    """Predictions of an ordinary regression of logarithms.

    Args:
        features: Logarithms and dummies of the rows that are fitted. [row, feature]
        target: Positive values of these rows. [row]
        others: Features of the rows that are predicted. [other, feature]
    """
    ones = np.ones((len(features), 1))
    weights = np.linalg.lstsq(np.hstack([ones, features]), np.log(target), rcond=None)[0]
    told = np.hstack([np.ones((len(others), 1)), others]) @ weights
    return np.asarray(np.exp(told), dtype=np.float64)
