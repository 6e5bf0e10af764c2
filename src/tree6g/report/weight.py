"""How TREE depends on the worth of a token, for one frozen design."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.metric.figure import Figure, ServiceFigure
from tree6g.metric.robustness import HIGH_BIT_PER_TOK, LOW_BIT_PER_TOK
from tree6g.report.tables import Missing

FloatArray = npt.NDArray[np.float64]
PER_TOKEN: Final = "bit/token"
MULTIPLE: Final = "times the stated weights"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TokenWeight:
    """TREE as a function of the worth x of the AI services' tokens, all else frozen.

    TREE(x) = (U_D + x X_A)/E: alpha scales every utility family, so this is exact.

    Attributes:
        unit: What x counts: bit/token where the AI services share one alpha, else multiples.
        stated: x of the figure.
        data_beq: U_D, utility that does not scale.
        worth: X_A, the AI services' utility at x = 1.
        energy_j: E.
        bits_bit: All delivered bits, for EE.
        ai_energy_frac: Share of the AI services in the attributed energy, None if undefined.
    """

    unit: str
    stated: float
    data_beq: float
    worth: float
    energy_j: float
    bits_bit: float
    ai_energy_frac: float | None

    def tree(self, x: FloatArray) -> FloatArray:
        """TREE in bit-equivalent/J at weights x."""
        return (self.data_beq + self.worth * x) / self.energy_j

    def ai_share(self, x: FloatArray) -> FloatArray:
        """Share of the AI services in the utility at weights x > 0."""
        return self.worth * x / (self.worth * x + self.data_beq)

    def equal_shares(self) -> float | Missing:
        """The weight at which the AI services' share of utility is their share of energy."""
        share = self.ai_energy_frac
        if share is None or not 0 < share < 1:
            return Missing(reason="the AI services do not share the energy with other services")
        if self.data_beq <= 0:
            return Missing(reason="no other service earns utility")
        return share * self.data_beq / ((1 - share) * self.worth)

    def equal_ee(self) -> float | Missing:
        """The weight at which TREE = EE: a token is worth the bits that its service carries."""
        gap_bit = self.bits_bit - self.data_beq
        if gap_bit <= 0:
            return Missing(reason="TREE is above EE at every weight")
        return gap_bit / self.worth

    def span(self) -> tuple[float, float]:
        """Weights to draw: those of today's prices, and all points of interest."""
        marks = [self.stated, self.equal_shares(), self.equal_ee()]
        points = [m for m in marks if isinstance(m, float) and m > 0]
        low, high = (LOW_BIT_PER_TOK, HIGH_BIT_PER_TOK) if self.unit == PER_TOKEN else (0.01, 100.0)
        return min([low, *(p / 3 for p in points)]), max([high, *(3 * p for p in points)])


def token_weight(figure: Figure) -> TokenWeight | Missing:
    """TREE over the token weight of a figure, or why there is no such curve."""
    ai = [s for s in figure.services if s.kind == "ai"]
    if not ai:
        return Missing(reason="there is no AI service")
    if figure.tree_beq_per_j is None:
        return Missing(reason=figure.reasons.get("tree_beq_per_j", "TREE is not defined"))
    unit, stated, worth = _scale(figure, ai)
    if worth <= 0:
        return Missing(reason="the AI services delivered nothing on time")
    shares = [s.energy_share_frac for s in ai if s.energy_share_frac is not None]
    return TokenWeight(
        unit=unit,
        stated=stated,
        data_beq=sum(figure.utility_of(s.name) for s in figure.services if s.kind != "ai"),
        worth=worth,
        energy_j=figure.energy_j,
        bits_bit=figure.bits_bit,
        ai_energy_frac=sum(shares) if len(shares) == len(ai) else None,
    )


def _scale(figure: Figure, ai: list[ServiceFigure]) -> tuple[str, float, float]:
    """Unit of x, its stated value, and the AI services' utility at x = 1."""
    alphas = {s.alpha_bit_per_tok for s in ai}
    common = alphas.pop()
    if alphas or common is None:
        return MULTIPLE, 1.0, sum(figure.utility_of(s.name) for s in ai)
    return PER_TOKEN, common, sum(s.worth_tok or 0.0 for s in ai)
