"""Training, updates and data of the models of a service, as `lifecycle.service` takes them.

Training is what was published of a model, or stated. Updates and data are stated: no ledger knows
them. An update's energy is stated too, or that of `training.run` for its tokens, method and
accelerator, with the range of the utilisations that were published.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.catalogue import image_names
from tree6g.errors import DataError
from tree6g.lifecycle import grid
from tree6g.lifecycle.energy import S_PER_YEAR
from tree6g.lifecycle.ranges import Range, exact, sums
from tree6g.lifecycle.service import Trained
from tree6g.lifecycle.upkeep import (
    RECOMMENDATION_FRAC,
    SYNTHETIC_J_PER_TOK,
    Prepared,
    Updated,
)
from tree6g.report.numerals import percent, plain
from tree6g.scenario.model_config import architecture
from tree6g.training.published import HIGH_FRAC, LOW_FRAC, published_run
from tree6g.training.run import Plan, energy_range_j, least_layout, run
from tree6g.training.usual import ACCELERATOR, BATCH_SAMPLES, HOST_W, PUE, SEQUENCE_TOK
from tree6g.training.work import method_of, trainee


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Updates:
    """How the models of a service are kept up to date.

    Attributes:
        per_year: Updates of each model in a year.
        energy_j: Energy of one; None: that of training on `units_tok`.
        units_tok: Tokens that one is trained on.
        method: How: full, lora or qlora.
        accelerator: On what.
        tok_per_year: Tokens that a model serves in a year, everywhere; None: those of this service
            alone, at the rate of the ledger.
    """

    per_year: float
    energy_j: float | None = None
    units_tok: float | None = None
    method: str = "lora"
    accelerator: str = ACCELERATOR
    tok_per_year: float | None = None

    def __post_init__(self) -> None:
        """Refuse an update whose energy is said twice or not at all, and names unknown."""
        method_of(self.method)
        accelerator(self.accelerator)
        _refuse(
            {
                "--updates-per-year": self.per_year,
                "--update-energy": self.energy_j,
                "--update-tokens": self.units_tok,
                "--tokens-per-year": self.tok_per_year,
            }
        )
        if (self.energy_j is None) == (self.units_tok is None):
            raise DataError(
                "expected what an update takes: --update-energy, or --update-tokens that it is "
                f"trained on; got {'neither' if self.energy_j is None else 'both'}."
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """The data pipeline behind the models of a service; at least one is said.

    Attributes:
        training_frac: Its energy over that of training and updates, in place of the others.
        energy_j: Its energy for one model.
        synthetic_tok: Tokens of text that another model wrote for it, on top of `energy_j`.
    """

    training_frac: float | None = None
    energy_j: float | None = None
    synthetic_tok: float | None = None

    def __post_init__(self) -> None:
        """Refuse a share beside an energy."""
        _refuse(
            {
                "--data-share": self.training_frac,
                "--data-energy": self.energy_j,
                "--synthetic-tokens": self.synthetic_tok,
            }
        )
        energies = [e for e in (self.energy_j, self.synthetic_tok) if e is not None]
        if (self.training_frac is None) != bool(energies):
            raise DataError(
                "expected the data pipeline as --data-share of the energy of training, or as "
                "--data-energy and --synthetic-tokens; got "
                f"{'both' if energies else 'neither'}."
            )


def _refuse(given: Mapping[str, float | None]) -> None:
    """Refuse amounts that are given and not above 0."""
    wrong = [
        f"{option} above 0 (got {value:g})"
        for option, value in given.items()
        if value is not None and not 0.0 < value < math.inf
    ]
    if wrong:
        raise DataError(f"expected {', '.join(wrong)}.")


def trained(
    models: Mapping[str, float], stated_j: float | None, problems: list[str]
) -> tuple[Trained, ...]:
    """The trainings of all models, or none: a part of them would look like the whole."""
    found = [_trained(model, share, stated_j) for model, share in models.items()]
    known = [one for one in found if one is not None]
    if len(known) < len(found) or not models:
        unknown = [m for m, one in zip(models, found, strict=True) if one is None]
        what = ", ".join(unknown) or "the models, which the ledger does not name"
        problems.append(
            f"training is left out: no published run of {what}; state --training-energy"
        )
        return ()
    return tuple(known)


def _trained(model: str, share: float, stated_j: float | None) -> Trained | None:
    told = published_run(model)
    if told is not None:
        j = told.energy_j
        return Trained(
            model=model,
            share_frac=share,
            energy_j=Range(value=j, low=LOW_FRAC * j, high=HIGH_FRAC * j),
            kgco2e_per_j=exact(told.kgco2e / j),
            source=told.source,
        )
    if stated_j is None:
        return None
    return Trained(
        model=model,
        share_frac=share,
        energy_j=exact(stated_j),
        kgco2e_per_j=grid.yearly_kgco2e_per_j(grid.WORLD),
        source="stated",
    )


def updated(
    models: Mapping[str, float],
    asked: Updates | None,
    own_tok_per_s: float,
    problems: list[str],
) -> tuple[Updated, ...]:
    """The updates of all models, or none.

    Args:
        models: Share of the service's tokens by model.
        asked: What was stated; None: nothing.
        own_tok_per_s: Rate of the service's own tokens.
        problems: Gains why there are none.
    """
    if asked is None:
        problems.append("updates are left out: none are stated (--updates-per-year)")
        return ()
    if not models:
        problems.append("updates are left out: the ledger does not name the models")
        return ()
    source = "stated" if asked.units_tok is None else _words(asked)
    return tuple(
        Updated(
            model=model,
            share_frac=share,
            per_year=asked.per_year,
            energy_j=_update_j(model, asked),
            tok_per_year=asked.tok_per_year or share * own_tok_per_s * S_PER_YEAR,
            source=source,
        )
        for model, share in models.items()
    )


def _words(asked: Updates) -> str:
    return (
        f"modelled: {asked.method} on {plain(asked.units_tok or 0.0)} tokens with "
        f"{asked.accelerator}, utilisation as published"
    )


def _update_j(model: str, asked: Updates) -> Range:
    """Energy of an update of a model, stated or by the model of training."""
    if asked.energy_j is not None:
        return exact(asked.energy_j)
    if model in image_names():
        raise DataError(
            f"expected the energy of an update of '{model}', which is not trained on tokens; state "
            "--update-energy."
        )
    method, device = method_of(asked.method), accelerator(asked.accelerator)
    pupil = trainee(architecture(model), method, sequence=SEQUENCE_TOK)
    units = asked.units_tok or 0.0
    plan = Plan(
        model=pupil,
        method=method,
        units=units,
        batch=min(float(BATCH_SAMPLES * SEQUENCE_TOK), units),
        device=device,
        layout=least_layout(pupil, method, device),
        host_w=HOST_W,
        pue=PUE,
    )
    low, high = energy_range_j(plan)
    return Range(value=run(plan).energy_j, low=low, high=high)


def prepared(
    asked: Data | None, trained: Sequence[Trained], life_tok: float | None, problems: list[str]
) -> Prepared | None:
    """The data pipeline as it was stated.

    Args:
        asked: What was stated; None: nothing.
        trained: The trainings, of which a share can be taken; none: not known.
        life_tok: Tokens of a life as stated; None: they follow from the trainings.
        problems: Gains why there is none.
    """
    why = ""
    if asked is None:
        why = (
            "none is stated (--data-share, --data-energy, --synthetic-tokens) and none was "
            "published for a language model; for a recommendation model at Meta it took "
            f"{percent(RECOMMENDATION_FRAC)} of the energy of experiments and training "
            "(Wu et al. 2022, arXiv 2111.00364)"
        )
    elif asked.training_frac is not None and not trained:
        why = "a share of training that is not known"
    elif life_tok is None and not trained:
        why = "without training nothing says over how many tokens to spread it; state --life-tokens"
    if asked is None or why:
        problems.append(f"the data pipeline is left out: {why}")
        return None
    return _data(asked)


def _data(asked: Data) -> Prepared:
    """A share, or the sum of what is stated and of what other models wrote."""
    world = grid.yearly_kgco2e_per_j(grid.WORLD)
    if asked.training_frac is not None:
        return Prepared(
            training_frac=asked.training_frac,
            energy_j=None,
            kgco2e_per_j=world,
            source=f"stated, {percent(asked.training_frac)} of training and updates",
        )
    parts, words = [], []
    if asked.energy_j is not None:
        parts.append(exact(asked.energy_j))
        words.append("stated")
    if asked.synthetic_tok is not None:
        parts.append(SYNTHETIC_J_PER_TOK.scaled(asked.synthetic_tok))
        words.append(
            f"{plain(asked.synthetic_tok)} tokens of synthetic text at 0.08 to 2.2 J (Cosmopedia, "
            "REWIRE, FinePhrase: published H100 hours at 700 W)"
        )
    return Prepared(
        training_frac=None, energy_j=sums(parts), kgco2e_per_j=world, source=", ".join(words)
    )
