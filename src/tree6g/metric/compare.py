"""Frozen designs side by side: ranked only where they render the same service (METRIC rule 10)."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

from tree6g.errors import LedgerError
from tree6g.ledger.reading import Ledger
from tree6g.metric import robustness
from tree6g.metric.delay import PACKET, Delay, Delays, delay_of, delays_of
from tree6g.metric.figure import Figure, Query, ServiceFigure
from tree6g.metric.robustness import BreakEven, WeightShare
from tree6g.metric.tree import figure

SERVED_SHARE_LIMIT = 0.01
OFFERED_LIMIT = 0.01


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Designs with their figures and what can be said of their order.

    Attributes:
        figures: Figure of each design.
        same_service: Whether every service is served to the same share in every design.
        reasons: Why the designs are not ranked, empty if they are.
        ee_order: Designs from highest to lowest EE, None if not ranked.
        tree_order: Designs from highest to lowest TREE, None if not ranked.
        break_even: Where the order of two designs changes, per pair and AI service.
        opposite: Per pair and AI service the worth of a token for which TREE and EE rank the two in
            opposite order: (a, b, service, from, to), `to` None without bound; none if nowhere.
        weight_share: Share of the weights on which each design wins, per AI service.
        delays: Waiting times of each design: what it makes its users pay in latency.
    """

    figures: Mapping[str, Figure]
    same_service: bool
    reasons: tuple[str, ...]
    ee_order: tuple[str, ...] | None
    tree_order: tuple[str, ...] | None
    break_even: tuple[BreakEven, ...]
    opposite: tuple[tuple[str, str, str, float, float | None], ...]
    weight_share: tuple[WeightShare, ...]
    delays: Mapping[str, Delays] = dataclasses.field(default_factory=dict)

    def waits(self, design: str, service: ServiceFigure) -> dict[str, Delay]:
        """Packet delay of a service in a design, and of AI services the time to first token.

        Keys are `packet_delay` and `ttft`.
        """
        known = self.delays.get(design, {})
        ttft = delay_of(known, service.name, "ttft")
        if service.kind != "ai" and not ttft.count:
            why = "the service has no tokens"
            ttft = dataclasses.replace(ttft, reasons=dict.fromkeys(ttft.reasons, why))
        return {"packet_delay": delay_of(known, service.name, PACKET), "ttft": ttft}

    def to_dict(self) -> dict[str, Any]:
        """Plain data with the keys of the command's `--json`."""
        return {
            "designs": [self._design(name, f) for name, f in self.figures.items()],
            "same_service": self.same_service,
            "reasons": list(self.reasons),
            "ee_order": _listed(self.ee_order),
            "tree_order": _listed(self.tree_order),
            "break_even": [dataclasses.asdict(b) for b in self.break_even],
            "opposite_order": [
                {"a": a, "b": b, "service": s, "from_bit_per_tok": low, "to_bit_per_tok": high}
                for a, b, s, low, high in self.opposite
            ],
            "weight_share": [dataclasses.asdict(w) for w in self.weight_share],
        }

    def _design(self, name: str, f: Figure) -> dict[str, Any]:
        return {
            "name": name,
            **{field: getattr(f, field) for field in _TOTALS},
            "services": [
                {field: getattr(s, field) for field in _SHARES} | _paid(self.waits(name, s))
                for s in f.services
            ],
        }


def compare(ledgers: Mapping[str, Ledger], query: Query | None = None) -> Comparison:
    """Compare frozen designs over the same offered load.

    Args:
        ledgers: Ledger per design, at least two.
        query: As in `figure`, the same for all.

    Raises:
        LedgerError: Fewer than two designs.
    """
    if len(ledgers) < 2:
        raise LedgerError("a comparison needs at least two designs.")
    asked = query or Query()
    figures = {name: figure(ledger, asked) for name, ledger in ledgers.items()}
    unlike = _unlike(figures)
    served = _not_the_same_service(figures)
    ranked = not unlike and not served
    breaks, opposite, shares = _weights(figures) if not unlike else ((), (), ())
    return Comparison(
        figures=figures,
        same_service=not served,
        reasons=(*unlike, *served),
        ee_order=_order(figures, "ee_bit_per_j") if ranked else None,
        tree_order=_order(figures, "tree_beq_per_j") if ranked else None,
        break_even=breaks,
        opposite=opposite,
        weight_share=shares,
        delays={
            name: delays_of(ledger, (figures[name].t0_s, figures[name].t1_s))
            for name, ledger in ledgers.items()
        },
    )


