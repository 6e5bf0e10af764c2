"""What the tokens of an AI service are worth in a run, and by when they are due."""

from __future__ import annotations

import dataclasses
import math

from tree6g.engine.world import Ai
from tree6g.metric.profile import Profile, class_profile
from tree6g.metric.utility import Curve, utility_bps
from tree6g.scenario.model import AiService
from tree6g.scenario.utility import Utility


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
