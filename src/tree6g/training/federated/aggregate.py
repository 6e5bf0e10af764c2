"""How updates of many clients become one.

FedAvg (McMahan et al. 2017) averages parameters by samples. FedIT (Zhang et al. 2024) does so with
the factors of adapters, each by itself, which is not the mean of the updates: mean(A) mean(B) is
not mean(A B). FLoRA (Wang et al. 2024) stacks them, which is: [A1 .. Ak] [p1 B1; ..; pk Bk] =
sum p A B, at the price of a download that grows with the number of clients.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tree6g.training.federated.models import FloatArray, Parameters


def mean(updates: Sequence[Parameters], weight: FloatArray) -> Parameters:
    """Mean of each array by the clients' weights. Weights need not sum to 1. [client]."""
    share = weight / weight.sum()
    return tuple(
        np.einsum("k,k...->...", share, np.stack(parts)) for parts in zip(*updates, strict=True)
    )


def stacked(adapters: Sequence[Parameters], weight: FloatArray) -> Parameters:
    """Adapters whose product is the mean of the clients' products; their ranks add up."""
    share = weight / weight.sum()
    parts: list[FloatArray] = []
    for layer in range(0, len(adapters[0]), 2):
        parts += [np.concatenate([one[layer] for one in adapters], axis=1)]
        scaled = [p * one[layer + 1] for p, one in zip(share.tolist(), adapters, strict=True)]
        parts += [np.concatenate(scaled, axis=0)]
    return tuple(parts)
