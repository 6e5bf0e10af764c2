"""An agent for each cell: `pettingzoo.ParallelEnv`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from gymnasium.spaces import Space
from pettingzoo import ParallelEnv

from tree6g.errors import ScenarioError
from tree6g.optimise.environment import spaces
from tree6g.optimise.environment.observation import Observation
from tree6g.optimise.environment.setup import Source
from tree6g.optimise.environment.single import TreeEnv
from tree6g.optimise.environment.slots import Settings

Action = dict[str, Any]


class TreeParallelEnv(ParallelEnv[str, Observation, Action]):  # type: ignore[misc]
    """`TreeEnv` with one agent per cell, named as its node in a ledger.

    An agent sees the users and the state of its own cell, gives their shares and its mode, and is
    rewarded with its cell's part of the reward: worth of its users, joules of the cell and an even
    part of those of the servers that it shares. The parts sum to the reward of `TreeEnv`.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "name": "tree6g_cells"}

    def __init__(self, env: TreeEnv) -> None:
        """The cells of an environment as agents."""
        self.env = env
        self.possible_agents = list(env.network.stations.node)
        self.agents: list[str] = []
        users = env.network.users
        self.observation_spaces: dict[str, Space[Any]] = {
            agent: spaces.observation_space(users) for agent in self.possible_agents
        }
        self.action_spaces: dict[str, Space[Any]] = {
            agent: spaces.action_space(users) for agent in self.possible_agents
        }

    @classmethod
    def from_scenario(
        cls,
        scenario: Source,
        settings: Settings | None = None,
        *,
        overrides: Sequence[str] = (),
        price_beq_per_j: float | None = None,
    ) -> Self:
        """The environment of a scenario.

        Raises:
            ScenarioError: It cannot be read, or has what the environment does not know.
        """
        return cls(
            TreeEnv.from_scenario(
                scenario, settings, overrides=overrides, price_beq_per_j=price_beq_per_j
            )
        )

    def observation_space(self, agent: str) -> Space[Any]:
        """What an agent sees; the same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """What an agent gives; the same object at every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Begin an episode."""
        self.agents = list(self.possible_agents)
        observation, info = self.env.reset(seed=seed, options=options)
        return self._apart(observation), self._infos(info)

    def step(
        self, actions: dict[str, Action]
    ) -> tuple[
        dict[str, Observation],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """One step, with an action of every agent.

        Raises:
            ScenarioError: An agent without action, or an action out of range.
        """
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ScenarioError(f"expected an action of every agent; '{missing[0]}' has none.")
        everybody = [actions[agent] for agent in self.agents]
        action = {
            "share": np.stack([one["share"] for one in everybody]),
            "mode": np.array([one["mode"] for one in everybody]),
        }
        observation, _, _, truncated, info = self.env.step(action)
        found = self._apart(observation), self._infos(info)
        rewards = dict(zip(self.agents, info["cell_reward"].tolist(), strict=True))
        ended = dict.fromkeys(self.agents, False)
        over = dict.fromkeys(self.agents, truncated)
        if truncated:
            self.agents = []
        return found[0], rewards, ended, over, found[1]

    def _apart(self, observation: Observation) -> dict[str, Observation]:
        return {
            agent: {name: table[n] for name, table in observation.items()}
            for n, agent in enumerate(self.possible_agents)
        }

    def _infos(self, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """The sums of the whole network, for every agent."""
        shared = {key: value for key, value in info.items() if key != "cell_reward"}
        return {agent: dict(shared) for agent in self.possible_agents}
