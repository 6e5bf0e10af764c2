"""Worth of one model's answers beside another's: from pairwise preference or benchmark scores.

Bradley and Terry (Biometrika 39, 1952): model i is preferred to j with chance
s_i / (s_i + s_j). The strengths s are those of greatest likelihood, by the iteration of Hunter
(Annals of Statistics 32, 2004). Strengths are odds, not worth, so quality is taken as the share of
answers that are preferred to the reference's, over the even share of 1/2: 1 for the reference, at
most 2. That choice is ours.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.prices import Estimate
from tree6g.errors import DataError

FloatArray = NDArray[np.float64]

NORMAL_95: Final = 1.96
_TURNS: Final = 10_000
_ENOUGH: Final = 1e-10


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strengths:
    """Strengths of greatest likelihood.

    Attributes:
        log: ln s, of mean 0. [model]
        covariance: Of these, from the information of the wins. [model, model]
    """

    log: FloatArray
    covariance: FloatArray


def bradley_terry(wins: FloatArray) -> Strengths:
    """Strengths of models from how often each was preferred to each.

    Args:
        wins: How often the model of the row was preferred to that of the column; a tie counts one
            half on both sides. [model, model]

    Raises:
        DataError: Some models were never, not even by way of others, preferred to the rest: their
            strength has no bound.

    >>> bradley_terry(np.array([[0.0, 3.0], [1.0, 0.0]])).log.round(4).tolist()
    [0.5493, -0.5493]
    """
    if not _connected(wins):
        raise DataError(
            "Expected every model to be preferred at least once to some of any two parts of the "
            "models; some always win or were never compared. Leave them out or compare more."
        )
    games, won = wins + wins.T, wins.sum(axis=1)
    log = np.zeros(len(wins))
    for _ in range(_TURNS):
        strength = np.exp(log)
        met = games / (strength[:, None] + strength[None, :])
        new = np.log(won / met.sum(axis=1))
        new -= new.mean()
        moved, log = float(np.abs(new - log).max()), new
        if moved < _ENOUGH:
            break
    return Strengths(log=log, covariance=_covariance(games, log))


def preferred_quality(strengths: Strengths, reference: int) -> list[Estimate]:
    """Quality of each model: its share of preferred answers beside the reference's, over 1/2.

    Args:
        strengths: Of `bradley_terry`.
        reference: Number of the reference model, whose quality is 1.
    """
    cov = strengths.covariance
    found = []
    for i, log in enumerate(strengths.log):
        odds = log - strengths.log[reference]
        spread = math.sqrt(max(cov[i, i] + cov[reference, reference] - 2 * cov[i, reference], 0.0))
        low, value, high = (
            2.0 / (1.0 + math.exp(-(odds + z * spread))) for z in (-NORMAL_95, 0.0, NORMAL_95)
        )
        found.append(Estimate(value=value, low=low, high=high))
    return found


def scored_quality(scores: FloatArray, reference: int, questions: FloatArray) -> list[Estimate]:
    """Quality of each model: its benchmark score over the reference's.

    Args:
        scores: Scores above 0; shares of right answers where `questions` are known. [model]
        reference: Number of the reference model, whose quality is 1.
        questions: How many questions a score comes from; NaN: unknown, no interval. [model]
    """
    variance = (1.0 - scores) / (scores * questions)  # of the logarithm of a share
    found = []
    for i, score in enumerate(scores):
        value = float(score / scores[reference])
        both = 0.0 if i == reference else float(variance[i] + variance[reference])
        if math.isnan(both):
            found.append(Estimate(value=value))
            continue
        away = math.exp(NORMAL_95 * math.sqrt(both))
        found.append(Estimate(value=value, low=value / away, high=value * away))
    return found


def _connected(wins: FloatArray) -> bool:
    """Whether a chain of wins leads from every model to every other (Ford's condition)."""
    reached = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(max(len(wins) - 1, 1).bit_length()):
        reached = reached @ reached
    return bool(reached.all())


def _covariance(games: FloatArray, log: FloatArray) -> FloatArray:
    """Inverse of the information of ln s; its null direction, the common level, is held."""
    share = 1.0 / (1.0 + np.exp(log[None, :] - log[:, None]))
    of_pairs = games * share * (1.0 - share)
    information = np.diag(of_pairs.sum(axis=1)) - of_pairs
    return np.asarray(np.linalg.pinv(information, hermitian=True), dtype=np.float64)
