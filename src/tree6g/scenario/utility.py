"""The shape of an AI service's utility, where a scenario states its own."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from tree6g.scenario.fields import NonNegative, Positive
from tree6g.scenario.quantities import Described, Quantity

ORDER: Final = {"alpha_fair": "a", "power": "p", "sigmoid": "k"}  # families with an order
UNSCALED: Final = ("linear", "piecewise")  # families without T0


class Knot(Described):
    """A point of a utility that is straight between its points."""

    rate_tps: Positive
    """Effective token rate of one utility unit."""
    worth_tps: NonNegative
    """What it is worth, as the rate of tokens that are worth alpha each."""


class Utility(Described):
    """Worth per second of an effective token rate T; alpha is the service's."""

    family: Literal[
        "linear", "log", "alpha_fair", "saturating", "power", "sigmoid", "piecewise"
    ] = "linear"
    """Shape of U with U(0) = 0, as `tree6g.metric.utility` defines it. alpha is its slope at 0;
    U(T0)/T0 of `power`, U(inf)/T0 of `sigmoid`, and what a worth of 1 token/s means of
    `piecewise`."""
    t0_tps: Positive | None = None
    """Scale T0, the rate at which returns change; not of `linear` and `piecewise`."""
    order: Annotated[float, Field(gt=0, le=100)] | None = None
    """a of `alpha_fair` (not 1, which is `log`), p of `power`, k of `sigmoid`."""
    knots: tuple[Knot, ...] = ()
    """Points of `piecewise` after (0, 0), rates rising; flat after the last."""
    unit: Literal["session", "user", "cell", "service"] | None = None
    """Whose mean rate U acts on. None: as the token class says."""
    interval_s: Annotated[Quantity, Field(ge=0.001)] | None = None
    """Averaging interval of that rate. None: as the token class says. Scores of a pace that people
    watch speak of intervals that are short beside an answer."""

    @model_validator(mode="after")
    def _check_shape(self) -> Self:
        """Refuse parameters that the family lacks, and those that it does not have."""
        faults = list(_faults(self))
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _faults(u: Utility) -> Iterator[str]:
    scaled, ordered = u.family not in UNSCALED, u.family in ORDER
    if scaled and u.t0_tps is None:
        yield f"expected 't0' for '{u.family}', such as 10 token/s; got none"
    if not scaled and u.t0_tps is not None:
        yield f"expected no 't0' for '{u.family}'; got {u.t0_tps:g} token/s"
    if ordered and u.order is None:
        yield f"expected 'order' ({ORDER[u.family]}) for '{u.family}'; got none"
    if not ordered and u.order is not None:
        yield f"expected no 'order' for '{u.family}'; got {u.order:g}"
    if u.family == "alpha_fair" and u.order == 1.0:
        yield "expected another order than 1 for 'alpha_fair'; of order 1 it is 'log'"
    if (u.family == "piecewise") != bool(u.knots):
        wanted = "'knots'" if not u.knots else "no 'knots'"
        yield f"expected {wanted} for '{u.family}'; got {len(u.knots)}"
    points = [(0.0, 0.0), *((k.rate_tps, k.worth_tps) for k in u.knots)]
    if any(b[0] <= a[0] or b[1] < a[1] for a, b in pairwise(points)):
        yield "expected knots whose rates rise and whose worth does not fall; got others"
