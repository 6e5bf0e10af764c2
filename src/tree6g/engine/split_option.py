"""A shared model as one of the options of a dispatch policy.

What it is expected to take is what the cut policy is told when an answer begins: the layers of both
sides, the tensors over the link as it is in this step. An answer waits for those of its terminal
that are there before it, each for a mean answer's time.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from tree6g.engine import prospects, splitting
from tree6g.engine.crowd import UP
from tree6g.engine.policies import Option, Prospect
from tree6g.engine.policies.cut import CutQuery
from tree6g.engine.split_answers import Shared, asked, way_of
from tree6g.engine.split_costs import Loop, Way
from tree6g.engine.world import Tick, World
from tree6g.scenario.variants import quality_of


def option(world: World, one: Shared, request: int, tick: Tick) -> Option:
    """A shared model as a policy sees it."""
    terminal = int(world.terminal_of(request))
    way = way_of(world, one, terminal, tick)
    sequences = splitting.sequences_of(one)
    prompt_tok = int(world.requests.prompt_tok[request])
    output_tok = world.mean_output_tok[one.service.spec.name]
    loops = (
        one.costs.prompt(prompt_tok, sequences),
        one.costs.token(prompt_tok + 0.5 * output_tok, sequences),
    )
    cut = _cut(one, loops, way, prompt_tok, output_tok)
    first_s, token_s = (float(loop.time_s(way)[cut]) for loop in loops)
    ahead = len(one.waiting.get(terminal, ())) + (terminal in one.running)
    ttft_s = ahead * (first_s + (output_tok - 1.0) * token_s) + first_s

    @cache
    def foresee() -> Prospect:
        """The prospect, worked out once."""
        return _prospect(world, one, request, loops, way, cut, ttft_s)

    return Option(
        node=one.host.node,
        tier="split",
        latency_s=way.up_s,
        expected_ttft_s=ttft_s,
        running=int(terminal in one.running),
        queued=len(one.waiting.get(terminal, ())),
        model=one.host.model,
        quality_frac=quality_of(one.service.spec.quality, one.host.model),
        foresee=foresee,
    )


def _cut(
    one: Shared, loops: tuple[Loop, Loop], way: Way, prompt_tok: int, output_tok: float
) -> int:
    """The cut with which a mean answer would begin."""
    if one.policy is None:
        assert isinstance(one.split.cut, int)  # noqa: S101 - no policy means a number
        return one.split.cut
    profile, none = one.service.profile, np.zeros(one.costs.layers + 1)
    first_s = math.inf if profile.ttft_budget_s is None else profile.ttft_budget_s
    paced_s = first_s + (output_tok - 1.0) * (profile.tpot_budget_s or math.inf)
    query = CutQuery(
        cut=None,
        prompting=True,
        now_s=loops[0].time_s(way),
        now_j=loops[0].energy_j(way),
        token_s=loops[1].time_s(way),
        token_j=loops[1].energy_j(way),
        move_s=none,
        move_j=none,
        rest_tok=output_tok - 1.0,
        first_left_s=first_s,
        last_left_s=paced_s if profile.deadline_s is None else profile.deadline_s,
        allowed=one.costs.allowed(prompt_tok, max(1, round(output_tok))),
    )
    return asked(one, query)


def _prospect(
    world: World,
    one: Shared,
    request: int,
    loops: tuple[Loop, Loop],
    way: Way,
    cut: int,
    ttft_s: float,
) -> Prospect:
    """Joules and worth of a mean answer at a cut."""
    output_tok = world.mean_output_tok[one.service.spec.name]
    times = (1.0, output_tok - 1.0)

    def total(joules: tuple[float, float]) -> float:
        """Prompt and further tokens together."""
        return sum(n * j for n, j in zip(times, joules, strict=True))

    def each(name: str) -> tuple[float, float]:
        """Values at the cut: with the prompt, and of a further token."""
        return float(getattr(loops[0], name)[cut]), float(getattr(loops[1], name)[cut])

    up_bit, down_bit = 8.0 * total(each("up_byte")), 8.0 * total(each("down_byte"))
    cell = world.cells[int(world.cell_of(request))]
    sender_w = world.scenario.population.terminal.anchor_power_w
    terminal_j = up_bit * cell.carrier(UP).time_frac * sender_w / way.air_bps
    air_j = up_bit * way.air_w / way.air_bps + down_bit * way.down_air_w / way.down_bps
    tpot_s = float(loops[1].time_s(way)[cut])
    whole, on_time = prospects.worths(
        one.service, one.host.model, prompt_tok=int(world.requests.prompt_tok[request]),
        output_tok=output_tok, ttft_s=ttft_s, tpot_s=tpot_s,
    )  # fmt: skip
    return Prospect(
        tpot_s=tpot_s,
        compute_j=total(each("device_j")) + one.host.pue * total(each("server_j")),
        radio_j=air_j - terminal_j,
        terminal_j=terminal_j,
        link_j=way.j_per_bit * (up_bit + down_bit),
        worth_beq=whole,
        on_time_beq=on_time,
        parameters=prospects.parameters(one.host.model),
    )
