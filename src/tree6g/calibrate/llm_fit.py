"""Constants of accelerators fitted to measured runs of language models, family by family.

Intervals are those of leaving families out: rows of one family are near-duplicates, so the spread
of the constants over the fits, each without one family, says more than the rows' number does.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.least_squares import least_squares
from tree6g.calibrate.llm_runs import Run, gathered
from tree6g.calibrate.result import Constant
from tree6g.compute import roofline_fit
from tree6g.compute.accelerator import CONSTANTS
from tree6g.compute.roofline_fit import ALL, Parameter, Runs

FloatArray = NDArray[np.float64]

TOLD_FRAC: Final = 0.5  # data tell a constant if they halve the width of its prior
CLOSE_FRAC: Final = 0.999  # of its upper bound: a constant that is held by it


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Fitted:
    """Constants fitted to the runs of one source.

    Attributes:
        runs: The runs.
        chosen: The parameters.
        at: Logarithms of the parameters over their usual values. [parameter]
        width: Standard deviation of each, from residuals and priors. [parameter]
    """

    runs: Runs
    chosen: tuple[Parameter, ...]
    at: FloatArray
    width: FloatArray

    @cached_property
    def values(self) -> FloatArray:
        """The parameters themselves `[parameter]`."""
        usual = np.array([p.prior.usual for p in self.chosen])
        return np.asarray(usual * np.exp(self.at), dtype=np.float64)

    def constants(self, device: str) -> Mapping[str, float]:
        """The constants of an accelerator by name."""
        names = [d.name for d in self.runs.devices]
        return {
            p.name: float(v)
            for p, v in zip(self.chosen, self.values, strict=True)
            if p.name in CONSTANTS and names[p.of] == device
        }

    def predict(self, runs: Sequence[Run]) -> tuple[FloatArray, FloatArray]:
        """Joules per output token and output tokens per second of other runs `[run]`.

        Accelerators and tasks that the fit has not seen keep what is packaged or usual.
        """
        other = gathered(runs)
        chosen = roofline_fit.parameters(other)
        mine = {_key(self.runs, p): z for p, z in zip(self.chosen, self.at, strict=True)}
        z = [mine.get(_key(other, p), _packaged(other, p)) for p in chosen]
        joules, rate = roofline_fit.predict(other, chosen, np.array(z)[None, :])
        return joules[0], rate[0]


def fit_runs(runs: Sequence[Run], start: Fitted | None = None) -> Fitted:
    """Fit the constants of all accelerators in some runs.

    Args:
        runs: Runs of one source.
        start: A fit of nearly the same runs, to begin from.
    """
    return fit_arrays(gathered(runs), start)


def fit_arrays(arrays: Runs, start: Fitted | None = None) -> Fitted:
    """Fit the constants of all accelerators in some runs that stand in arrays."""
    chosen = roofline_fit.parameters(arrays)
    most = np.array([math.log(p.prior.most / p.prior.usual) for p in chosen])
    rows = np.arange(len(arrays))
    same = start is not None and start.chosen == chosen
    begin = start.at if start is not None and same else np.zeros(len(chosen))
    found = least_squares(
        lambda z: roofline_fit.residuals(arrays, chosen, z, rows), begin, most=most
    )
    spread = np.linalg.inv(found.jacobian.T @ found.jacobian)
    return Fitted(runs=arrays, chosen=chosen, at=found.at, width=np.sqrt(np.diag(spread)))


def unfitted(runs: Sequence[Run]) -> Fitted:
    """What is packaged, in the form of a fit: it has seen no run."""
    arrays = gathered(runs)
    nothing = np.empty(0)
    return Fitted(runs=arrays, chosen=(), at=nothing, width=nothing)


def left_out(runs: Sequence[Run], whole: Fitted) -> Mapping[str, Fitted]:
    """A fit without each family in turn; a source of one family has none."""
    families = sorted({r.family for r in runs})
    if len(families) < 2:
        return {}
    return {f: fit_runs([r for r in runs if r.family != f], whole) for f in families}


def listed(fitted: Fitted, without: Mapping[str, Fitted]) -> tuple[Constant, ...]:
    """Constants with intervals of 95 %: of leaving families out, else of residuals and priors."""
    told = partial(_constant, fitted, tuple(without.values()))
    return tuple(told(j, p) for j, p in enumerate(fitted.chosen))


def _constant(fitted: Fitted, without: Sequence[Fitted], j: int, p: Parameter) -> Constant:
    width = _width(fitted, without, j, p)
    value = float(fitted.values[j])
    return Constant(
        name=f"{_owner(fitted.runs, p)}: {p.name}",
        value=value,
        low=value * math.exp(-1.96 * width),
        high=min(value * math.exp(1.96 * width), p.prior.most),
        remark=_remark(p, value, own=float(fitted.width[j]), width=width),
    )


def _width(fitted: Fitted, without: Sequence[Fitted], j: int, p: Parameter) -> float:
    """Standard deviation of a parameter's logarithm: the jackknife's over families, if larger."""
    width = float(fitted.width[j])
    others = [_same(f, fitted, p) for f in without]
    known = np.array([v for v in others if v is not None])
    if len(known) < 3:
        return width
    scale = (len(known) - 1) / len(known)
    return max(width, float(np.sqrt(scale * ((known - fitted.at[j]) ** 2).sum())))


def _remark(p: Parameter, value: float, *, own: float, width: float) -> str:
    """What to know of a parameter beside its value; empty where nothing is.

    That data hardly tell a parameter does not mean that it stays at its usual value: it may move
    with the others at little cost.

    Args:
        p: The parameter.
        value: Its value.
        own: Standard deviation of its logarithm, from residuals and priors.
        width: The same, families left out.
    """
    usual = f"usually {p.prior.usual:.3g}"
    if value > CLOSE_FRAC * p.prior.most:
        return f"at the most it may be; {usual}"
    if own > TOLD_FRAC * p.prior.width:
        return f"hardly told by these data; {usual}"
    return f"families disagree on it; {usual}" if width > p.prior.width else ""


def _key(runs: Runs, p: Parameter) -> tuple[str, str]:
    """A parameter and the device or task that it is of, which mean the same in any fit."""
    return p.name, _owner(runs, p)


def _owner(runs: Runs, p: Parameter) -> str:
    if p.of == ALL:
        return "all engines"
    return runs.devices[p.of].name if p.name in CONSTANTS else runs.tasks[p.of]


def _same(other: Fitted, fitted: Fitted, p: Parameter) -> float | None:
    """The logarithm of a parameter in another fit, if it is there."""
    key = _key(fitted.runs, p)
    for q, z in zip(other.chosen, other.at, strict=True):
        if _key(other.runs, q) == key:
            return float(z)
    return None


def _packaged(runs: Runs, p: Parameter) -> float:
    """The packaged value of a constant; of a task the usual value."""
    if p.name not in CONSTANTS:
        return 0.0
    return math.log(getattr(runs.devices[p.of], p.name) / p.prior.usual)
