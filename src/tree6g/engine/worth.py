"""What the tokens of an AI service are worth in a run, and by when they are due."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Final

from tree6g.compute.model.catalogue import tokens_per_result
from tree6g.engine.world import Ai, World
from tree6g.metric.profile import Profile, class_profile
from tree6g.metric.utility import Curve, utility_bps
from tree6g.scenario.model import AiService, DataService
from tree6g.scenario.utility import Utility
from tree6g.scenario.variants import model_of, quality_of

SIGN: Final[Mapping[str, float]] = {"bit_ul": 1.0, "bit_dl": 1.0, "bit_late": -1.0}


def profile_of(spec: AiService) -> Profile:
    """The profile of a service: that of its token class, but for what the scenario says."""
    known = class_profile(spec.token_class, spec.alpha_bit_per_tok)
    stated = [name for name in ("utility", "k_in") if getattr(spec, name) is not None]
    if not stated:
        return known
    k_in = known.k_in if spec.k_in is None else spec.k_in
    source = f"{known.source}; {' and '.join(stated)}: {spec.profile or 'the scenario'}"
    changed = dataclasses.replace(known, k_in=k_in, source=source)
    return changed if spec.utility is None else _shaped(changed, spec.utility)


def _shaped(profile: Profile, said: Utility) -> Profile:
    """A profile with another utility at the same worth of a token."""
    curve = Curve(
        family=said.family,
        alpha_bit_per_tok=profile.curve.alpha_bit_per_tok,
        t0_tps=said.t0_tps,
        order=said.order,
        knots=tuple((knot.rate_tps, knot.worth_tps) for knot in said.knots),
    )
    return dataclasses.replace(
        profile,
        curve=curve,
        unit=said.unit or profile.unit,
        interval_s=said.interval_s or profile.interval_s,
    )


def token_beq(service: Ai, mean_output_tok: float) -> float:
    """Worth w U/T of an output token, as schedulers count it, in bit-equivalents.

    w alpha of a linear utility. Of any other, that of an answer of mean length which comes just on
    time and has its utility unit for itself: T is its tokens over the time that the budgets leave,
    or over the averaging interval if that is longer. A schedule sees messages and iterations; what
    the sessions of an interval make together is known when it is over.
    """
    curve, w = service.profile.curve, service.spec.weight
    if curve.linear:
        return w * curve.alpha_bit_per_tok
    late_s = first_s(service) + (mean_output_tok - 1.0) * next_s(service)
    span_s = max(service.profile.interval_s, late_s if math.isfinite(late_s) else 0.0)
    rate_tps = mean_output_tok / span_s
    return w * float(utility_bps(rate_tps, curve)) / rate_tps


def first_s(service: Ai) -> float:
    """Budget of the first token, or of the whole answer."""
    profile = service.profile
    return float(profile.deadline_s or profile.ttft_budget_s or math.inf)


def next_s(service: Ai) -> float:
    """Budget of each further token; none of its own if the answer comes as a whole."""
    return float(service.profile.tpot_budget_s or 0.0) if service.streams else 0.0


def note(world: World) -> None:
    """Take the sums of an interval that ends now into the price of a joule."""
    price, weights = world.price, _weights(world)
    ai = {service.spec.name: service for service in world.ai}
    worth_beq = {name: token_beq(one, world.mean_output_tok[name]) for name, one in ai.items()}
    for (node, *_), joules in world.book.energy.items():
        if node in price.inside:
            price.spent_j += joules
    for (_, service, model, kind), work in world.book.work.items():
        if service in ai:
            price.earned_beq += work.amount * worth_beq[service] * _counts(ai[service], model, kind)
        else:
            price.earned_beq += work.amount * weights.get(service, 0.0) * SIGN.get(kind, 0.0)


def _weights(world: World) -> dict[str, float]:
    """Weights of data services."""
    return {s.name: s.weight for s in world.scenario.services if isinstance(s, DataService)}


def _counts(service: Ai, model: str | None, kind: str) -> float:
    """Effective tokens of one of a kind; late ones take back what they were counted for."""
    profile, spec = service.profile, service.spec
    lost = 1.0 - profile.late_frac
    k = {
        "token_in": profile.k_in,
        "token_in_late": -lost * profile.k_in,
        "token_out": profile.k_out,
        "token_late": -lost * profile.k_out,
    }.get(kind, 0.0)
    if not k or model is None:
        return 0.0
    result = tokens_per_result(model_of(model)) or 1.0
    return k * quality_of(spec.quality, model) * result
