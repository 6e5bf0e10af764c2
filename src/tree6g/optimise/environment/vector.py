"""Many episodes at once: `gymnasium.vector.VectorEnv`, all of them in the same NumPy calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from tree6g.errors import ScenarioError
from tree6g.optimise.environment import spaces
from tree6g.optimise.environment.actions import parsed
from tree6g.optimise.environment.figures import figures
from tree6g.optimise.environment.network import Network
from tree6g.optimise.environment.observation import Observation, Observer
from tree6g.optimise.environment.setup import Source, network_of, price_or_default
from tree6g.optimise.environment.slots import Settings, Slots

Flags = npt.NDArray[np.bool_]


class TreeVectorEnv(VectorEnv[Any, Any, Any]):
    """`TreeEnv` many times over; episode n with seed s + n is bit by bit a single one with that.

    Every array has the episodes as its first axis, those in `info` too. An episode that was
    truncated begins anew with the next step, whose action it ignores and whose reward is 0
    (Gymnasium's `NEXT_STEP`).

    Attributes:
        network: Where they take place.
        price_beq_per_j: What a joule costs in the reward.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 - as Gymnasium has it
        "render_modes": [],
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        network: Network,
        num_envs: int,
        settings: Settings | None = None,
        *,
        price_beq_per_j: float | None = None,
    ) -> None:
        """Some episodes on a network; arguments as of `TreeEnv`."""
        if num_envs < 1:
            raise ScenarioError(f"expected num_envs of 1 or more; got {num_envs}.")
        super().__init__()
        settings = settings or Settings()
        self.network = network
        self.num_envs = num_envs
        self.price_beq_per_j = price_or_default(network, settings, price_beq_per_j)
        self.slots = Slots(network, settings, num_envs, self.price_beq_per_j)
        self.single_observation_space = spaces.observation_space(network.users, network.cells)
        self.single_action_space = spaces.action_space(network.users, network.cells)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._observer = Observer(self.slots)
        self._rngs: list[np.random.Generator] = []
        self._over = np.zeros(num_envs, dtype=bool)

    @classmethod
    def from_scenario(
        cls,
        scenario: Source,
        num_envs: int,
        settings: Settings | None = None,
        *,
        overrides: Sequence[str] = (),
        price_beq_per_j: float | None = None,
    ) -> Self:
        """The environment of a scenario, `num_envs` times.

        Raises:
            ScenarioError: It cannot be read, or has what the environment does not know.
        """
        network = network_of(scenario, overrides)
        return cls(network, num_envs, settings, price_beq_per_j=price_beq_per_j)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin all episodes, or those of `options["reset_mask"]` [episode].

        Args:
            seed: Of the first episode, the others count on from it; or one for each. None: their
                chance goes on.
            options: Gymnasium's.
        """
        asked = (options or {}).get("reset_mask", np.ones(self.num_envs, dtype=bool))
        rows = np.flatnonzero(np.asarray(asked, dtype=bool))
        self._seed(seed)
        self.slots.reset(rows, [self._rngs[row] for row in rows.tolist()])
        self._over[rows] = False
        return self._observer.observe(), self._info(np.zeros((self.num_envs, self.network.cells)))

    def _seed(self, seed: int | Sequence[int | None] | None) -> None:
        seeds: Sequence[int | None]
        if isinstance(seed, int | np.integer):
            seeds = [int(seed) + n for n in range(self.num_envs)]
        else:
            seeds = [None] * self.num_envs if seed is None else list(seed)
        if len(seeds) != self.num_envs:
            raise ScenarioError(f"expected {self.num_envs} seeds; got {len(seeds)}.")
        fresh = not self._rngs
        if fresh:
            self._rngs = [seeding.np_random(one)[0] for one in seeds]
            return
        for n, one in enumerate(seeds):
            if one is not None:
                self._rngs[n] = seeding.np_random(one)[0]

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[Observation, npt.NDArray[np.float64], Flags, Flags, dict[str, Any]]:
        """One step of all episodes.

        Raises:
            ScenarioError: Actions of another shape or out of range.
        """
        shape = (self.num_envs, self.network.cells, self.network.users)
        share, mode = parsed(actions, shape)
        reward = self.slots.step(share, mode)
        again = np.flatnonzero(self._over)
        if len(again):
            self.slots.reset(again, [self._rngs[row] for row in again.tolist()])
            reward[again] = 0.0
        self._over = self.slots.state.step >= self.slots.settings.steps
        ended = np.zeros(self.num_envs, dtype=bool)
        return (
            self._observer.observe(),
            reward.sum(axis=-1),
            ended,
            self._over.copy(),
            self._info(reward),
        )

    def _info(self, reward: npt.NDArray[np.float64]) -> dict[str, Any]:
        """Sums since each episode began, with the masks that Gymnasium has beside values."""
        found: dict[str, Any] = dict(figures(self.slots))
        found |= {"cell_reward": reward, "step": self.slots.state.step.copy()}
        everywhere = np.ones(self.num_envs, dtype=bool)
        return found | {f"_{key}": everywhere for key in found}
