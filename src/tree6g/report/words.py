"""Sentences of a report, built from figures. All of them are plain text, escaped where used."""

from __future__ import annotations

from typing import Final

from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.report import numerals
from tree6g.report.numerals import percent, quantity
from tree6g.report.tables import Missing
from tree6g.report.weight import PER_TOKEN, TokenWeight

BOUNDARY: Final = {
    "ran": "the radio access network alone: base stations, site equipment and backhaul",
    "network": "the radio access network, transport and core; no computing, no terminals",
    "operator": "the network and the operator's own edge and cloud computers, with cooling and "
    "power supply; no terminals, no rented cloud",
    "full": "the network, the operator's and rented computers, and the users' terminals",
}
RULE: Final = {
    "proportional": "Work that one service caused is its own. Idle energy of a shared machine is "
    "split in each interval by how much each service used it: time on the carrier for the radio, "
    "bits for transport, calibrated computing time for accelerators.",
    "equal": "Work that one service caused is its own. Idle energy of a shared machine is split "
    "in equal parts among the services that used it in the interval.",
    "shapley": "Work that one service caused is its own. Idle energy of a shared machine is split "
    "by the Shapley value: each service's average extra cost over all orders of arrival.",
    "marginal": "Each service answers only for the energy that would not have been spent without "
    "it; idle energy of shared machines stays with no service.",
    "data_volume": "Radio and user-plane energy is split by data volume alone, after the "
    "informative annex of TS 23.501; AI's share of the radio equals its share of the bits.",
}
IDLE: Final = {
    "unattributed": "Energy of machines in intervals that nobody used stays with no service.",
    "spread": "Energy of machines in intervals that nobody used is spread over the services by "
    "their use of the machine over the whole time.",
}
TREE_IS: Final = (
    "what all services are worth, per joule: each bit counts as one, each token as its stated "
    "worth in bits, and only what arrives on time counts"
)
EE_IS: Final = (
    "delivered bits per joule over the same machines; it cannot see what a token is worth"
)
EE_RAN_IS: Final = (
    "the same bits over the radio access network's energy alone, as ETSI ES 203 228 counts"
)
ASYMMETRY_NOTE: Final = (
    "Asymmetry is the share of the energy over the share of the value: above 1, a service takes "
    "more than it brings. That does not mean TREE would rise without it. TREE rises without a "
    "service only if its marginal TREE (its value over the energy that would not have been spent "
    "without it) is below the TREE of the whole."
)
AT_LEAST_ENERGY: Final = 0.30
AT_MOST_BITS: Final = 0.02


def headline(figure: Figure) -> str:
    """The one sentence that a lay reader takes away."""
    ai = [s for s in figure.services if s.kind == "ai"]
    if figure.tree_beq_per_j is None:
        why = figure.reasons.get("tree_beq_per_j", "unknown reason")
        return f"What this network is worth per joule is not defined: {why}."
    if not ai:
        return "No AI service runs here, so what a joule earns is plain bits per joule: TREE is EE."
    who = _subject(ai)
    shares = [_total(ai, f) for f in ("bit_share_frac", "energy_share_frac", "utility_share_frac")]
    said = [
        f"{verb} {percent(share)} of {what}"
        for share, verb, what in zip(shares, _verbs(len(ai)), _OF, strict=True)
        if share is not None
    ]
    if not said:
        return f"Of {who}, no share of bits, energy or value is defined."
    return f"{who[0].upper()}{who[1:]} {numerals.listing(said)}."


_OF: Final = ("the bits", "the energy that services answer for", "the value")


def second_sentence(figure: Figure) -> str:
    """What bits per joule says about the same network, and why that misleads or not."""
    tree, ee = figure.tree_beq_per_j, figure.ee_bit_per_j
    ai = [s for s in figure.services if s.kind == "ai"]
    if tree is None or ee is None or ee == 0 or not ai:
        return ""
    bits, energy = _total(ai, "bit_share_frac"), _total(ai, "energy_share_frac")
    said = (
        f"Counted by what arrives on time and what it is worth, a joule brings {_ratio(tree / ee)} "
    )
    said += "what bits per joule says."
    if bits is not None and energy is not None and bits < 0.1 and energy > 3 * bits:
        said += " Bits per joule hardly sees the service that causes this much of the energy."
    return said


