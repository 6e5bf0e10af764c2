"""Who is served, in the scenario of a plan: services that are refused go, others ask less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tree6g.errors import InfeasibleError


def without_refused(plain: dict[str, Any], share_frac: Mapping[str, float]) -> list[str]:
    """Take services whose share is 0 out of a scenario; returns their names.

    Raises:
        InfeasibleError: None is left.
    """
    gone = [name for name, share in share_frac.items() if share == 0.0]
    plain["services"] = [s for s in plain["services"] if s["name"] not in gone]
    if not plain["services"]:
        raise InfeasibleError(
            "expected a service that is worth its joules; none is. Ask for a least served share."
        )
    return gone


def scale_rates(plain: dict[str, Any], share_frac: Mapping[str, float]) -> None:
    """Requests and messages as the plan serves them; shares of AI requests still sum to 1."""
    if min(share_frac.values(), default=1.0) == 1.0:
        return
    ai = [service for service in plain["services"] if service["kind"] == "ai"]
    for service in plain["services"]:
        share = share_frac.get(service["name"], 1.0)
        if service["kind"] == "data":
            service["growth"] *= share
    asked = [s["request_share_frac"] * share_frac.get(s["name"], 1.0) for s in ai]
    for service, part in zip(ai, asked, strict=True):
        service["request_share_frac"] = part / sum(asked)
    plain["population"]["ai_requests_per_user_hour"] *= sum(asked) if ai else 0.0
