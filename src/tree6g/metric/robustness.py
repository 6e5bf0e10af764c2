"""For which weights a conclusion holds: TREE of frozen designs as the worth of a token varies.

TREE is linear in w for every utility and in alpha where alpha only scales U, so all of this is
closed form: TREE_d(alpha) = (C_d + alpha X_d)/E_d, with C the utility of everything else and X the
service's worth in tokens.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from tree6g.errors import LedgerError
from tree6g.metric.figure import Figure

FloatArray = npt.NDArray[np.float64]
MEASURES = ("log-uniform", "uniform")
# Range of the worth of a token: prices of tokens over prices of bits span 275 to 960,000 bit/token.
LOW_BIT_PER_TOK, HIGH_BIT_PER_TOK = 1e2, 1e6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """Worth of a token at which two designs have the same TREE.

    Attributes:
        a: One design.
        b: The other.
        service: Whose token worth varies.
        alpha_bit_per_tok: alpha*, None where the order never changes.
        winner_above: Design with the higher TREE above alpha*; where there is none, the winner
            everywhere, None if they are equal.
    """

    a: str
    b: str
    service: str
    alpha_bit_per_tok: float | None
    winner_above: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WeightShare:
    """Share of the weights for which a design has the highest TREE, and where they lie."""

    design: str
    service: str
    frac: float
    measure: str
    low_bit_per_tok: float
    high_bit_per_tok: float
    spans: tuple[tuple[float, float], ...]


def line(figure: Figure, service: str) -> tuple[float, float]:
    """Intercept and slope of TREE over the worth of a token of one service.

    Returns:
        C/E in bit-equivalents per joule and X/E in token per joule.

    Raises:
        LedgerError: The figure has no TREE, or the service no tokens.
    """
    own = figure.service(service)
    if figure.tree_beq_per_j is None or own.worth_tok is None:
        why = figure.reasons.get("tree_beq_per_j", f"service '{service}' has no tokens")
        raise LedgerError(f"TREE over the worth of a token is undefined: {why}.")
    others = math.fsum(figure.utility_of(s.name) for s in figure.services if s.name != service)
    return others / figure.energy_j, own.worth_tok / figure.energy_j


def tree_over_alpha(figure: Figure, service: str, alphas: npt.ArrayLike) -> FloatArray:
    """TREE at each worth of a token, one value per alpha."""
    intercept, slope = line(figure, service)
    return intercept + slope * np.asarray(alphas, dtype=np.float64)


def break_even(
    a: Figure, b: Figure, service: str, *, names: tuple[str, str] = ("A", "B")
) -> BreakEven:
    """alpha* = (C_B/E_B - C_A/E_A) / (X_A/E_A - X_B/E_B), if the order changes at all.

    Args:
        a: Figure of one frozen design.
        b: Figure of the other, over the same offered load.
        service: Whose token worth varies.
        names: Names of the designs.
    """
    (fixed_a, rise_a), (fixed_b, rise_b) = line(a, service), line(b, service)
    above = _larger(names, rise_a, rise_b) or _larger(names, fixed_a, fixed_b)
    star = None
    if rise_a != rise_b:
        star = (fixed_b - fixed_a) / (rise_a - rise_b)
    return BreakEven(
        a=names[0],
        b=names[1],
        service=service,
        alpha_bit_per_tok=star if star is not None and star > 0 else None,
        winner_above=above,
    )


def win_shares(
    designs: Mapping[str, Figure],
    service: str,
    *,
    low: float = LOW_BIT_PER_TOK,
    high: float = HIGH_BIT_PER_TOK,
    measure: str = "log-uniform",
) -> list[WeightShare]:
    """On which share of [low, high] each design has the highest TREE.

    The share depends on the measure: prices span three and a half decades, so the default is
    uniform in the logarithm.

    Raises:
        LedgerError: An unknown measure or an empty range.
    """
    if measure not in MEASURES or not 0 < low < high:
        raise LedgerError(f"expected a measure of {MEASURES} on 0 < low < high; got {measure!r}.")
    lines = {name: line(f, service) for name, f in designs.items()}
    cuts = {low, high}
    for (fa, ra), (fb, rb) in itertools.combinations(lines.values(), 2):
        if ra != rb and low < (fb - fa) / (ra - rb) < high:
            cuts.add((fb - fa) / (ra - rb))
    edges = sorted(cuts)
    won: dict[str, list[tuple[float, float]]] = {name: [] for name in lines}
    for start, end in itertools.pairwise(edges):
        middle = math.sqrt(start * end)
        won[max(lines, key=lambda n: lines[n][0] + lines[n][1] * middle)].append((start, end))
    scale = math.log if measure == "log-uniform" else float
    whole = scale(high) - scale(low)
    return [
        WeightShare(
            design=name,
            service=service,
            frac=math.fsum(scale(b) - scale(a) for a, b in spans) / whole,
            measure=measure,
            low_bit_per_tok=low,
            high_bit_per_tok=high,
            spans=_joined(spans),
        )
        for name, spans in won.items()
    ]


def half_space(a: Figure, b: Figure) -> dict[str, float]:
    """Coefficients c_s of the weights: design A has the higher TREE where sum_s w_s c_s > 0.

    c_s = x_s,A/E_A - x_s,B/E_B with x the utility of service s at w = 1. Exact for every utility,
    because TREE is linear in w. Services of weight 0 in either figure are left out.
    """
    names = [s.name for s in a.services if s.weight > 0]
    coefficients = {}
    for name in names:
        one, two = a.service(name), b.service(name)
        if two.weight > 0:
            first = a.utility_of(name) / one.weight / a.energy_j
            coefficients[name] = first - b.utility_of(name) / two.weight / b.energy_j
    return coefficients


def cells(
    designs: Mapping[str, Figure],
    services: Sequence[str],
    *,
    decades: float = 2.0,
    samples: int = 16384,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Share of weight vectors on which each design wins, for several services at once.

    Weights are log-uniform within `decades` above and below those of the figures. Returns the share
    and its standard error per design (Monte Carlo with a fixed seed).
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    factors = 10.0 ** rng.uniform(-decades, decades, (samples, len(services)))
    scores = []
    for figure in designs.values():
        own = np.array([figure.utility_of(s) for s in services])
        rest = math.fsum(figure.utility_of(s.name) for s in figure.services) - own.sum()
        scores.append((rest + factors @ own) / figure.energy_j)
    best = np.argmax(np.stack(scores), axis=0)
    shares = np.bincount(best, minlength=len(scores)) / samples
    errors = np.sqrt(shares * (1.0 - shares) / samples)
    return {n: (float(p), float(e)) for n, p, e in zip(designs, shares, errors, strict=True)}


def _larger(names: tuple[str, str], a: float, b: float) -> str | None:
    if a == b:
        return None
    return names[0] if a > b else names[1]


def _joined(spans: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    joined: list[tuple[float, float]] = []
    for start, end in spans:
        if joined and joined[-1][1] == start:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)
