"""What keeps a model worth serving: updates while it serves, and the data that it learns from.

Per token, for model m that made the share s_m of a service's tokens:

    updates    sum_m s_m r_m E_update,m / N_year,m
    data       f (training + updates), or E_data / N_life

with r updates a year, each of E_update, paid by the N_year tokens of a year that the updated model
serves; f is the energy of collecting, storing, filtering and making data over that of the training
which reads it. Both come on top of training, so N* moves:

    N*' = (E_training + E_data) / (e_inference - e_updates - e_data of updates)

and there is none where updates take as much per token as inference does.

Nobody publishes f for a language model. What is published: 31 to 29 of data against experiments and
training for a recommendation model at Meta (Wu et al. 2022, arXiv 2111.00364, Fig. 3b), as
`RECOMMENDATION_FRAC`, for comparison; a service has no data pipeline until its own is stated. Text
that a model wrote for another to read is published in device hours, `SYNTHETIC_J_PER_TOK`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.errors import DataError
from tree6g.lifecycle.ranges import Draws, Range, draws

RECOMMENDATION_FRAC: Final = 31.0 / 29.0
_HOUR_J: Final = 3600.0 * 700.0  # of an H100 at its limit, host and site not counted
# Cosmopedia, Mixtral 8x7B: more than 10,000 H100 hours for 25e9 tokens (its repository); REWIRE,
# Llama 3.3 70B: 88,000 for 100e9; FinePhrase, a model of 1.7e9: 14,700 for 486e9 (both as told by
# FinePhrase). At the limit of the cards, so an upper bound of each.
SYNTHETIC_J_PER_TOK: Final = Range(
    value=1e4 * _HOUR_J / 25e9, low=14.7e3 * _HOUR_J / 486e9, high=88e3 * _HOUR_J / 100e9
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Updated:
    """Updates of a model that serves, such as fine-tuning on what is new.

    Attributes:
        model: Its name.
        share_frac: Share of the service's tokens that it made.
        per_year: Updates a year.
        energy_j: Electricity of one.
        tok_per_year: Tokens that it serves in a year, which pay for them.
        source: Where the energy comes from.
    """

    model: str
    share_frac: float
    per_year: float
    energy_j: Range
    tok_per_year: float
    source: str

    def __post_init__(self) -> None:
        """Refuse updates that never come, or that nobody pays for."""
        for what, value in (("updates", self.per_year), ("tokens", self.tok_per_year)):
            if not 0.0 < value < math.inf:
                raise DataError(f"expected {what} per year above 0; got {value:g}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The data pipeline behind the models: a share of the energy of training, or an energy.

    Attributes:
        training_frac: Its energy over that of training and updates; None: `energy_j` says it.
        energy_j: Its energy for one model, once; None: `training_frac` says it.
        kgco2e_per_j: Intensity where `energy_j` was drawn; a share has that of its training.
        source: Where that comes from.
    """

    training_frac: float | None
    energy_j: Range | None
    kgco2e_per_j: Range
    source: str

    def __post_init__(self) -> None:
        """Refuse what is no pipeline: neither or both, or a share that cannot be."""
        if (self.training_frac is None) == (self.energy_j is None):
            raise DataError("expected the data pipeline as a share of training or as an energy.")
        if self.training_frac is not None and not 0.0 < self.training_frac < math.inf:
            raise DataError(
                f"expected a data pipeline above 0 of training; got {self.training_frac:g}."
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Drawn:
    """Draws of joules and of their carbon in kg. [draw]."""

    joules: Draws
    kgco2e: Draws

    def over(self, divisor: Draws | float) -> Drawn:
        """Both over the same."""
        return Drawn(joules=self.joules / divisor, kgco2e=self.kgco2e / divisor)

    def times(self, factor: float) -> Drawn:
        """Both times the same."""
        return Drawn(joules=self.joules * factor, kgco2e=self.kgco2e * factor)

    def plus(self, other: Drawn) -> Drawn:
        """Both with the other's."""
        return Drawn(joules=self.joules + other.joules, kgco2e=self.kgco2e + other.kgco2e)


def updates_per_tok(updates: Sequence[Updated], grid: Draws, drawn: np.random.Generator) -> Drawn:
    """Energy of the updates per token of the service, drawn where the service draws its own.

    Args:
        updates: Of each model; none: 0.
        grid: Intensity of the service's electricity, in kgCO2e per joule. [draw]
        drawn: Where draws come from.
    """
    joules = np.zeros_like(grid)
    for one in updates:
        per_tok = one.share_frac * one.per_year / one.tok_per_year
        joules = joules + draws(one.energy_j, drawn) * per_tok
    return Drawn(joules=joules, kgco2e=grid * joules)


def data_energy(
    prepared: Prepared, trained: Drawn, per_tok: Drawn, drawn: np.random.Generator
) -> tuple[Drawn, Drawn]:
    """Energy of the data of a model's life, and of that of its updates per token.

    Args:
        prepared: The pipeline.
        trained: Training of the models.
        per_tok: Their updates per token.
        drawn: Where draws come from.
    """
    if prepared.training_frac is not None:
        return trained.times(prepared.training_frac), per_tok.times(prepared.training_frac)
    assert prepared.energy_j is not None  # noqa: S101 - checked where it was made
    joules = draws(prepared.energy_j, drawn)
    once = Drawn(joules=joules, kgco2e=joules * draws(prepared.kgco2e_per_j, drawn))
    return once, per_tok.times(0.0)


def even_tok(once_j: Draws, left_j: Draws) -> Draws | None:
    """Tokens after which `once_j` adds less per token than is left of inference; None: never.

    Never, too, where it is so in more than one of fifty draws: an interval of 95 % has no end then.
    """
    if left_j[0] <= 0.0 or np.mean(left_j <= 0.0) > 0.02:
        return None
    found = np.full_like(left_j, np.inf)
    np.divide(once_j, left_j, out=found, where=left_j > 0.0)
    return found
