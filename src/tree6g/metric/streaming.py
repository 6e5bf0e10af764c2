"""Quality of a streamed answer as its reader feels it, in [0, 1].

A reader expects token i at e_i = TTFT + (i - 1)/v and reads at most v token/s: a token that came at
t_i is read at d_i = max(t_i, d_(i-1) + 1/v). What is early waits for the reader; what is late
delays all that follow.

    streaming    mean over tokens of 1 - min(max(d_i - e_i, 0), patience)/patience
    area         1 - sum(max(d_i - e_i, 0)) / sum(d_n - e_i), the area lost between the two curves
                 up to the last token read: our reading of Andes (arXiv 2404.16283)

The area is taken up to the end of the answer, which moves with the answer: a last token that comes
earlier can lower it. The first form has no such end and never falls when a token comes earlier;
that is the one to weigh with.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def streaming_frac(
    arrived_s: npt.ArrayLike, *, ttft_s: float, pace_tps: float, patience_s: float
) -> float:
    """Quality of an answer; it does not fall when a token comes earlier.

    Args:
        arrived_s: When tokens came, from the request, not falling; at least one. [token]
        ttft_s: Expected time to the first token.
        pace_tps: Reading pace v in token/s, > 0.
        patience_s: Delay at which a token is worth nothing, > 0.

    >>> streaming_frac([1.0, 1.5, 3.0], ttft_s=1.0, pace_tps=2.0, patience_s=2.0).__round__(4)
    0.8333
    """
    late_s, _ = _late(arrived_s, ttft_s, pace_tps)
    return float(np.mean(1.0 - np.minimum(late_s, patience_s) / patience_s))


def area_frac(arrived_s: npt.ArrayLike, *, ttft_s: float, pace_tps: float) -> float:
    """Share of the expected area under the curve of read tokens that an answer keeps.

    Arguments as of `streaming_frac`. Can fall when the last token comes earlier.

    >>> area_frac([1.0, 1.5, 2.0], ttft_s=1.0, pace_tps=2.0)
    1.0
    """
    late_s, room_s = _late(arrived_s, ttft_s, pace_tps)
    lost_s = float(late_s.sum())
    return 1.0 if lost_s == 0.0 else 1.0 - lost_s / float(room_s.sum())


def _late(
    arrived_s: npt.ArrayLike, ttft_s: float, pace_tps: float
) -> tuple[FloatArray, FloatArray]:
    """How late each token is read, and how long before the end it was expected."""
    arrived = np.asarray(arrived_s, dtype=np.float64)
    since = np.arange(len(arrived)) / pace_tps
    read_s = np.maximum.accumulate(arrived - since) + since  # d_i without a loop
    expected_s = ttft_s + since
    late_s = np.maximum(read_s - expected_s, 0.0)
    return late_s, np.maximum(read_s[-1] - expected_s, 0.0)