def _unlike(figures: Mapping[str, Figure]) -> tuple[str, ...]:
    """Why the figures are not of one kind."""
    reasons = []
    for field, text in (
        ("boundary", "mixed boundaries"),
        ("profile_set", "different profiles or weights (profile sets)"),
        ("rule", "different attribution rules"),
    ):
        values = {str(getattr(f, field)) for f in figures.values()}
        if len(values) > 1:
            reasons.append(f"{text}: {', '.join(sorted(values))}")
    for name, f in figures.items():
        if f.tree_beq_per_j is None:
            reasons.append(f"design '{name}' has no TREE: {f.reasons['tree_beq_per_j']}")
    names = {tuple(sorted(s.name for s in f.services)) for f in figures.values()}
    if len(names) > 1:
        reasons.append("the designs have different services")
    return tuple(reasons)


def _not_the_same_service(figures: Mapping[str, Figure]) -> tuple[str, ...]:
    """Services whose served share or offered worth differs between designs."""
    reasons = []
    for name in sorted({s.name for f in figures.values() for s in f.services}):
        own = [s for f in figures.values() for s in f.services if s.name == name]
        served = [s.served_share_frac for s in own if s.served_share_frac is not None]
        offered = [s.offered_beq for s in own if s.offered_beq is not None]
        if served and max(served) - min(served) > SERVED_SHARE_LIMIT:
            low, high = min(served), max(served)
            reasons.append(
                f"not the same service: '{name}' is served to {low:.4f} .. {high:.4f} of its worth"
            )
        if offered and max(offered) - min(offered) > OFFERED_LIMIT * max(offered):
            reasons.append(
                f"not the same service: '{name}' was offered work of other worth: other loads, or "
                "models of other quality"
            )
    return tuple(reasons)


def _weights(
    figures: Mapping[str, Figure],
) -> tuple[
    tuple[BreakEven, ...],
    tuple[tuple[str, str, str, float, float | None], ...],
    tuple[WeightShare, ...],
]:
    first = next(iter(figures.values()))
    tokens = [s.name for s in first.services if s.kind == "ai" and s.worth_tok]
    breaks, opposite, shares = [], [], []
    for service in tokens:
        for (a, one), (b, two) in itertools.combinations(figures.items(), 2):
            found = robustness.break_even(one, two, service, names=(a, b))
            breaks.append(found)
            span = _opposite(one, two, found)
            if span is not None:
                opposite.append((a, b, service, *span))
        shares += robustness.win_shares(figures, service)
    return tuple(breaks), tuple(opposite), tuple(shares)


def _opposite(a: Figure, b: Figure, found: BreakEven) -> tuple[float, float | None] | None:
    """Worth of a token for which TREE and EE disagree about two designs."""
    if a.ee_bit_per_j is None or b.ee_bit_per_j is None or a.ee_bit_per_j == b.ee_bit_per_j:
        return None
    by_ee = found.a if a.ee_bit_per_j > b.ee_bit_per_j else found.b
    star = found.alpha_bit_per_tok
    if star is None:
        return None if found.winner_above in {by_ee, None} else (0.0, None)
    return (0.0, star) if found.winner_above == by_ee else (star, None)


def _order(figures: Mapping[str, Figure], field: str) -> tuple[str, ...]:
    return tuple(sorted(figures, key=lambda name: -float(getattr(figures[name], field) or 0.0)))


def _listed(order: tuple[str, ...] | None) -> list[str] | None:
    return None if order is None else list(order)


def _paid(waits: Mapping[str, Delay]) -> dict[str, Any]:
    """Mean and 95th percentile of each wait, and why one is not known."""
    fields = {
        f"{what}_{point}": (delay, point)
        for what, delay in waits.items()
        for point in ("mean_s", "p95_s")
    }
    return {
        **{key: getattr(delay, point) for key, (delay, point) in fields.items()},
        "reasons": {
            key: delay.reasons[point]
            for key, (delay, point) in fields.items()
            if getattr(delay, point) is None
        },
    }


_TOTALS = (
    "tree_beq_per_j", "ee_bit_per_j", "ee_ran_bit_per_j", "energy_j", "utility_beq", "bits_bit",
)  # fmt: skip
_SHARES = (
    "name", "kind", "served_share_frac", "utility_share_frac", "energy_share_frac",
    "bit_share_frac",
)  # fmt: skip
