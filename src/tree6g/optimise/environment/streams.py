"""The services of a scenario as users of an environment see them: rates, sizes, budgets, worth."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tree6g.engine.inference import TEXT_BYTE_PER_TOK
from tree6g.engine.world import Ai, Host, World
from tree6g.errors import ScenarioError
from tree6g.metric.profile import data_profile
from tree6g.metric.utility import marginal_bit_per_tok
from tree6g.optimise.environment.network import Stream
from tree6g.scenario.variants import quality_of
from tree6g.traffic.lengths import RequestPattern, mean_lengths, request_pattern, with_means
from tree6g.traffic.messages import HOUR_S


def patterns(world: World) -> dict[str, RequestPattern]:
    """Lengths of the requests of each AI service."""
    return {
        s.spec.name: with_means(
            request_pattern(s.spec.lengths), s.spec.mean_prompt_tok, s.spec.mean_answer_tok
        )
        for s in world.ai
    }


def stream(world: World, name: str, at: slice, hosts: Mapping[tuple[int, str], Host]) -> Stream:
    """A service by its name, with its places along the axis of users.

    Raises:
        ScenarioError: Utility that is not linear, or tokens without bits.
    """
    for service in world.ai:
        if service.spec.name == name:
            return _ai_stream(world, service, at, hosts[0, name])
    spec = next(source.spec for source in world.sources if source.spec.name == name)
    crowd = world.radio.crowd_of[name]
    per_site = len(crowd) / len(world.sites)
    return Stream(
        name=name,
        ai=False,
        users=at,
        rate_per_s=spec.growth / spec.period_s * spec.sources / per_site,
        periodic=spec.arrival == "periodic",
        message_bit=8.0 * spec.message_byte,
        lengths=None,
        bit_per_tok=1.0,
        wait_s=np.inf if spec.delay_budget_s is None else spec.delay_budget_s,
        token_s=0.0,
        worth_beq_per_bit=spec.weight,
        prompt_beq_per_tok=0.0,
        late_frac=0.0,
        weight=spec.weight,
        profile=data_profile(spec.delay_budget_s),
        slice=spec.slice,
    )


def _ai_stream(world: World, service: Ai, at: slice, host: Host) -> Stream:
    spec, profile = service.spec, service.profile
    if not profile.curve.linear:
        raise ScenarioError(
            f"expected a linear utility for '{spec.name}'; got '{profile.curve.family}', which "
            "rewards of single steps do not add up to. Take another token class or 'utility'."
        )
    lengths = patterns(world)[spec.name]
    size = float(spec.tokens_per_chunk) if service.streams else mean_lengths(lengths)[1]
    people = world.scenario.population
    wait_s = profile.ttft_budget_s if service.streams else profile.deadline_s
    quality = quality_of(spec.quality, host.model)
    worth = spec.weight * quality * float(marginal_bit_per_tok(1.0, profile.curve))
    bit_per_tok = 8.0 * (spec.chunk_byte + (size - 1.0) * TEXT_BYTE_PER_TOK) / size
    if bit_per_tok <= 0.0:
        raise ScenarioError(f"expected chunk_byte above 0 B for '{spec.name}'; got 0 B.")
    return Stream(
        name=spec.name,
        ai=True,
        users=at,
        rate_per_s=people.ai_requests_per_user_hour
        * spec.request_share_frac
        * spec.growth
        / HOUR_S,
        periodic=False,
        message_bit=0.0,
        lengths=lengths,
        bit_per_tok=bit_per_tok,
        wait_s=np.inf if wait_s is None else wait_s,
        token_s=(profile.tpot_budget_s or 0.0) if service.streams else 0.0,
        worth_beq_per_bit=worth * profile.k_out / bit_per_tok,
        prompt_beq_per_tok=worth * profile.k_in,
        late_frac=profile.late_frac,
        weight=spec.weight,
        profile=profile,
        quality_frac=quality,
        model=host.model,
        slice=spec.slice,
        token_class=spec.token_class,
    )
