"""A server over load in seven numbers: power, pace and wait as functions of the token rate.

An iteration gives a token to each of B sequences. With t0 to read the weights and t1 per sequence,
and e0 and e1 of their joules above idle,

    time per token  t = t0 + t1 B,     T = B / t of a batch that is kept full
    running         L = T t            (Little)
    batch           B = 1 + beta (L / (1 - exp(-L)) - 1)
    power           P = T (e0 / B + e1)   above idle
    first token     W = w0 + w1 L

The batch is the mean over iterations: with requests that come at random the number that run is
nearly Poisson, iterations happen only when somebody runs, and beta, which is 1 then, is greater for
bursts. Power above idle is concave in the load, since a fuller batch shares the reading of weights
(with beta above 1 not quite, near full batches).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.compute.serving.requests import FloatArray
from tree6g.errors import InfeasibleError
from tree6g.optimise.servers.trial import Point

HALVINGS: Final = 80  # of the bracket of L, down to rounding
ALMOST: Final = 1.0 - 1e-6  # of a rate that no batch reaches
LEAST_POINTS: Final = 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServerCurve:
    """One server over load; equations in the module.

    Valid between the loads that it was fitted to, of the same requests at any rate, while the queue
    is short: a server that is full answers late before the equations break. Beyond the rate of a
    full batch it works at that rate, and the rest waits.

    Attributes:
        places: Sequences in a batch at most.
        step_s: t0.
        sequence_s: t1.
        step_j: e0.
        token_j: e1, prompts included.
        burst: beta.
        first_s: w0.
        wait_s: w1.
    """

    places: int
    step_s: float
    sequence_s: float
    step_j: float
    token_j: float
    burst: float
    first_s: float
    wait_s: float

    @property
    def full_tps(self) -> float:
        """Token rate of a full batch."""
        kept_full = self.places / (self.step_s + self.sequence_s * self.places)
        never = 1.0 / max(self.sequence_s * self.burst, 1e-300)
        return min(kept_full, ALMOST * never)

    def worked_tps(self, rate_tps: npt.ArrayLike) -> FloatArray:
        """Token rate that a server works off of what it is asked. [rate]."""
        return np.minimum(np.asarray(rate_tps, dtype=np.float64), self.full_tps)

    def running(self, rate_tps: npt.ArrayLike) -> FloatArray:
        """Mean number of sequences that run, L: the root of L = T t(L). [rate]."""
        rate = self.worked_tps(rate_tps)
        steeper = rate * self.sequence_s * self.burst  # of T t(L) in L at most, below 1
        low, high = np.zeros_like(rate), rate * self._pace_s(np.zeros_like(rate)) / (1.0 - steeper)
        for _ in range(HALVINGS):
            middle = 0.5 * (low + high)
            short = middle < rate * self._pace_s(middle)
            low, high = np.where(short, middle, low), np.where(short, high, middle)
        return np.asarray(high)

    def batch_tok(self, rate_tps: npt.ArrayLike) -> FloatArray:
        """Tokens of an iteration, B. [rate]."""
        return batch_of(self.running(rate_tps), self.burst)

    def tpot_s(self, rate_tps: npt.ArrayLike) -> FloatArray:
        """Time per token after the first. [rate]."""
        return self._pace_s(self.running(rate_tps))

    def ttft_s(self, rate_tps: npt.ArrayLike) -> FloatArray:
        """Mean time to the first token at the server. [rate]."""
        return self.first_s + self.wait_s * self.running(rate_tps)

    def active_w(self, rate_tps: npt.ArrayLike) -> FloatArray:
        """Power above idle. [rate]."""
        rate = self.worked_tps(rate_tps)
        return rate * (self.step_j / self.batch_tok(rate) + self.token_j)

    def _pace_s(self, running: FloatArray) -> FloatArray:
        return self.step_s + self.sequence_s * batch_of(running, self.burst)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FitError:
    """How far the curve is off at the points that it was fitted to: largest relative errors.

    Attributes:
        power_frac: Of power above idle.
        pace_frac: Of the time of an iteration.
        wait_frac: Of the time to the first token.
    """

    power_frac: float
    pace_frac: float
    wait_frac: float


def batch_of(running: FloatArray, burst: float) -> FloatArray:
    """Tokens of an iteration with so many running on average, B. [...]."""
    some = np.maximum(running, 1e-12)
    return 1.0 + burst * np.maximum(some / -np.expm1(-some) - 1.0, 0.0)


def fitted(points: Sequence[Point], places: int) -> ServerCurve:
    """The curve nearest to some points in relative error; none of its numbers is negative.

    Args:
        points: A server at some loads.
        places: Sequences in its batch at most.

    Raises:
        InfeasibleError: Fewer than two points.
    """
    if len(points) < LEAST_POINTS:
        raise InfeasibleError(
            f"expected at least {LEAST_POINTS} loads that a server answers on time; got "
            f"{len(points)}."
        )
    rate, batch, step_s, active_w, ttft_s = (
        np.array([getattr(point, name) for point in points])
        for name in ("rate_tps", "batch_tok", "step_s", "active_w", "ttft_s")
    )
    one = np.ones(len(points))
    pace = _nearest(np.column_stack([one, batch]), step_s)
    joule = _nearest(np.column_stack([1.0 / batch, one]), active_w / rate)
    running = rate * step_s
    wait = _nearest(np.column_stack([one, running]), ttft_s)
    more = batch_of(running, 1.0) - 1.0
    burst = float(more @ (batch - 1.0)) / max(float(more @ more), 1e-300)
    return ServerCurve(
        places=places, step_s=pace[0], sequence_s=pace[1], step_j=joule[0], token_j=joule[1],
        burst=max(burst, 0.0), first_s=wait[0], wait_s=wait[1],
    )  # fmt: skip


def fit_error(curve: ServerCurve, points: Sequence[Point]) -> FitError:
    """The largest relative errors of a curve at some points."""
    rate = np.array([point.rate_tps for point in points])

    def worst(said: FloatArray, name: str) -> float:
        """Of one quantity."""
        seen = np.array([getattr(point, name) for point in points])
        return float(np.abs(said / seen - 1.0).max())

    return FitError(
        power_frac=worst(curve.active_w(rate), "active_w"),
        pace_frac=worst(curve.tpot_s(rate), "step_s"),
        wait_frac=worst(curve.ttft_s(rate), "ttft_s"),
    )


def _nearest(columns: FloatArray, target: FloatArray) -> tuple[float, float]:
    """Two factors, none negative, with the least squares of relative errors."""
    scaled = columns / target[:, None]
    both, *_ = np.linalg.lstsq(scaled, np.ones(len(target)), rcond=None)
    if (both >= 0.0).all():
        return float(both[0]), float(both[1])
    alone = [(scaled[:, i].sum() / (scaled[:, i] @ scaled[:, i]), i) for i in (0, 1)]
    missed = [float(np.square(scaled[:, i] * factor - 1.0).sum()) for factor, i in alone]
    factor = float(alone[int(np.argmin(missed))][0])
    return (factor, 0.0) if missed[0] <= missed[1] else (0.0, factor)
