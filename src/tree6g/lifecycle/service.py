"""A served token over the life of its service: inference, network, training and making hardware.

Per token, from what a service drew and delivered in a time that stands for its life:

    joules    e = (E_inference + E_network) / n + sum_m s_m E_training,m / N_life,m + u + d
    carbon    c = I (E_inference + E_network) / n + sum_m s_m C_training,m / N_life,m + ... + M / n

with n tokens, s_m the share of them that model m made, u and d its updates and its data pipeline
where they are stated (`lifecycle.upkeep`), M the embodied carbon of the time as in SCI
(`lifecycle.sci`). Electrical joules only: embodied carbon and primary energy are other units.
Training is paid by all tokens that a model ever serves, N_life, wherever; what one service knows of
that is nothing, so N_life is stated, or given as a multiple of

    N* = E_training / (E_inference / n)

tokens after which training adds less per token than inference. That multiple is of training alone,
so updates and data come on top. TREE over life is the utility over the joules with training,
updates and data, METRIC's TREE_life.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from tree6g.errors import DataError
from tree6g.lifecycle.hardware import Embodied
from tree6g.lifecycle.ranges import COUNT, Draws, Estimate, Range, draws, estimate, sums
from tree6g.lifecycle.sci import embodied_kgco2e
from tree6g.lifecycle.upkeep import Drawn, Prepared, Updated, data_energy, even_tok, updates_per_tok

PARTS: Final = ("inference", "network", "training", "updates", "data", "embodied")
SEED: Final = 20_251_128
# Energy of all inference over that of training: 3/5 to 2/5 of what machine learning takes at Google
# (Patterson et al. 2022, arXiv 2204.05149) to the ten times that is often quoted (typical).
LIFE_MULTIPLE: Final = Range(value=4.0, low=1.5, high=10.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """The training of a model that serves.

    Attributes:
        model: Its name.
        share_frac: Share of the service's tokens that it made.
        energy_j: Electricity of its training.
        kgco2e_per_j: Intensity where it was trained.
        source: Where that comes from.
    """

    model: str
    share_frac: float
    energy_j: Range
    kgco2e_per_j: Range
    source: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Hardware that a service holds for the time.

    Attributes:
        node: Where it is.
        made: What making one took.
        count: How many.
        share_frac: Share of it that is the service's.
    """

    node: str
    made: Embodied
    count: float
    share_frac: float

    def kgco2e(self, time_s: float) -> Range:
        """Its embodied carbon of a time."""
        one = embodied_kgco2e(1.0, time_s, self.made.lifetime_s, self.share_frac)
        return self.made.kgco2e.scaled(one * self.count)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a service drew, held and delivered.

    Attributes:
        name: The service.
        time_s: Over which time.
        tokens: Units that it delivered: tokens, or images of a service without tokens.
        utility_beq: What they were worth; None: not known.
        inference_j: Energy of accelerators, hosts and their site.
        network_j: Energy of radio, transport and core.
        kgco2e_per_j: Intensity of its electricity.
        trained: Trainings of its models.
        life_tok: Tokens that a model serves in its life; None: `LIFE_MULTIPLE` times N*.
        held: Hardware.
        updates: Updates of its models; none: not known.
        prepared: Their data pipeline; None: not known.
    """

    name: str
    time_s: float
    tokens: float
    utility_beq: float | None
    inference_j: Range
    network_j: Range
    kgco2e_per_j: Range
    trained: tuple[Trained, ...] = ()
    life_tok: float | None = None
    held: tuple[Held, ...] = ()
    updates: tuple[Updated, ...] = ()
    prepared: Prepared | None = None

    def __post_init__(self) -> None:
        """Refuse a service that delivered or drew nothing."""
        if not self.tokens > 0.0:
            raise DataError(f"service '{self.name}' delivered no tokens, so none has a life cycle.")
        if not self.inference_j.value > 0.0:
            raise DataError(f"service '{self.name}' drew no energy for inference.")
        if self.life_tok is not None and not 0.0 < self.life_tok < math.inf:
            raise DataError(f"expected tokens of a life above 0; got {self.life_tok:g}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Figures of a service over its life; None where something they rest on is not known.

    Attributes:
        j_per_tok: Joules per token by part, embodied in none.
        kgco2e_per_tok: Carbon per token by part.
        energy_share_frac: Share of each part in the joules.
        carbon_share_frac: Share of each part in the carbon.
        use_j_per_tok: Joules of inference and network per token.
        total_j_per_tok: All joules per token.
        total_kgco2e_per_tok: All carbon per token.
        break_even_tok: N*: tokens after which training adds less than inference.
        break_even_upkeep_tok: The same with updates and data; None where neither is known, or
            where updates take as much as inference.
        life_tok: N_life that training is spread over.
        tree_beq_per_j: Utility over the joules of use alone.
        tree_life_beq_per_j: Utility over the joules with training.
        tree_beq_per_kgco2e: Utility over all carbon.
        sci_kgco2e_per_ktok: SCI of 1,000 tokens: use and embodied, without training.
    """

    j_per_tok: Mapping[str, Estimate]
    kgco2e_per_tok: Mapping[str, Estimate]
    energy_share_frac: Mapping[str, Estimate]
    carbon_share_frac: Mapping[str, Estimate]
    use_j_per_tok: Estimate
    total_j_per_tok: Estimate
    total_kgco2e_per_tok: Estimate
    break_even_tok: Estimate | None
    break_even_upkeep_tok: Estimate | None
    life_tok: Estimate | None
    tree_beq_per_j: Estimate | None
    tree_life_beq_per_j: Estimate | None
    tree_beq_per_kgco2e: Estimate | None
    sci_kgco2e_per_ktok: Estimate


