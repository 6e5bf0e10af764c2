"""Environments by name of a scenario: single, vectorised, an agent per cell.

    >>> from tree6g.optimise.environment.make import make_env
    >>> env = make_env("hybrid-cell", overrides=["population.users=20"])  # doctest: +SKIP

Nothing else here needs the extra `gym`, and without it these functions say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tree6g.errors import ScenarioError
from tree6g.optimise.environment.setup import Source
from tree6g.optimise.environment.slots import Settings

if TYPE_CHECKING:
    from tree6g.optimise.environment.parallel import TreeParallelEnv
    from tree6g.optimise.environment.single import TreeEnv
    from tree6g.optimise.environment.vector import TreeVectorEnv


def make_env(
    scenario: Source,
    settings: Settings | None = None,
    *,
    overrides: Sequence[str] = (),
    price_beq_per_j: float | None = None,
    record: bool = False,
) -> TreeEnv:
    """One episode at a time, a `gymnasium.Env`.

    Args:
        scenario: Name in the library, file, plain data or a loaded scenario.
        settings: Length of a step and of an episode, shadowing.
        overrides: Changes such as `"population.users=20"`.
        price_beq_per_j: What a joule costs in the reward; None: the TREE of round robin.
        record: Whether episodes are kept so that `write_ledger` can write them.

    Raises:
        ScenarioError: It cannot be read, has what the environment does not know, or Gymnasium is
            not installed.
    """
    kind = _load("single", "gymnasium").TreeEnv
    return kind.from_scenario(
        scenario, settings, overrides=overrides, price_beq_per_j=price_beq_per_j, record=record
    )


def make_vector_env(
    scenario: Source,
    num_envs: int,
    settings: Settings | None = None,
    *,
    overrides: Sequence[str] = (),
    price_beq_per_j: float | None = None,
) -> TreeVectorEnv:
    """Many episodes at once, a `gymnasium.vector.VectorEnv`; arguments as of `make_env`."""
    kind = _load("vector", "gymnasium").TreeVectorEnv
    return kind.from_scenario(
        scenario, num_envs, settings, overrides=overrides, price_beq_per_j=price_beq_per_j
    )


def make_parallel_env(
    scenario: Source,
    settings: Settings | None = None,
    *,
    overrides: Sequence[str] = (),
    price_beq_per_j: float | None = None,
) -> TreeParallelEnv:
    """An agent for each cell, a `pettingzoo.ParallelEnv`; arguments as of `make_env`."""
    kind = _load("parallel", "pettingzoo").TreeParallelEnv
    return kind.from_scenario(
        scenario, settings, overrides=overrides, price_beq_per_j=price_beq_per_j
    )


def _load(module: str, library: str) -> Any:
    try:
        import_module(library)
    except ImportError as error:
        raise ScenarioError(
            f"expected the package '{library}' for an environment; it is not installed. "
            "Run: pip install 'tree6g[gym]'."
        ) from error
    return import_module(f"tree6g.optimise.environment.{module}")
