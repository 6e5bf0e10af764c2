"""Episodes of cells, step by step, many side by side: arrivals, servers, downlink, joules, worth.

    reward = (worth earned in the step - price x joules of the step) / REWARD_BEQ

summed over the boundary `operator`: cells and servers with their site overhead. So rewards of an
episode sum to 0 exactly where its TREE is the price. What an episode's figure is made of is in
`Totals`; `episode` writes it as a ledger.

Work is on time as in METRIC rule 4, as a fluid: bits of a message are due when its budget is over,
those of an answer one token after the other from the budget of the first on. A user's bits are sent
in order. A prompt is worth something as its answer arrives. Tokens made in a step are on the air
from the next one on.

Not here: uplink, errors of transmission, handover, impatience, link delays, energy of terminals.
Against a run of the engine with the same scenario see docs/how-to/train-a-scheduler.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from tree6g.errors import ScenarioError
from tree6g.optimise.environment.air import Air, Sent
from tree6g.optimise.environment.draws import BLOCK, Draws, Shadowing, correlation
from tree6g.optimise.environment.due import Due
from tree6g.optimise.environment.network import IntArray, Network
from tree6g.optimise.environment.servers import Fleet, Made, cell_parts
from tree6g.optimise.environment.state import (
    State,
    Totals,
    empty_state,
    empty_totals,
    forget,
)
from tree6g.radio.pathloss import FloatArray

REWARD_BEQ: Final = 1e6  # a reward of 1 is a million bit-equivalents


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How time runs.

    Attributes:
        step_s: Length of a step.
        steps: Steps of an episode.
        shadowing: Slow changes of gains.
    """

    step_s: float = 0.1
    steps: int = 600
    shadowing: Shadowing = dataclasses.field(default_factory=Shadowing)

    def __post_init__(self) -> None:
        """Refuse times that are none."""
        if not 1e-4 <= self.step_s <= 60.0:
            raise ScenarioError(f"expected step_s from 0.0001 s to 60 s; got {self.step_s:g} s.")
        if self.steps < 1:
            raise ScenarioError(f"expected an episode of 1 step or more; got {self.steps}.")
        if self.shadowing.std_db < 0.0 or self.shadowing.time_s <= 0.0:
            raise ScenarioError(
                "expected shadowing of std_db >= 0 dB and time_s > 0 s; got "
                f"{self.shadowing.std_db:g} dB and {self.shadowing.time_s:g} s."
            )


