"""Agents without learning, as functions of an observation alone: what learners must beat.

They take observations of any number of cells and episodes and return an action of the same leading
shape, so the same function serves the single, the vectorised and the multi-agent environment. Each
fills the step's downlink time with whom it puts first, for as long as their queues need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from tree6g.optimise.environment.network import MODES, BoolArray
from tree6g.optimise.environment.observation import CELL, CELL_AT, USER, USER_AT
from tree6g.radio.pathloss import FloatArray

Action = dict[str, Any]
Agent = Callable[[Mapping[str, Any]], Action]

OFF: Final = 0
FULL: Final = len(MODES) - 1
QUEUE_BIT: Final = 1e5
LEAST_MEAN_BPS: Final = 1.0
MARGIN: Final = 1.0 + 1e-6  # observations have 32 bits: without it a queue keeps what was rounded


def round_robin(observation: Mapping[str, Any]) -> Action:
    """Equal time for all who have bits waiting; what one does not need, others get."""
    need = _need(observation, FULL)
    share = np.minimum(need, _level(need)[..., None])
    return _action(observation, share, _all(observation, FULL))


def proportional_fair(observation: Mapping[str, Any]) -> Action:
    """First who has the greatest rate over its own moving average."""
    rate = user(observation, "rate_full_bps")
    merit = rate / np.maximum(user(observation, "mean_bps"), LEAST_MEAN_BPS)
    share = _filled(_need(observation, FULL), merit)
    return _action(observation, share, _all(observation, FULL))


def max_tree(observation: Mapping[str, Any]) -> Action:
    """First who earns most in a second of the downlink, less its joules at the price.

    Who would cost more than it earns waits, tokens that cost more are not made, the mode is the one
    with the greatest surplus, and a cell with nothing to do goes off where that pays within the
    step.
    """
    return _surplus(observation, _worth(observation))


def drift_plus_penalty(observation: Mapping[str, Any], queue_bit: float = QUEUE_BIT) -> Action:
    """As `max_tree`, but a bit is worth more the longer the queue: what waits is served in the end.

    Q mu + V (worth - price x energy) with V = 1 and the queue Q in units of `queue_bit`, both times
    the worth of a bit (Neely, Stochastic Network Optimization, 2010, chapter 4).

    Args:
        observation: What the cells see.
        queue_bit: Bits of a user that wait or are to come at which the worth of a bit has doubled:
            few serve everybody soon, many look at the price alone.
    """
    waiting = user(observation, "backlog_bit") + user(observation, "coming_bit")
    weight = user(observation, "worth_beq_per_bit")
    return _surplus(observation, _worth(observation) + weight * waiting / queue_bit)


AGENTS: Final[dict[str, Agent]] = {
    "round-robin": round_robin,
    "proportional-fair": proportional_fair,
    "max-tree": max_tree,
    "drift-plus-penalty": drift_plus_penalty,
}


def user(observation: Mapping[str, Any], name: str) -> FloatArray:
    """A column of the users in SI units. [..., cell, user]."""
    return np.asarray(observation["user"][..., USER_AT[name]], dtype=np.float64) * USER[name]


def cell(observation: Mapping[str, Any], name: str) -> FloatArray:
    """A column of the cells in SI units. [..., cell]."""
    return np.asarray(observation["cell"][..., CELL_AT[name]], dtype=np.float64) * CELL[name]


def _surplus(observation: Mapping[str, Any], worth: FloatArray) -> Action:
    price = cell(observation, "price_beq_per_j")
    best = _nothing(observation, price)
    for mode in range(1, FULL + 1):
        watts = cell(observation, f"send_{MODES[mode]}_w")
        merit = worth * _rate(observation, mode) - (price * watts)[..., None]
        share = _filled(np.where(merit > 0.0, _need(observation, mode), 0.0), merit)
        rest_w = cell(observation, f"rest_{MODES[mode]}_w")
        gain = (share * merit).sum(axis=-1) - price * rest_w
        better = gain > best[0]
        best = (
            np.where(better, gain, best[0]),
            np.where(better[..., None], share, best[1]),
            np.where(better, mode, best[2]),
        )
    makes = worth > price[..., None] * user(observation, "compute_j_per_bit")
    return _action(observation, best[1], best[2], makes)


def _nothing(
    observation: Mapping[str, Any], price: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Surplus per second of being off, with the share and the mode of that."""
    fresh = 1.0 - cell(observation, "off")
    going_w = fresh * cell(observation, "off_j") / cell(observation, "step_s")
    surplus = -price * (cell(observation, "off_w") + going_w)
    return surplus, np.zeros(observation["user"].shape[:-1]), np.full(price.shape, OFF)


def _worth(observation: Mapping[str, Any]) -> FloatArray:
    """Worth of a bit, those that are overdue counted as nothing. [..., cell, user]."""
    waiting = user(observation, "backlog_bit") + user(observation, "coming_bit")
    overdue = user(observation, "overdue_bit") / np.maximum(waiting, 1.0)
    return user(observation, "worth_beq_per_bit") * np.clip(1.0 - overdue, 0.0, 1.0)


def _rate(observation: Mapping[str, Any], mode: int) -> FloatArray:
    return user(observation, f"rate_{MODES[mode]}_bps")


def _need(observation: Mapping[str, Any], mode: int) -> FloatArray:
    """Share of the step that would empty each queue, at most 1. [..., cell, user]."""
    most_bit = _rate(observation, mode) * cell(observation, "step_s")[..., None]
    backlog_bit = user(observation, "backlog_bit")
    need = np.divide(backlog_bit, most_bit, out=np.zeros_like(most_bit), where=most_bit > 0.0)
    return np.clip(MARGIN * need, 0.0, 1.0)


def _level(need: FloatArray) -> FloatArray:
    """The share that nobody exceeds if all time is given and nobody has more than needed."""
    rising = np.sort(need, axis=-1)
    below = np.cumsum(rising, axis=-1) - rising
    left = np.arange(need.shape[-1], 0.0, -1.0)
    level = (1.0 - below) / left
    full = rising > level  # the first who would not get all of it has the level
    first = np.argmax(full, axis=-1)[..., None]
    found = np.take_along_axis(level, first, axis=-1)[..., 0]
    return np.where(full.any(axis=-1), found, 1.0)


def _filled(need: FloatArray, merit: FloatArray) -> FloatArray:
    """Time to the first until it needs no more, then to the next. [..., cell, user]."""
    order = np.argsort(-merit, axis=-1, kind="stable")
    wanted = np.take_along_axis(need, order, axis=-1)
    given = np.clip(1.0 - (np.cumsum(wanted, axis=-1) - wanted), 0.0, wanted)
    share = np.empty_like(given)
    np.put_along_axis(share, order, given, axis=-1)
    return share


def _action(
    observation: Mapping[str, Any],
    share: FloatArray,
    mode: FloatArray,
    makes: BoolArray | None = None,
) -> Action:
    """The action; who has nothing on the air yet asks its server alone, if its tokens pay."""
    alone = (user(observation, "backlog_bit") <= 0.0) & (user(observation, "coming_bit") > 0.0)
    if makes is not None:
        alone &= makes
    share = np.where(alone, 1.0, share)
    return {"share": share.astype(np.float32), "mode": np.asarray(mode, dtype=np.int64)}


def _all(observation: Mapping[str, Any], mode: int) -> FloatArray:
    return np.full(observation["cell"].shape[:-1], mode)
