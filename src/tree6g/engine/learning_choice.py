"""Which clients a round takes, from what the network knows of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.learning_state import Learning, client_work, paying
from tree6g.radio.pathloss import FloatArray
from tree6g.training.federated import selection
from tree6g.training.federated.federation import CHOICE
from tree6g.training.federated.selection import Candidates

if TYPE_CHECKING:
    from tree6g.engine.world import World

SLOTS: Final = 5  # of the time until the deadline, in which power for charging is shared out


def choose(world: World, known: Learning, at_s: float) -> IntArray:
    """Clients of the round that begins, ascending; none if nobody is able."""
    asked, who = known.spec, paying(known)
    count = min(asked.clients_per_round, len(who))
    if not count:
        return who
    if asked.selection == "random":
        return selection.random(who, count, known.federation.stream(CHOICE, 0))
    utility = known.federation.utility[who]
    if asked.selection == "tree-aware":
        best = selection.worth_per_joule(utility, _round_j(world, known, who), count)
        return np.asarray(who[best])
    best, _ = selection.energy_aware(_candidates(known, who, utility, at_s), count)
    return np.asarray(who[best])


def _round_j(world: World, known: Learning, who: IntArray) -> FloatArray:
    """Joules of a round by client: its training, and the air in both directions.

    The air takes what the terminal draws while it sends and what the cell draws above being awake,
    at the rate that it has alone.
    """
    state, name = known.federation, known.spec.name
    terminal = known.terminal[who]
    cells = [world.cells[n] for n in world.radio.users.serving[terminal].tolist()]
    up_bit = np.array([state.upload_bit(c) for c in who.tolist()])
    down_bit = np.array([state.download_bit(c) for c in who.tolist()])
    up_w = np.array([max(c.station.uplink_w - c.station.awake_w, 0.0) for c in cells])
    up_w += world.scenario.population.terminal.anchor_power_w
    down_w = np.array([c.station.downlink_w - c.station.awake_w for c in cells])
    computed_j = np.array([client_work(known, c).energy_j for c in who.tolist()])
    rates = {kind: world.radio.rate_bps[kind][name][terminal] for kind in (UP, DOWN)}
    return np.asarray(computed_j + up_w * up_bit / rates[UP] + down_w * down_bit / rates[DOWN])


def _candidates(known: Learning, who: IntArray, utility: FloatArray, at_s: float) -> Candidates:
    """Clients and the power that charges those of a site until the deadline, slot by slot."""
    works = [client_work(known, c) for c in who.tolist()]
    steps = np.array([float(known.federation.steps(c)) for c in who.tolist()])
    slot_s = known.spec.deadline_s / SLOTS
    at = at_s + slot_s * np.arange(SLOTS)
    charging_j = np.array([known.charging_w(float(t)) for t in at]) * slot_s
    heads = np.bincount(known.site, minlength=known.sites)
    step_s = np.array([work.time_s for work in works]) / steps
    return Candidates(
        utility=utility / steps,
        domain=known.site[who],
        batch_j=np.array([work.energy_j for work in works]) / steps,
        spare=np.repeat((slot_s / step_s)[:, None], SLOTS, axis=1),
        least=steps,
        most=steps,
        excess_j=heads[:, None] * charging_j[None, :],
    )
