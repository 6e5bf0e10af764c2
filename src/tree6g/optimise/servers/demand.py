"""What some servers are asked in a run: the run's own requests, as many of them as are tried."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

import numpy as np

from tree6g.compute.serving.measures import Budgets
from tree6g.compute.serving.requests import FloatArray, IntArray
from tree6g.engine.world import Ai, World

MOST_REQUESTS: Final = 3000  # of a demand; longer runs are known by slices of equal length
SLICES: Final = 12
FEW_REQUESTS: Final = 500  # fewer have no sure mean of lengths


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """Requests in order of arrival. Arrays are [request].

    Attributes:
        span_s: Time over which they come.
        arrival_s: When they reach the server.
        prompt_tok: Tokens of the prompt.
        output_tok: Tokens of the answer.
        patience_s: Who has no first token after this time leaves.
        service: Number of the service, in `budgets`.
        budgets: What each service gives a request; `e2e_s` of those that do not stream.
        input_worth_frac: Worth of an input token in output tokens, by service.
    """

    span_s: float
    arrival_s: FloatArray
    prompt_tok: IntArray
    output_tok: IntArray
    patience_s: FloatArray
    service: IntArray
    budgets: tuple[Budgets, ...]
    input_worth_frac: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def rate_tps(self) -> float:
        """Output tokens that are asked for per second."""
        return float(self.output_tok.sum()) / self.span_s

    def where(self, chosen: np.ndarray) -> Demand:
        """Some of the requests over the same time."""
        names = ("arrival_s", "prompt_tok", "output_tok", "patience_s", "service")
        return dataclasses.replace(self, **{name: getattr(self, name)[chosen] for name in names})

    def part(self, share_frac: float) -> Demand:
        """A share of the demand: requests that a coin of that share picks, as a router does.

        Where few would be left, more are picked and come slower, so that lengths stay the same on
        average. Requests that are picked for a share are picked for every greater one.
        """
        picked_frac = max(share_frac, min(1.0, FEW_REQUESTS / max(len(self), 1)))
        draw = np.random.default_rng(0).random(len(self))
        some, slower = self.where(draw < picked_frac), picked_frac / share_frac
        arrival_s, span_s = some.arrival_s * slower, some.span_s * slower
        return dataclasses.replace(some, arrival_s=arrival_s, span_s=span_s)


def demand(world: World, share_frac: Mapping[str, float], network_s: float = 0.0) -> Demand:
    """What a run asks of some servers.

    Args:
        world: The run, built.
        share_frac: Share of each AI service's requests that they answer.
        network_s: Time of a request on the air and in the network before its first token.
    """
    rows = world.requests
    share = np.array([share_frac.get(ai.spec.name, 0.0) for ai in world.ai])
    draw = np.random.default_rng(world.scenario.seed).random(len(rows))
    chosen = draw < share[rows.service]
    patience_s = np.array([ai.spec.patience_s for ai in world.ai])
    whole = Demand(
        span_s=world.arrivals_end_s,
        arrival_s=rows.arrival_s[chosen],
        prompt_tok=rows.prompt_tok[chosen],
        output_tok=rows.output_tok[chosen],
        patience_s=patience_s[rows.service[chosen]],
        service=rows.service[chosen],
        budgets=tuple(_budgets(ai, network_s) for ai in world.ai),
        input_worth_frac=tuple(ai.profile.k_in for ai in world.ai),
    )
    return _sliced(whole)


def _budgets(ai: Ai, network_s: float) -> Budgets:
    """Times of a service, less what the network takes of them."""
    given = ai.profile
    times = (given.ttft_budget_s, given.tpot_budget_s, given.deadline_s)
    first_s, pace_s, whole_s = (math.inf if t is None else t for t in times)
    return Budgets(
        ttft_s=max(first_s - network_s, 0.0), tpot_s=pace_s, e2e_s=max(whole_s - network_s, 0.0)
    )


def _sliced(whole: Demand) -> Demand:
    """Slices of the time, spread evenly over it and put one after the other."""
    if len(whole) <= MOST_REQUESTS:
        return whole
    period_s = whole.span_s / SLICES
    length_s = period_s * MOST_REQUESTS / len(whole)
    number, within_s = np.divmod(whole.arrival_s, period_s)
    some = whole.where(within_s < length_s)
    place_s = (number * length_s + within_s)[within_s < length_s]
    return dataclasses.replace(some, arrival_s=place_s, span_s=SLICES * length_s)
