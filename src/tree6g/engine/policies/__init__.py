"""Dispatch policies: which host answers a request.

A policy is any callable of the protocol `Policy`. Those of the package are one file each; others
come as a Python file of one's own (`policy: ./mine.py`), by the entry-point group
`tree6g.policies`, or as an object given to `run`.

A policy knows what an operator knows: where servers stand, how full they were at the start of the
step and whom they were sent since, the constants of their models, the state of the terminal's
link, and how long answers of the service are on average. It does not know the length of this
answer, nor what comes next.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from tree6g.engine.policies import own
from tree6g.engine.policies.choice import named

GROUP: Final = "tree6g.policies"
BUILT_IN: Final = (
    "nearest", "edge-only", "cloud-only", "device-only", "least-loaded", "energy-greedy",
    "tree-greedy", "cheapest-on-time", "split-best", "adaptive-compression",
)  # fmt: skip
# Expectations are means; the rest of a budget is kept for what comes in between.
SAFE_FRAC: Final = 0.5


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
        tpot_budget_s: Time per token after it; infinite if the service does not stream.
        streams: Whether tokens are sent as they come, not all at the end.
        mean_output_tok: Mean length of the service's answers.
        quality_min_frac: Least worth of a model's token, relative to the reference model's, that
            the service asks for.
        tree_beq_per_j: Worth of a joule: the TREE of the run up to the last ledger interval, in the
            scenario's boundary; 0 in the first one.
    """

    service: str
    site: int
    arrival_s: float
    prompt_tok: int
    ttft_budget_s: float
    tpot_budget_s: float = math.inf
    streams: bool = True
    mean_output_tok: float = 1.0
    quality_min_frac: float = 0.0
    tree_beq_per_j: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What a request is expected to take and to bring at a host.

    Joules are above idle: what the network draws more if the request goes there. All of them count,
    whoever pays: inside the scenario's boundary alone a policy would push work to terminals and
    rented clouds for nothing but the look of it.

    Attributes:
        tpot_s: Time of a token in the batch as it is, with this answer in it.
        compute_j: Prompt and answer at the host, cooling and power supply included: what the
            batch takes more with the request in it.
        radio_j: The cell, for the prompt up and the answer down.
        terminal_j: The terminal's radio, while it sends the prompt.
        link_j: The transport, both ways.
        worth_beq: Worth of the whole request, prompt and mean answer, if all of it is on time
            (bit-equivalents).
        on_time_beq: Worth of what is expected on time.
        parameters: Parameters of the model that answers.
        uplink_s: Time of the prompt on the air, alone in the cell, at the terminal's rate now; no
            part of `expected_ttft_s`.
        downlink_s: The same of the mean answer.
    """

    tpot_s: float = 0.0
    compute_j: float = 0.0
    radio_j: float = 0.0
    terminal_j: float = 0.0
    link_j: float = 0.0
    worth_beq: float = 0.0
    on_time_beq: float = 0.0
    parameters: float = 0.0
    uplink_s: float = 0.0
    downlink_s: float = 0.0

    @property
    def energy_j(self) -> float:
        """All joules."""
        return self.compute_j + self.radio_j + self.terminal_j + self.link_j


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A host that could answer, nearest first in a policy's list.

    Attributes:
        node: Its name in the ledger.
        tier: `device`, `edge` or `cloud`; `split`: terminal and server share the model.
        latency_s: One-way transport latency behind the cell.
        expected_ttft_s: Time to the first token if nothing else comes: the prompts
            in its queue and on their way to it, its own, and the network both ways.
        running: Sequences in its batch.
        queued: Requests that wait there or are on their way.
        capacity: Sequences in its batch at most.
        model: Model that answers.
        quality_frac: Worth of that model's token relative to the reference model's.
        foresee: Works out the prospect; a policy that does not ask does not pay for it.
    """

    node: str
    tier: str
    latency_s: float
    expected_ttft_s: float
    running: int
    queued: int = 0
    capacity: int = 1
    model: str = ""
    quality_frac: float = 1.0
    foresee: Callable[[], Prospect] = Prospect

    @property
    def prospect(self) -> Prospect:
        """What the request is expected to take and to bring here."""
        return self.foresee()

    @property
    def load_frac(self) -> float:
        """Requests that are there or on their way, over the places in the batch."""
        return (self.running + self.queued) / self.capacity

    @property
    def expected_tpot_s(self) -> float:
        """Time per token after the first one."""
        return self.foresee().tpot_s

    @property
    def expected_energy_j(self) -> float:
        """Joules above idle of the whole request, whoever pays."""
        return self.foresee().energy_j


class Policy(Protocol):
    """Chooses among options; None refuses the request, which is then lost."""

    def __call__(self, query: Query, options: Sequence[Option]) -> int | None:
        """The index of the option that answers."""
        ...


def policy(name: str) -> Policy:
    """A policy by name, or by the path of a Python file.

    Raises:
        ScenarioError: No such policy, or a file that holds none.
    """
    if own.is_file(name):
        return own.policy_of(name)
    found = named(name, "dispatch policy", group=GROUP, files=__name__, built_in=BUILT_IN)
    chosen: Policy = found.choose if name in BUILT_IN else found
    return chosen


def least_expected(options: Sequence[Option], tier: str) -> int | None:
    """The option of a tier that answers first, of equal ones the emptiest; None without any."""
    of_tier = [i for i, option in enumerate(options) if option.tier == tier]
    return min(of_tier, key=lambda i: _soonest(options[i]), default=None)


def first_to_answer(options: Sequence[Option]) -> int | None:
    """The option that answers first, of equal ones the emptiest; None without any."""
    return min(range(len(options)), key=lambda i: _soonest(options[i]), default=None)


def _soonest(option: Option) -> tuple[float, float]:
    return option.expected_ttft_s, option.load_frac


def good_enough(query: Query, options: Sequence[Option]) -> list[int]:
    """Options of enough quality for the service; if there is none, the best ones."""
    best = max((option.quality_frac for option in options), default=0.0)
    least = min(query.quality_min_frac, best)
    return [i for i, option in enumerate(options) if option.quality_frac >= least]


def on_time(query: Query, option: Option) -> bool:
    """Whether an option is expected well within the budgets of the service.

    Half of the time to the first token (of the deadline, if the service does not stream) is kept
    for what comes in between; the time per token must be within its budget.
    """
    tpot_s = option.expected_tpot_s
    if query.streams:
        early = option.expected_ttft_s <= SAFE_FRAC * query.ttft_budget_s
        return early and tpot_s <= query.tpot_budget_s
    whole_s = option.expected_ttft_s + (query.mean_output_tok - 1.0) * tpot_s
    return whole_s <= SAFE_FRAC * query.ttft_budget_s
