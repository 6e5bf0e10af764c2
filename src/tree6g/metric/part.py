"""One service's part of a figure, and the ratios that all figures are made of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tree6g.metric.figure import ServiceFigure
from tree6g.metric.profile import Service

SUMS = (
    "utility_beq", "offered_beq", "bits_bit", "effective_tok", "in_tok", "out_tok", "late_tok",
    "request", "request_lost", "lost", "energy_j",
)  # fmt: skip
Sums = Mapping[str, float]
TOO_LARGE = "the ratio is too large for a number"
NO_GINI = "no utility was earned, or no energy is attributed to any service"


def ratio(over: float | None, under: float | None) -> float | None:
    """A quotient, None where it is undefined, unknown or too large for a number."""
    if over is None or under is None or not under > 0:
        return None
    value = over / under
    return value if math.isfinite(value) else None


def unseen_reason(service: str) -> str:
    """Why the utility of a service is unknown."""
    return f"sessions of service '{service}' are not seen, and its utility is not linear"


def service_figure(
    service: Service,
    every: Mapping[str, Sums],
    marginal_j: float,
    unseen: Sequence[str],
    marks: list[str],
) -> ServiceFigure:
    """The part of one service.

    Args:
        service: The service.
        every: Sums of every service that has any.
        marginal_j: Energy that would not be spent without it.
        unseen: Services whose utility is unknown; shares of utility are then unknown for all.
        marks: Marks of the figure; gains `estimated` where lost work is known only by number.
    """
    sums = every.get(service.name) or dict.fromkeys(SUMS, 0.0)
    totals = {c: math.fsum(s[c] for s in every.values()) for c in SUMS}
    offered = sums["offered_beq"]
    if sums["request_lost"] > 0 and sums["request"] > 0 and not sums["lost"]:
        # Only the number of lost requests is known: they are taken as large as the finished ones.
        offered *= 1.0 + sums["request_lost"] / sums["request"]
        marks.append("estimated")
    own = None if service.name in unseen else sums["utility_beq"]
    all_ = None if unseen else totals["utility_beq"]
    possible = None if service.name in unseen else offered
    values = _ratios(sums, totals, (own, all_, possible), marginal_j)
    tokens = service.kind == "ai"
    return ServiceFigure(
        name=service.name,
        kind=service.kind,
        profile=service.profile.id,
        weight=service.weight,
        alpha_bit_per_tok=service.profile.curve.alpha_bit_per_tok if tokens else None,
        k_in=service.profile.k_in if tokens else None,
        bits_bit=sums["bits_bit"],
        tokens_in_tok=sums["in_tok"],
        tokens_out_tok=sums["out_tok"],
        tokens_late_tok=sums["late_tok"],
        tokens_effective_tok=sums["effective_tok"],
        worth_tok=_worth_tok(service, sums, own) if tokens else None,
        requests=sums["request"],
        requests_lost=sums["request_lost"],
        energy_j=sums["energy_j"],
        energy_marginal_j=marginal_j,
        reasons=_reasons(values, service, unseen),
        **values,
    )


def _ratios(
    sums: Sums,
    totals: Sums,
    utility: tuple[float | None, float | None, float | None],
    marginal_j: float,
) -> dict[str, float | None]:
    own, all_, offered = utility
    energy_share = ratio(sums["energy_j"], totals["energy_j"])
    utility_share = ratio(own, all_)
    return {
        "utility_beq": own,
        "offered_beq": offered,
        "bit_share_frac": ratio(sums["bits_bit"], totals["bits_bit"]),
        "energy_share_frac": energy_share,
        "utility_share_frac": utility_share,
        "served_share_frac": ratio(own, offered),
        "asymmetry": ratio(energy_share, utility_share),
        "tree_beq_per_j": ratio(own, sums["energy_j"]),
        "tree_marginal_beq_per_j": ratio(own, marginal_j),
        "ee_bit_per_j": ratio(sums["bits_bit"], sums["energy_j"]),
        "j_per_tok": ratio(sums["energy_j"], sums["out_tok"]),
    }


def _reasons(
    values: Mapping[str, float | None], service: Service, unseen: Sequence[str]
) -> dict[str, str]:
    why = dict(_WHY)
    if unseen:
        why |= dict.fromkeys(("utility_share_frac", "asymmetry"), unseen_reason(unseen[0]))
    if service.name in unseen:
        why |= dict.fromkeys(_OF_UTILITY, unseen_reason(service.name))
    return {name: why[name] for name, value in values.items() if value is None}


def _worth_tok(service: Service, sums: Sums, utility: float | None) -> float | None:
    """Utility in tokens, w U / alpha; of linear profiles also where alpha is 0."""
    curve = service.profile.curve
    if curve.linear:
        return service.weight * sums["effective_tok"]
    return ratio(utility, curve.alpha_bit_per_tok)


_OF_UTILITY = (
    "utility_beq", "offered_beq", "utility_share_frac", "served_share_frac", "asymmetry",
    "tree_beq_per_j", "tree_marginal_beq_per_j",
)  # fmt: skip
_WHY = {
    "bit_share_frac": "no bits were delivered",
    "energy_share_frac": "no energy is attributed to any service",
    "utility_share_frac": "no utility was earned",
    "served_share_frac": "the service was offered no work, or none of any worth",
    "asymmetry": "the service earned no utility: its energy is energy without value",
    "tree_beq_per_j": "no energy is attributed to the service",
    "tree_marginal_beq_per_j": "no energy depends on the service alone",
    "ee_bit_per_j": "no energy is attributed to the service",
    "j_per_tok": "the service delivered no tokens",
}