def marginal_sentence(service: ServiceFigure, figure: Figure) -> str:
    """Whether TREE would rise without a service."""
    marginal, tree = service.tree_marginal_beq_per_j, figure.tree_beq_per_j
    if marginal is None or tree is None:
        why = service.reasons.get("tree_marginal_beq_per_j", "not defined")
        return f"{service.name}: whether TREE would rise without it is not known ({why})."
    verdict = "would rise" if marginal < tree else "would fall"
    return (
        f"{service.name}: TREE {verdict} without it (its marginal TREE is "
        f"{quantity(marginal, 'beq_per_j')}, the whole has {quantity(tree, 'beq_per_j')})."
    )


def weight_sentences(curve: TokenWeight | Missing) -> list[str]:
    """From which worth of a token on AI earns its energy, and where TREE meets EE."""
    if isinstance(curve, Missing):
        return [f"There is no curve over the token weight: {curve.reason}."]
    shares, ee = curve.equal_shares(), curve.equal_ee()
    return [
        f"In this report {_worth(curve.stated, curve)}.",
        f"The AI services' share of the value does not meet their share of the energy: "
        f"{shares.reason}."
        if isinstance(shares, Missing)
        else f"If {_worth(shares, curve)} or more, the AI services bring at least the share of the "
        f"value that they take of the energy.",
        f"{ee.reason[0].upper()}{ee.reason[1:]}."
        if isinstance(ee, Missing)
        else f"TREE is above EE if {_worth(ee, curve)} or more.",
    ]


def uncertainty_sentence(figure: Figure) -> str:
    """The interval of TREE, or the share of the joules that nobody gave an uncertainty for."""
    unknown = figure.u95_unknown_frac
    if figure.u95_frac is not None and figure.tree_beq_per_j is not None:
        half = figure.u95_frac * figure.tree_beq_per_j
        return (
            f"TREE is {quantity(figure.tree_beq_per_j, 'beq_per_j')} \u00b1 "
            f"{percent(figure.u95_frac)} (95 % interval, \u00b1 {quantity(half, 'beq_per_j')}). "
            "Rows of one source share their error; different sources are independent."
        )
    if unknown is None:
        return "No energy, so no uncertainty of energy."
    return (
        f"No interval is given: for {percent(unknown)} of the joules the uncertainty is unknown, "
        "and 1 % is the most for which an interval is printed."
    )


def coverage_sentence(figure: Figure) -> str:
    """How much of the window every source covered."""
    window_s = figure.t1_s - figure.t0_s
    if figure.coverage_frac is None:
        why = figure.reasons.get("coverage_frac", "no coverage is recorded")
        return f"Coverage is unknown: {why}."
    return (
        f"Every needed source covered {quantity(figure.covered_s, 's')} of "
        f"{quantity(window_s, 's')} ({percent(figure.coverage_frac)}). Energy and work are taken "
        "over the same time; nothing is extrapolated."
    )


def marks_sentences(figure: Figure) -> list[str]:
    """What the marks of a figure mean."""
    known = {
        "estimated": "Estimated: sessions were not seen one by one, so the utility takes their "
        "mean number.",
        "bound": "Bound: some rows are longer than the averaging interval of a utility that is "
        "not linear, which overstates a concave utility.",
    }
    return [known.get(mark, mark) for mark in figure.marks]


def _ratio(ratio: float) -> str:
    if 0.95 < ratio < 1.05:
        return "about"
    return f"{ratio:.3g} times" if ratio > 1 else f"only {percent(ratio)} of"


def _subject(ai: list[ServiceFigure]) -> str:
    names = [f"\u201c{s.name}\u201d" for s in ai]
    if len(names) == 1:
        return f"the AI service {names[0]}"
    return f"the AI services {numerals.listing(names)} together"


def _verbs(count: int) -> tuple[str, str, str]:
    return ("moves", "causes", "brings") if count == 1 else ("move", "cause", "bring")


def _total(services: list[ServiceFigure], field: str) -> float | None:
    values = [getattr(s, field) for s in services]
    return None if any(v is None for v in values) else float(sum(values))


def _worth(x: float, curve: TokenWeight) -> str:
    if curve.unit == PER_TOKEN:
        return f"a token is worth {numerals.rough(x)} bit"
    if x == curve.stated:
        return "tokens of different services have different stated worths"
    return f"tokens are worth {numerals.rough(x)} times what is stated"
