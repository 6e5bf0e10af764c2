"""A figure at other weights without asking the ledger again: TREE is linear in w and in alpha.

Every utility is w alpha u(T) with u of the profile alone, so utility at other weights is a scaled
one. `plain` asks at w = 1 and alpha = 1, where no weight of 0 has hidden anything.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tree6g.metric import part
from tree6g.metric.asymmetry import gini
from tree6g.metric.figure import Figure, Query, ServiceFigure
from tree6g.metric.part import ratio
from tree6g.metric.profile import Service, profile_set

NOT_REWEIGHED = "the interval is not worked out for changed weights; take the figure itself"


def plain(query: Query, services: Mapping[str, Service]) -> Query:
    """The query with w = 1 for every service and alpha = 1 for those with tokens."""
    ones = {name: 1.0 for name, s in services.items() if s.kind == "ai"}
    return dataclasses.replace(query, weights=dict.fromkeys(services, 1.0), alphas=ones)


def scale(service: Service) -> float:
    """Utility of a service over its utility at w = 1 and alpha = 1."""
    curve = service.profile.curve
    return service.weight * (curve.alpha_bit_per_tok if service.kind == "ai" else 1.0)


def reweighed(figure: Figure, services: Mapping[str, Service]) -> Figure:
    """The figure of a `plain` query at the weights and slopes of `services`.

    All fields are those of a figure taken with these weights, to rounding, but for `u95_frac`,
    which is None.

    Args:
        figure: Figure of `plain(query, services)`.
        services: Services of the ledger with the weights asked for (`profile.reweighted`).
    """
    every = {s.name: _sums(s, scale(services[s.name])) for s in figure.services}
    unseen = [s.name for s in figure.services if s.utility_beq is None]
    own = tuple(_service(s, services[s.name], every, unseen) for s in figure.services)
    utility_beq = None if unseen else sum(sums["utility_beq"] for sums in every.values())
    reasons = dict(figure.reasons)
    tree = None
    if "tree_beq_per_j" not in reasons:
        tree = ratio(utility_beq, figure.energy_j)
        if tree is None:
            reasons["tree_beq_per_j"] = part.TOO_LARGE
    reasons["u95_frac"] = reasons.get("tree_beq_per_j", NOT_REWEIGHED)
    shares = [(s.energy_share_frac, s.utility_share_frac) for s in own]
    known = [(e, u) for e, u in shares if e is not None and u is not None]
    spread = gini(known) if any(u for _, u in known) else None
    reasons.pop("gini", None)
    if spread is None:
        reasons["gini"] = reasons.get("tree_beq_per_j", part.NO_GINI)
    return dataclasses.replace(
        figure,
        tree_beq_per_j=tree,
        utility_beq=utility_beq,
        services=own,
        u95_frac=None,
        gini=spread,
        profile_set=profile_set(services.values()),
        reasons=reasons,
    )


def _sums(service: ServiceFigure, factor: float) -> dict[str, float]:
    """The sums that a service's figure was made of, utility at other weights."""
    return {
        "utility_beq": factor * (service.utility_beq or 0.0),
        "offered_beq": factor * (service.offered_beq or 0.0),
        "bits_bit": service.bits_bit,
        "effective_tok": service.tokens_effective_tok,
        "in_tok": service.tokens_in_tok,
        "out_tok": service.tokens_out_tok,
        "late_tok": service.tokens_late_tok,
        "request": service.requests,
        "request_lost": service.requests_lost,
        "energy_j": service.energy_j,
    }


def _service(
    old: ServiceFigure, service: Service, every: Mapping[str, part.Sums], unseen: list[str]
) -> ServiceFigure:
    # What lost requests were worth is in `offered_beq` already.
    sums = {name: {**s, "lost": 1.0} for name, s in every.items()}
    return part.service_figure(service, sums, old.energy_marginal_j, unseen, [])
