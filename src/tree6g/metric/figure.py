"""Records of a figure: what is asked (`Query`) and what comes back (`Figure`).

A value that is not defined is None, and `reasons` says why under the name of the field.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Final

from tree6g.errors import LedgerError, nearest
from tree6g.ledger.schema import BOUNDARIES

RULES: Final = ("proportional", "equal", "shapley", "marginal", "data_volume")
IDLE_RULES: Final = ("unattributed", "spread")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """How a figure is to be taken; None takes what the ledger's header says.

    Attributes:
        boundary: `ran`, `network`, `operator` or `full`.
        rule: Attribution of shared energy, one of `RULES`.
        idle: Energy of intervals that nobody used: `unattributed`, or `spread` over the services
            by their demand on the node in the whole ledger.
        weights: Priority weight w by service, in place of the header's.
        alphas: Slope alpha in bit/token by AI service, in place of the profile's.
        t0_s: Start of the window; None: where the rows start.
        t1_s: End of the window; None: where the rows end.
        threads: Threads of the database. With 1 (default) sums are taken in a fixed order, so the
            same ledger gives the same figure to the last bit.
        memory: Memory limit of the database such as `"1GB"`, None for its default.
    """

    boundary: str | None = None
    rule: str | None = None
    idle: str | None = None
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    alphas: Mapping[str, float] = dataclasses.field(default_factory=dict)
    t0_s: float | None = None
    t1_s: float | None = None
    threads: int = 1
    memory: str | None = None

    def __post_init__(self) -> None:
        """Refuse words that no rule has."""
        words = (("boundary", BOUNDARIES), ("rule", RULES), ("idle", IDLE_RULES))
        for field, known in words:
            value = getattr(self, field)
            if value is not None and value not in known:
                raise LedgerError(f"unknown {field} {value!r}. {nearest(str(value), known)}")
        for field in ("t0_s", "t1_s"):
            value = getattr(self, field)
            if value is not None and not math.isfinite(value):
                raise LedgerError(f"{field} of a window must be finite; got {value}.")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigure:
    """One service's part of a figure.

    Attributes:
        name: The service.
        kind: `ai`, `data` or `internal`.
        profile: Id of its utility profile.
        weight: Priority weight w.
        alpha_bit_per_tok: Worth of one effective token; None for services without tokens.
        k_in: Worth of an input token in output tokens; None for services without tokens.
        utility_beq: w U, earned on time, in bit-equivalents; None where it is not linear and the
            sessions are not seen.
        offered_beq: w U had all offered work been delivered on time.
        bits_bit: Delivered bits, on time, both directions, at the user's access.
        tokens_in_tok: Prompt tokens, cached or not.
        tokens_out_tok: Output tokens delivered, late ones included.
        tokens_late_tok: Of these, late ones.
        tokens_effective_tok: Effective tokens of METRIC rule 4, on time.
        worth_tok: w U / alpha, the utility in tokens, so that TREE at another alpha is closed form;
            None for services without tokens.
        requests: Finished requests.
        requests_lost: Requests given up or refused.
        energy_j: Energy attributed under the figure's rule.
        energy_marginal_j: Energy that would not have been spent without the service.
        bit_share_frac: Share of all delivered bits.
        energy_share_frac: Share of all attributed energy.
        utility_share_frac: Share of all utility.
        served_share_frac: utility_beq / offered_beq (METRIC rule 10).
        asymmetry: energy share / utility share.
        tree_beq_per_j: utility_beq / energy_j.
        tree_marginal_beq_per_j: utility_beq / energy_marginal_j.
        ee_bit_per_j: bits_bit / energy_j.
        j_per_tok: energy_j per output token.
        reasons: Why a field is None, by field.
    """

    name: str
    kind: str
    profile: str
    weight: float
    alpha_bit_per_tok: float | None
    k_in: float | None
    utility_beq: float | None
    offered_beq: float | None
    bits_bit: float
    tokens_in_tok: float
    tokens_out_tok: float
    tokens_late_tok: float
    tokens_effective_tok: float
    worth_tok: float | None
    requests: float
    requests_lost: float
    energy_j: float
    energy_marginal_j: float
    bit_share_frac: float | None
    energy_share_frac: float | None
    utility_share_frac: float | None
    served_share_frac: float | None
    asymmetry: float | None
    tree_beq_per_j: float | None
    tree_marginal_beq_per_j: float | None
    ee_bit_per_j: float | None
    j_per_tok: float | None
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """TREE of a ledger with all that a figure must come with.

    Attributes:
        tree_beq_per_j: Utility over energy, METRIC's TREE.
        ee_bit_per_j: Delivered bits over the same energy.
        ee_ran_bit_per_j: The same bits over the energy of the radio access network alone.
        tok_per_j: Output tokens over the same energy.
        j_per_tok: Its inverse.
        j_per_bit: Energy over delivered bits.
        utility_beq: Sum of the services' utility, None if one of them is unknown.
        bits_bit: Sum of the services' bits.
        tokens_out_tok: Sum of the services' output tokens.
        energy_j: All energy inside the boundary in the covered time.
        energy_ran_j: Energy of the tier `ran` and of backhaul nodes that are in boundary `ran`.
        unattributed_j: Energy that no service answers for, by reason.
        t0_s: Start of the window.
        t1_s: End of the window.
        covered_s: Time in the window that every source covered.
        coverage_frac: covered_s over the window.
        boundary: Name of the boundary.
        inside: Nodes inside it.
        outside: Nodes of the ledger outside it.
        rule: Attribution rule.
        idle: Idle rule.
        attribution_interval_s: Grid of the attribution.
        profile_set: Hash of all profiles and weights; figures of different sets do not compare.
        marks: `estimated` (sessions not seen one by one), `bound` (rows longer than the averaging
            interval of a non-linear utility).
        u95_frac: Half width of the 95 % interval of TREE over TREE, None if unknown.
        u95_unknown_frac: Share of the joules whose uncertainty is unknown.
        gini: Gini coefficient of energy over utility.
        services: The services, AI first, in the order of the header.
        conservation_error_frac: |attributed + unattributed - metered| / metered.
        reasons: Why a field is None, by field.
    """

    tree_beq_per_j: float | None
    ee_bit_per_j: float | None
    ee_ran_bit_per_j: float | None
    tok_per_j: float | None
    j_per_tok: float | None
    j_per_bit: float | None
    utility_beq: float | None
    bits_bit: float
    tokens_out_tok: float
    energy_j: float
    energy_ran_j: float
    unattributed_j: Mapping[str, float]
    t0_s: float
    t1_s: float
    covered_s: float
    coverage_frac: float | None
    boundary: str
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    rule: str
    idle: str
    attribution_interval_s: float
    profile_set: str
    marks: tuple[str, ...]
    u95_frac: float | None
    u95_unknown_frac: float | None
    gini: float | None
    services: tuple[ServiceFigure, ...]
    conservation_error_frac: float
    reasons: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def service(self, name: str) -> ServiceFigure:
        """The part of one service.

        Raises:
            LedgerError: The ledger has no such service.
        """
        by_name = {s.name: s for s in self.services}
        if name not in by_name:
            raise LedgerError(f"expected a service; got {name!r}. {nearest(name, by_name)}")
        return by_name[name]

    def utility_of(self, name: str) -> float:
        """Utility of one service in bit-equivalents, for arithmetic that needs it.

        Raises:
            LedgerError: No such service, or its utility is unknown.
        """
        own = self.service(name)
        if own.utility_beq is None:
            raise LedgerError(f"the utility is unknown: {own.reasons['utility_beq']}.")
        return own.utility_beq

    def to_dict(self) -> dict[str, Any]:
        """The figure as plain data, ready for JSON."""
        return dataclasses.asdict(self)