class Slots:
    """Some episodes of a network side by side.

    Attributes:
        network: Where they take place.
        settings: How time runs.
        price_beq_per_j: What a joule costs.
        state: Where they stand.
        totals: Sums since they began.
    """

    def __init__(
        self, network: Network, settings: Settings, episodes: int, price_beq_per_j: float
    ) -> None:
        self.network, self.settings = network, settings
        self.price_beq_per_j = price_beq_per_j
        self.state: State = empty_state(network, episodes)
        self.totals: Totals = empty_totals(network, episodes)
        self.air = Air(network, settings.step_s)
        self.fleet = Fleet(network, settings.step_s)
        self._due = Due(network, settings.step_s, settings.steps, episodes)
        self._draws = Draws(network, settings.step_s)
        self._rngs: list[np.random.Generator] = [np.random.default_rng()] * episodes
        shape = (episodes, BLOCK, network.cells)
        self._ai = self.state.prompt_tok.shape[-1]
        self._offered = np.zeros((*shape, network.users))
        self._prompts = np.zeros((*shape, self._ai))
        self._noise = np.zeros((*shape, network.users))
        keep = correlation(settings.shadowing, settings.step_s)
        self._keep, self._fresh = keep, float(np.sqrt(1.0 - keep**2))
        self._worth = network.by_user("worth_beq_per_bit")
        self._prompt_worth = network.by_user("prompt_beq_per_tok")[: self._ai]
        self._lateness = 1.0 - network.by_user("late_frac")
        self._parts = cell_parts(network)
        self._every = np.arange(episodes)

    def reset(self, rows: IntArray, rngs: list[np.random.Generator]) -> None:
        """Begin some episodes anew, each from its generator."""
        forget(self.state, rows)
        forget(self.totals, rows)
        self._due.forget(rows)
        for row, rng in zip(rows.tolist(), rngs, strict=True):
            self._rngs[row] = rng
            self.state.phase[row] = self._draws.phases(rng)
            self.state.shadow[row] = self._draws.first_shadow(rng)
        self._arrive(rows)

    def step(self, share: FloatArray, mode: IntArray) -> FloatArray:
        """One step of all episodes.

        Args:
            share: Part of the downlink's time that each user may fill, from 0 to 1; who has 0 is
                not served by its server either. [episode, cell, user]
            mode: Number of each cell's mode in `network.MODES`. [episode, cell]

        Returns:
            Rewards; a server's joules are shared evenly by its cells. [episode, cell]
        """
        state, totals = self.state, self.totals
        ai = slice(0, self._ai)
        open_bit = state.waiting_bit()[..., ai]
        made = self.fleet.work(state, share)
        sent = self.air.send(state, share, mode)
        state.backlog_bit[..., ai] += made.bit
        late_bit = self._due.sent(state, sent.bit)
        worth = self._earn(sent, late_bit, open_bit)
        energy_j = self._draw(sent, made, mode)
        totals.utility_beq += worth
        state.step += 1
        self._arrive(self._every)
        return (worth - self.price_beq_per_j * energy_j) / REWARD_BEQ

    def _arrive(self, rows: IntArray) -> None:
        """What is new at the beginning of a step: shadowing, rates, requests, what is due."""
        state = self.state
        at = state.step[rows] % BLOCK
        for row in rows[at == 0].tolist():
            block = self._draws.block(self._rngs[row], int(state.step[row]), state.phase[row])
            self._offered[row] = block.offered_bit
            self._prompts[row] = block.prompt_tok
            self._noise[row] = block.shadow
        goes_on = (state.step[rows] < self.settings.steps)[:, None, None]
        offered = self._offered[rows, at] * goes_on
        prompts = self._prompts[rows, at] * goes_on
        later = (state.step[rows] > 0)[:, None, None]  # the first step has its own start
        changed = self._keep * state.shadow[rows] + self._fresh * self._noise[rows, at]
        state.shadow[rows] = np.where(later, changed, state.shadow[rows])
        self.air.update_sinr(state, self.settings.shadowing.std_db)
        self._due.advance(state, rows, offered)
        state.prompt_tok[rows] += prompts
        state.owed_tok[rows] += prompts
        state.unread_bit[rows] += offered[..., : self._ai]
        state.backlog_bit[rows, :, self._ai :] += offered[..., self._ai :]

    def _earn(self, sent: Sent, late_bit: FloatArray, open_bit: FloatArray) -> FloatArray:
        """Worth of a step, and the work of it into the sums. [episode, cell]."""
        state, totals, ai = self.state, self.totals, slice(0, self._ai)
        counted = sent.bit - self._lateness * late_bit
        worth: FloatArray = (counted * self._worth).sum(axis=-1)
        bit, late = sent.bit[..., ai], late_bit[..., ai]
        part = np.divide(bit, open_bit, out=np.zeros_like(bit), where=bit > 0.0)
        late_part = np.divide(late, bit, out=np.zeros_like(bit), where=bit > 0.0)
        told = state.owed_tok * part
        state.owed_tok -= told
        late_told = told * late_part
        prompt = (told - self._lateness[ai] * late_told) * self._prompt_worth
        worth = worth + prompt.sum(axis=-1)
        for number, stream in enumerate(self.network.streams):
            at = stream.users
            totals.sent_bit[..., number] += sent.bit[..., at].sum(axis=-1)
            totals.late_bit[..., number] += late_bit[..., at].sum(axis=-1)
            if stream.ai:
                totals.prompt_tok[..., number] += told[..., at].sum(axis=-1)
                totals.late_prompt_tok[..., number] += late_told[..., at].sum(axis=-1)
        return worth

    def _draw(self, sent: Sent, made: Made, mode: IntArray) -> FloatArray:
        """Joules of a step, site overhead included, into the sums. [episode, cell]."""
        totals, network = self.totals, self.network
        parts_j, above_w, check_j = self.air.energy(sent, self.state.off, mode)
        totals.station_j += parts_j
        totals.server_j += made.part_j
        totals.check_j[:, : network.cells] += network.stations.pue * check_j
        totals.check_j[:, network.cells :] += network.servers.pue * made.check_j
        energy_j = parts_j.sum(axis=-1)
        for number, stream in enumerate(network.streams):
            sent_s = sent.sent_s[..., stream.users].sum(axis=-1)
            totals.sent_s[..., number] += sent_s
            totals.active_j[..., number] += above_w * sent_s
            energy_j = energy_j + above_w * sent_s
        energy_j = network.stations.pue * energy_j
        server_j = network.servers.pue * made.part_j.sum(axis=-1)
        of, part = self._parts
        for column in range(of.shape[1]):
            energy_j = energy_j + server_j[:, of[:, column]] * part[:, column]
        return energy_j
