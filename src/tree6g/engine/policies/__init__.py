"""Dispatch policies: which host answers a request.

A policy is any callable of the protocol `Policy`. Those of the package are one file each; others
come by the entry-point group `tree6g.policies` or as an object given to `run`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Protocol

from tree6g.engine.policies.choice import named

GROUP: Final = "tree6g.policies"
BUILT_IN: Final = ("nearest", "edge-only", "cloud-only", "device-only")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A request that looks for a host.

    Attributes:
        service: Its AI service.
        site: Index of the site whose cell serves the user.
        arrival_s: When the user sent it.
        prompt_tok: Length of the prompt.
        ttft_budget_s: Time to the first token that the service promises; its deadline, if it does
            not stream.
    """

    service: str
    site: int
    arrival_s: float
    prompt_tok: int
    ttft_budget_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A host that could answer, nearest first in a policy's list.

    Attributes:
        node: Its name in the ledger.
        tier: `device`, `edge` or `cloud`.
        latency_s: One-way transport latency behind the cell.
        expected_ttft_s: Time to the first token if nothing else comes: the prompts
            in its queue and on their way to it, its own, and the network both ways.
        running: Sequences in its batch.
    """

    node: str
    tier: str
    latency_s: float
    expected_ttft_s: float
    running: int


class Policy(Protocol):
    """Chooses among options; None refuses the request, which is then lost."""

    def __call__(self, query: Query, options: Sequence[Option]) -> int | None:
        """The index of the option that answers."""
        ...


def policy(name: str) -> Policy:
    """A policy by name.

    Raises:
        ScenarioError: No such policy.
    """
    found = named(name, "dispatch policy", group=GROUP, files=__name__, built_in=BUILT_IN)
    chosen: Policy = found.choose if name in BUILT_IN else found
    return chosen


def least_expected(options: Sequence[Option], tier: str) -> int | None:
    """The option of a tier that answers first, None if the tier has none."""
    of_tier = [i for i, option in enumerate(options) if option.tier == tier]
    return min(of_tier, key=lambda i: options[i].expected_ttft_s, default=None)
