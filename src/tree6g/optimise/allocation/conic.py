"""The same cell by a conic solver: a check by another way, and constraints of one's own.

After Charnes and Cooper: with z = 1/P and all amounts times z, the ratio is a concave objective and
P <= 1/z one constraint. CVXPY states it, Clarabel solves it. Logarithms are relative entropies,
the other utilities exponential and power cones of their perspectives z U(T/z).

Valid as a check of mild cells (path losses within some 20 dB): there TREE agrees to 1e-6, EE to
1e-5. Where gains differ by more the solver may stop early, and even a status `optimal` may be far
off (`benchmarks/allocations.py` counts how often). It takes some twenty times the CPU of
`solve.allocate`, and certifies nothing.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

import numpy as np

from tree6g.errors import InfeasibleError, ScenarioError
from tree6g.metric.utility import Curve
from tree6g.optimise.allocation.items import Objective
from tree6g.optimise.allocation.problem import Clock, FloatArray, Problem

MHZ, MW, MBPS = 1e6, 1e-3, 1e6  # units of the program: of those tried, what converges most often
LN2: Final = float(np.log(2.0))
GOOD: Final = ("optimal", "optimal_inaccurate")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scaled:
    """CVXPY expressions of what an allocation chooses, each times the same unknown `one`.

    A constant of a constraint is written times `one` too: `s.radiated_w[0] <= 0.1 * s.one`.

    Attributes:
        rate_bps: Of data users. [data user]
        rate_tps: Of AI users. [AI user]
        bandwidth_hz: Of data users, then AI users. [user]
        radiated_w: Of data users, then AI users. [user]
        one: What they are multiplied by.
    """

    rate_bps: Any
    rate_tps: Any
    bandwidth_hz: Any
    radiated_w: Any
    one: Any


Constraints = Callable[[Scaled], Sequence[Any]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ConicValue:
    """What the conic solver found.

    Attributes:
        value: TREE or EE, bit-equivalents or bits per joule.
        status: `optimal`, or `optimal_inaccurate` where the solver stopped early.
        solver_s: Seconds that the solver says it took, all settings together.
        rate_bps: Of data users. [data user]
        rate_tps: Of AI users. [AI user]
        bandwidth_hz: Of data users, then AI users. [user]
        radiated_w: Of data users, then AI users. [user]
        accelerators: How many are on.
        clock: Their state.
    """

    value: float
    status: str
    solver_s: float
    rate_bps: FloatArray
    rate_tps: FloatArray
    bandwidth_hz: FloatArray
    radiated_w: FloatArray
    accelerators: int
    clock: Clock


def conic_value(
    problem: Problem, objective: Objective = "tree", *, constraints: Constraints | None = None
) -> ConicValue:
    """The greatest TREE or EE of a cell by CVXPY and Clarabel (extra `conic`).

    Args:
        problem: Cell, users and accelerators; their numbers and clocks are tried one by one.
        objective: `tree`: utilities and weights as they are; `ee`: every bit is worth 1.
        constraints: From the variables to more constraints that CVXPY takes; see `Scaled`.

    Raises:
        ScenarioError: CVXPY or Clarabel is not installed, or the solver gave up in all settings.
        InfeasibleError: No number of accelerators keeps all constraints.

    Where the solver gives up in some settings and not in others, the best of the others counts.
    """
    cp = library()
    found, said, spent_s = None, set(), 0.0
    for count, clock in problem.accelerators.choices():
        one, status, solver_s = _solved(cp, problem, objective, count, clock, constraints)
        said.add(status)
        spent_s += solver_s
        if one is not None and (found is None or one.value > found.value):
            found = one
    if found is not None:
        return dataclasses.replace(found, solver_s=spent_s)
    if all(status.startswith("infeasible") for status in said):
        raise InfeasibleError(
            "expected limits and constraints that some allocation keeps; none does, in any setting "
            "of accelerators. Lower the least rates, or relax your constraints."
        )
    raise ScenarioError(
        f"expected a solution of Clarabel; got {', '.join(sorted(said))}. Cells whose gains differ "
        "by much are too hard for it: `tree6g.optimise.allocation.solve.allocate` solves them."
    )


def library() -> Any:
    """CVXPY, or how to get it."""
    try:
        import_module("clarabel")
        return import_module("cvxpy")
    except ImportError:
        raise ScenarioError(
            "expected the packages 'cvxpy' and 'clarabel', which state and solve a conic program; "
            "not both are installed. Run `pip install 'tree6g[conic]'`."
        ) from None


def _solved(
    cp: Any,
    problem: Problem,
    objective: Objective,
    count: int,
    clock: Clock,
    constraints: Constraints | None,
) -> tuple[ConicValue | None, str, float]:
    """One number of accelerators in one state: what is found, the status, and solver seconds."""
    fixed_w = problem.cell.fixed_power_w + count * clock.idle_power_w
    users = _Columns.of(problem, objective)
    size = len(users.gain)
    amount, band, watt = cp.Variable(size), cp.Variable(size), cp.Variable(size)
    z = cp.Variable()
    limits = _limits(cp, problem, users, (amount, band, watt, z))
    power, most = _power(cp, problem, users, (amount, band, watt, z), fixed_w, clock.energy_frac)
    limits += [power <= 1.0, users.gpu @ amount <= z * (count * clock.speed_frac)]
    earned, cones = _worth(cp, problem, objective, users, amount, z)
    if constraints is not None:
        scaled = Scaled(
            rate_bps=MBPS * amount[: problem.data.count],
            rate_tps=amount[problem.data.count :],
            bandwidth_hz=MHZ * band,
            radiated_w=MW * watt,
            one=z,
        )
        limits += list(constraints(scaled))
    program = cp.Problem(cp.Maximize(earned), limits + cones)
    status, solver_s = _run(cp, program)
    if status not in GOOD:
        return None, status, solver_s
    if z.value < 0.5 / most:  # z = 0 keeps all limits where no allocation does
        return None, "infeasible", solver_s
    given, data = users.unit * amount.value / z.value, problem.data.count
    found = ConicValue(
        value=float(program.value) * MBPS / fixed_w,
        status=status,
        solver_s=solver_s,
        rate_bps=given[:data],
        rate_tps=given[data:],
        bandwidth_hz=MHZ * band.value / z.value,
        radiated_w=MW * watt.value / z.value,
        accelerators=count,
        clock=clock,
    )
    return found, status, solver_s


def _run(cp: Any, program: Any) -> tuple[str, float]:
    """Solve a program: its status and the solver's seconds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a solution may be inaccurate; its status says so
            program.solve(solver="CLARABEL")
    except cp.SolverError:
        return "no solution", 0.0
    return str(program.status), float(program.solver_stats.solve_time or 0.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Columns:
    """Users in the units of the program: data users by Mbit/s, AI users by token/s. [user]."""

    unit: FloatArray
    gain: FloatArray
    weight: FloatArray
    bits: FloatArray
    offset: FloatArray
    low: FloatArray
    high: FloatArray
    gpu: FloatArray
    energy: FloatArray

    @classmethod
    def of(cls, problem: Problem, objective: Objective) -> _Columns:
        """Columns of a problem."""
        data, ai = problem.data, problem.ai
        one, none = np.ones(data.count), np.zeros(data.count)
        mbit = ai.bit_per_tok / MBPS
        weight = np.concatenate([data.weight, ai.weight])
        join = np.concatenate
        return cls(
            unit=join([MBPS * one, np.ones(ai.count)]),
            gain=join([data.gain_hz_per_w, ai.gain_hz_per_w]) * (MW / MHZ),
            weight=weight if objective == "tree" else np.ones(len(weight)),
            bits=join([one, mbit]),
            offset=join([none, mbit / ai.delay_s]),
            low=join([data.rate_min_bps / MBPS, ai.rate_min_tps]),
            high=join([data.rate_max_bps / MBPS, ai.rate_max_tps]),
            gpu=join([none, ai.gpu_s_per_tok]),
            energy=join([none, ai.energy_j_per_tok]),
        )


Variables = tuple[Any, Any, Any, Any]


def _limits(cp: Any, problem: Problem, users: _Columns, at: Variables) -> list[Any]:
    """What a cell carries and owes."""
    amount, band, watt, z = at
    cell = problem.cell
    carried = -cp.rel_entr(band, band + cp.multiply(users.gain, watt))
    return [
        cp.multiply(users.bits, amount) + z * users.offset
        <= carried * (cell.attenuation_frac / LN2),
        cp.sum(band) <= z * (cell.bandwidth_hz / MHZ),
        cp.sum(watt) <= z * (cell.power_limit_w / MW),
        amount >= z * users.low,
        amount <= z * users.high,
        band >= 0.0,
        watt >= 0.0,
    ]


def _power(
    cp: Any, problem: Problem, users: _Columns, at: Variables, fixed_w: float, energy_frac: float
) -> tuple[Any, float]:
    """Power of everything over the fixed power, times z, and the most that it can be."""
    amount, band, watt, z = at
    cell = problem.cell
    j_per_mbit = cell.transport_j_per_bit * MBPS
    each = (energy_frac * users.energy + j_per_mbit * users.bits) / fixed_w
    always = 1.0 + j_per_mbit * float(users.offset.sum()) / fixed_w
    per_w, per_hz = 1.0 / cell.amplifier_frac / fixed_w, cell.power_w_per_hz / fixed_w
    now = z * always + cp.sum(watt) * (MW * per_w) + cp.sum(band) * (MHZ * per_hz) + each @ amount
    most = always + cell.power_limit_w * per_w + cell.bandwidth_hz * per_hz
    return now, most + float(each @ users.high)


def _worth(
    cp: Any, problem: Problem, objective: Objective, users: _Columns, amount: Any, z: Any
) -> tuple[Any, list[Any]]:
    """Worth of everything in Mbit-equivalents, times z, and the cones that it needs."""
    data, ai = problem.data.count, problem.ai
    beside = problem.beside_beq_per_s if objective == "tree" else problem.beside_bps
    slope, curved, cones = np.zeros(len(users.gain)), 0.0, []
    slope[:data] = users.weight[:data]
    if objective == "ee":
        slope[data:] = users.bits[data:]
    else:
        for number, curve in enumerate(ai.curves):
            at = data + np.flatnonzero(ai.curve == number)
            if curve.linear:
                slope[at] = users.weight[at] * curve.alpha_bit_per_tok / MBPS
            elif len(at):
                shape, more = _shape(cp, curve, amount[at], z * np.ones(len(at)))
                curved += (users.weight[at] * (curve.alpha_bit_per_tok / MBPS)) @ shape
                cones += more
    return slope @ amount + curved + z * (beside / MBPS), cones


def _shape(cp: Any, curve: Curve, tokens: Any, z: Any) -> tuple[Any, list[Any]]:
    """Perspective z U(T/z) over alpha, of tokens z T, and its cones. [user]."""
    if curve.family == "piecewise":
        return _line(cp, curve, tokens, z)
    t0, order = float(curve.t0_tps or 1.0), float(curve.order or 1.0)
    taken = tokens / t0
    if curve.family == "log":
        return -t0 * cp.rel_entr(z, z + taken), []
    free = cp.Variable(z.shape[0])
    if curve.family == "saturating":
        return t0 * (z - free), [cp.constraints.ExpCone(-taken, z, free)]
    if curve.family == "power":
        return t0 * free, [cp.constraints.PowCone3D(taken, z, free, order)]
    if order < 1.0:
        cone = cp.constraints.PowCone3D(z + taken, z, free, 1.0 - order)
    else:
        cone = cp.constraints.PowCone3D(free, z + taken, z, 1.0 / order)
    return t0 / (1.0 - order) * (free - z), [cone]


def _line(cp: Any, curve: Curve, tokens: Any, z: Any) -> tuple[Any, list[Any]]:
    """The least of the lines through the pieces, the last of them flat."""
    free, lines = cp.Variable(z.shape[0]), []
    knots = np.array([(0.0, 0.0), *curve.knots])
    slopes = np.append(np.diff(knots[:, 1]) / np.diff(knots[:, 0]), 0.0)
    for (start, worth), slope in zip(knots.tolist(), slopes.tolist(), strict=True):
        lines.append(free <= slope * tokens + (worth - slope * start) * z)
    return free, lines
