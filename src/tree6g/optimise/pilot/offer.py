"""What a server would earn with a request: worth on time, and joules.

Worth w q (k_in n_in + k_out n_out) alpha as the metric counts it, times the probability that the
request meets its budgets, plus `late_frac` of it otherwise. Errors of the expected times are taken
as normal and independent. Where U is concave, the slope at the request's own rate n_eff / interval
counts, which is exact for a user with one request per interval.
"""

from __future__ import annotations

import dataclasses
import math

from tree6g.metric.profile import Profile, Service
from tree6g.metric.utility import utility_bps
from tree6g.metric.value import factor
from tree6g.optimise.pilot.speed import Waits


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One server's expectation of a request.

    Attributes:
        server: Its name.
        utility_beq: w U.
        energy_j: Joules beyond what is drawn anyway.
        fits: Whether the expected times are within the budgets.
        busy: Requests that it has already.
        waits: Expected times.
    """

    server: str
    utility_beq: float
    energy_j: float
    fits: bool
    busy: int
    waits: Waits

    def gain_beq(self, price_beq_per_j: float) -> float:
        """Utility less what the energy is worth: w U - price E."""
        return self.utility_beq - price_beq_per_j * self.energy_j


def worth_beq(service: Service, model: str, prompt_tok: float, output_tok: float) -> float:
    """Utility w U of a request whose tokens are all on time."""
    effective = (
        factor(service, "token_in", model).effective * prompt_tok
        + factor(service, "token_out", model).effective * output_tok
    )
    profile = service.profile
    if profile.curve.linear:
        return service.weight * profile.curve.alpha_bit_per_tok * effective
    rate_tps = effective / profile.interval_s
    return service.weight * float(utility_bps(rate_tps, profile.curve)) * profile.interval_s


def on_time_frac(profile: Profile, waits: Waits) -> float:
    """Probability that a request meets all of its budgets."""
    found = 1.0
    for budget_s, wait_s, sd_s in _limits(profile, waits):
        found *= _below(budget_s, wait_s, sd_s)
    return found


def fits(profile: Profile, waits: Waits) -> bool:
    """Whether the expected times are within the budgets."""
    return all(wait_s <= budget_s for budget_s, wait_s, _ in _limits(profile, waits))


def expected_beq(
    service: Service, model: str, prompt_tok: float, output_tok: float, waits: Waits
) -> float:
    """Expected w U of a request, part of it late."""
    share = on_time_frac(service.profile, waits)
    late = service.profile.late_frac
    return worth_beq(service, model, prompt_tok, output_tok) * (share + (1.0 - share) * late)


def _limits(profile: Profile, waits: Waits) -> list[tuple[float, float, float]]:
    """Budget, expected time and its deviation, of every budget that the profile has."""
    pairs = (
        (profile.ttft_budget_s, waits.ttft_s, waits.ttft_sd_s),
        (profile.tpot_budget_s, waits.tpot_s, waits.tpot_sd_s),
        (profile.deadline_s, waits.e2e_s, waits.e2e_sd_s),
    )
    return [(budget_s, wait_s, sd_s) for budget_s, wait_s, sd_s in pairs if budget_s is not None]


def _below(limit_s: float, mean_s: float, sd_s: float) -> float:
    if sd_s <= 0.0:
        return 1.0 if mean_s <= limit_s else 0.0
    return 0.5 * math.erfc((mean_s - limit_s) / (sd_s * math.sqrt(2.0)))
