"""The variant of a model that is worth most now: bits and size of the model by load, link and TREE.

Hosts hold models of several sizes and formats of weights, each of a stated quality q. A request
goes to the one that brings the most beyond what its joules are worth elsewhere:

    score = w U(q (k_in N_in on time + k_out N_out on time)) - price (joules above idle)

with the price at the TREE of the network so far (`Query.tree_beq_per_j`). For a ratio of sums that
is the marginal rule (Dinkelbach), where worth over joules of a single request (`tree-greedy`) is
not: many joules are drawn whatever is answered, so that a better answer may be worth some more.

- **Load.** A queue moves the first token, a full batch slows all tokens: a host that would be late
  drops out, and a smaller variant answers. Joules are those that the request adds to the batch.
- **Link.** Prompt and answer need time and joules on the air at the terminal's rate now; a variant
  on the terminal needs none.
- **TREE.** Where a joule earns much elsewhere, fewer bits and a smaller model are right; where
  tokens are worth much, the better model is.

Of the variants those are left out whose quality is below the service's `quality_min`.
"""

from __future__ import annotations

from collections.abc import Sequence

from tree6g.engine.policies import SAFE_FRAC, Option, Query, good_enough


def choose(query: Query, options: Sequence[Option]) -> int | None:
    """The most worth beyond the price of its joules, among good variants that are in time.

    If none is in time, the good one that answers first. It never refuses.
    """
    good = good_enough(query, options)
    timely = [i for i in good if _in_time(query, options[i])]
    if timely:
        return max(timely, key=lambda i: _score_beq(query, options[i]))
    return min(good, key=lambda i: _first_s(options[i]), default=None)


def _score_beq(query: Query, option: Option) -> float:
    """Worth beyond the price; as long as no price is known, none is more than free."""
    ahead = option.prospect
    if not query.tree_beq_per_j:
        return -ahead.energy_j
    return ahead.on_time_beq - query.tree_beq_per_j * ahead.energy_j


def _first_s(option: Option) -> float:
    """Time to the first token, the prompt's time on the air included."""
    return option.expected_ttft_s + option.prospect.uplink_s


def _in_time(query: Query, option: Option) -> bool:
    """As `policies.on_time`, with the time on the air at the terminal's rate.

    On a terminal nobody comes in between: there the whole budget counts.
    """
    ahead, first_s = option.prospect, _first_s(option)
    budget_s = query.ttft_budget_s * (1.0 if option.tier == "device" else SAFE_FRAC)
    rest_s = (query.mean_output_tok - 1.0) * ahead.tpot_s
    if not query.streams:
        return first_s + rest_s + ahead.downlink_s <= budget_s
    pace_s = max(ahead.tpot_s, ahead.downlink_s / query.mean_output_tok)
    return first_s <= budget_s and pace_s <= query.tpot_budget_s