def life(use: Use) -> Life:
    """Figures of a service over its life, with 95 % intervals by Monte Carlo."""
    generator = np.random.default_rng(SEED)
    inference = draws(use.inference_j, generator) / use.tokens
    network = draws(use.network_j, generator) / use.tokens
    grid = draws(use.kgco2e_per_j, generator)
    trained = _training(use, generator, inference)
    even = trained.joules / inference if use.trained else None
    life_tok = _life_tok(use, even, generator)
    embodied = _made(use, generator) / use.tokens
    learnt, even_upkeep = _learnt(use, trained, inference, (grid, life_tok), generator)
    joules = {"inference": inference, "network": network}
    carbon = {part: grid * own for part, own in joules.items()}
    joules |= {part: own.joules for part, own in learnt.items()}
    carbon |= {part: own.kgco2e for part, own in learnt.items()}
    if use.held:
        carbon["embodied"] = embodied
    all_j, all_kg = np.sum([*joules.values()], axis=0), np.sum([*carbon.values()], axis=0)
    in_use = inference + network
    worth = None if use.utility_beq is None else use.utility_beq / use.tokens
    return Life(
        j_per_tok=_estimates(joules),
        kgco2e_per_tok=_estimates(carbon),
        energy_share_frac=_estimates({part: own / all_j for part, own in joules.items()}),
        carbon_share_frac=_estimates({part: own / all_kg for part, own in carbon.items()}),
        use_j_per_tok=estimate(in_use),
        total_j_per_tok=estimate(all_j),
        total_kgco2e_per_tok=estimate(all_kg),
        break_even_tok=None if even is None else estimate(even),
        break_even_upkeep_tok=None if even_upkeep is None else estimate(even_upkeep),
        life_tok=None if life_tok is None else estimate(life_tok),
        tree_beq_per_j=None if worth is None else estimate(worth / in_use),
        tree_life_beq_per_j=None if worth is None or even is None else estimate(worth / all_j),
        tree_beq_per_kgco2e=None if worth is None else estimate(worth / all_kg),
        sci_kgco2e_per_ktok=estimate(1000.0 * (grid * in_use + embodied)),
    )


def _training(use: Use, generator: np.random.Generator, like: Draws) -> Drawn:
    """The trainings by the tokens' shares; 0 without any."""
    joules, carbon = np.zeros_like(like), np.zeros_like(like)
    for one in use.trained:
        own = one.share_frac * draws(one.energy_j, generator)
        joules = joules + own
        carbon = carbon + own * draws(one.kgco2e_per_j, generator)
    return Drawn(joules=joules, kgco2e=carbon)


def _made(use: Use, generator: np.random.Generator) -> Draws:
    """Carbon of making the hardware; pieces of one kind share their source, so are off alike."""
    kinds: dict[str, list[Range]] = {}
    for held in use.held:
        kinds.setdefault(held.made.item, []).append(held.kgco2e(use.time_s))
    return sum((draws(sums(own), generator) for own in kinds.values()), np.zeros(COUNT))


def _life_tok(use: Use, even: Draws | None, generator: np.random.Generator) -> Draws | None:
    if use.life_tok is not None:
        return np.full(COUNT, use.life_tok)
    return None if even is None else even * draws(LIFE_MULTIPLE, generator)


def _learnt(
    use: Use,
    trained: Drawn,
    inference: Draws,
    over: tuple[Draws, Draws | None],
    generator: np.random.Generator,
) -> tuple[dict[str, Drawn], Draws | None]:
    """What is known of training, updates and data per token, and N* with updates and data.

    A share of training says nothing where training is not known, nor does an energy without N_life.
    """
    grid, life_tok = over
    found: dict[str, Drawn] = {}
    once, per_tok = trained, updates_per_tok(use.updates, grid, generator)
    if use.trained and life_tok is not None:
        found["training"] = trained.over(life_tok)
    if use.updates:
        found["updates"] = per_tok
    asked = use.prepared
    if asked is not None and life_tok is not None and (use.trained or asked.energy_j is not None):
        data, more = data_energy(asked, trained, per_tok, generator)
        found["data"] = data.over(life_tok).plus(more)
        once, per_tok = once.plus(data), per_tok.plus(more)
    kept = use.trained and ("updates" in found or "data" in found)
    return found, even_tok(once.joules, inference - per_tok.joules) if kept else None


def _estimates(parts: Mapping[str, Draws]) -> dict[str, Estimate]:
    return {part: estimate(own) for part, own in parts.items()}
