"""One episode at a time: `gymnasium.Env`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import gymnasium
import numpy as np

from tree6g.ledger.reading import Ledger
from tree6g.optimise.environment import spaces
from tree6g.optimise.environment.actions import parsed
from tree6g.optimise.environment.episode import Recorder, write_ledger
from tree6g.optimise.environment.figures import figures
from tree6g.optimise.environment.network import Network
from tree6g.optimise.environment.observation import Observation, Observer
from tree6g.optimise.environment.setup import Source, network_of, price_or_default
from tree6g.optimise.environment.slots import Settings, Slots

Info = dict[str, Any]
ONE = np.arange(1)


class TreeEnv(gymnasium.Env[Any, Any]):
    """The scheduler of one or more cells that serve AI and data.

    Observation: `user` [cell, user, column] and `cell` [cell, column] (`observation`).
    Action: `share` [cell, user], parts of the downlink's time, and `mode` [cell] (`network.MODES`).
    Reward: (worth earned - price x joules) / `slots.REWARD_BEQ`; episodes are truncated after
    `Settings.steps` and never terminated. `info` has the sums since the episode began
    (`figures.KEYS`), `cell_reward` [cell], and `step`.

    Attributes:
        network: Where it takes place.
        price_beq_per_j: What a joule costs in the reward.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as Gymnasium has it

    def __init__(
        self,
        network: Network,
        settings: Settings | None = None,
        *,
        price_beq_per_j: float | None = None,
        record: bool = False,
    ) -> None:
        """An environment on a network.

        Args:
            network: Cells, users and servers.
            settings: How time runs.
            price_beq_per_j: What a joule costs; None: the TREE of round robin.
            record: Whether episodes are kept so that `write_ledger` can write them.

        Raises:
            ScenarioError: A price below 0.
        """
        settings = settings or Settings()
        self.network = network
        self.price_beq_per_j = price_or_default(network, settings, price_beq_per_j)
        self.slots = Slots(network, settings, 1, self.price_beq_per_j)
        self.observation_space = spaces.observation_space(network.users, network.cells)
        self.action_space = spaces.action_space(network.users, network.cells)
        self._observer = Observer(self.slots)
        self._recorder = Recorder(self.slots) if record else None

    @classmethod
    def from_scenario(
        cls,
        scenario: Source,
        settings: Settings | None = None,
        *,
        overrides: Sequence[str] = (),
        price_beq_per_j: float | None = None,
        record: bool = False,
    ) -> Self:
        """The environment of a scenario: a name in the library, a file or plain data.

        Raises:
            ScenarioError: It cannot be read, or has what the environment does not know.
        """
        network = network_of(scenario, overrides)
        return cls(network, settings, price_beq_per_j=price_beq_per_j, record=record)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, Info]:
        """Begin an episode; the same seed gives the same chance."""
        super().reset(seed=seed, options=options)
        self.slots.reset(ONE, [self.np_random])
        if self._recorder is not None:
            self._recorder.begin()
        return self._observation(), self._info(np.zeros(self.network.cells))

    def step(self, action: dict[str, Any]) -> tuple[Observation, float, bool, bool, Info]:
        """One step; see the class.

        Raises:
            ScenarioError: An action of another shape or out of range.
        """
        shape = (self.network.cells, self.network.users)
        share, mode = parsed(action, shape)
        reward = self.slots.step(share[None], mode[None])[0]
        if self._recorder is not None:
            self._recorder.note()
        truncated = bool(self.slots.state.step[0] >= self.slots.settings.steps)
        return self._observation(), float(reward.sum()), False, truncated, self._info(reward)

    def write_ledger(self, path: Path) -> Ledger:
        """The episode so far as a ledger.

        Raises:
            LedgerError: Nothing was recorded, or something else is in the folder.
        """
        return write_ledger(self._recorder, path)

    def _observation(self) -> Observation:
        return {name: table[0] for name, table in self._observer.observe().items()}

    def _info(self, reward: Any) -> Info:
        found: Info = {key: float(value[0]) for key, value in figures(self.slots).items()}
        return found | {"cell_reward": reward, "step": int(self.slots.state.step[0])}
