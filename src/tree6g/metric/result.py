"""A figure as plain data under keys that carry their unit, as `--json` and sweeps write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tree6g.metric.figure import Figure, ServiceFigure

SERVICE_KEYS: Final = (
    "name", "kind", "profile", "weight", "k_in", "bit_share_frac", "energy_share_frac",
    "utility_share_frac", "served_share_frac", "asymmetry", "tree_beq_per_j",
    "tree_marginal_beq_per_j", "ee_bit_per_j", "j_per_tok", "utility_beq", "energy_j", "bits_bit",
    "tokens_in_tok", "tokens_out_tok", "tokens_late_tok",
)  # fmt: skip


def figure_result(figure: Figure) -> dict[str, Any]:
    """A figure with everything that it has to come with."""
    return {
        "tree_beq_per_j": figure.tree_beq_per_j,
        "ee_bit_per_j": figure.ee_bit_per_j,
        "ee_ran_bit_per_j": figure.ee_ran_bit_per_j,
        "tok_per_j": figure.tok_per_j,
        "j_per_tok": figure.j_per_tok,
        "j_per_bit": figure.j_per_bit,
        "energy_j": figure.energy_j,
        "utility_beq": figure.utility_beq,
        "bits_bit": figure.bits_bit,
        "tokens_out_tok": figure.tokens_out_tok,
        "services": [_service(service) for service in figure.services],
        "unattributed_j": dict(figure.unattributed_j),
        "boundary": figure.boundary,
        "inside": list(figure.inside),
        "outside": list(figure.outside),
        "attribution_rule": figure.rule,
        "idle_rule": figure.idle,
        "profile_set": figure.profile_set,
        "coverage_frac": figure.coverage_frac,
        "u95_frac": figure.u95_frac,
        "gini": figure.gini,
        "marks": list(figure.marks),
        "reasons": dict(figure.reasons),
    }


def _service(service: ServiceFigure) -> dict[str, Any]:
    body = {key: getattr(service, key) for key in SERVICE_KEYS}
    return body | {"reasons": dict(service.reasons)}
