"""Power of a processor from its load: how far off it is, calibrated and not, beside simpler rules.

Watts of a machine without a sensor are told from its busy share (`cpu_model`). Three questions are
kept apart. A machine that was measured: each row is predicted by a fit without it. One that was
measured under another shape of load: each shape by a fit to the other. One of which nothing is
known but its design power: by constants fitted to the other machines.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate.cpu_model import (
    FittedPower,
    default_power,
    fit_power,
    has_clocks,
    scaled,
)
from tree6g.calibrate.cpu_rows import REST_FRAC, Machine, read_machines
from tree6g.calibrate.result import Constant, Curve, Fit, Group, Plot, Validation, percent
from tree6g.calibrate.result import percentage_figures as figures

FloatArray = NDArray[np.float64]

OFF_FRAC: Final = 0.25  # rows further off are listed
NORMAL_95: Final = 1.96
_WHAT: Final = f"""Watts of the package from busy share and clock, compared with its counter of
energy. Rows at rest (load up to {100 * REST_FRAC:g} %) give the idle power and are not judged."""
_HOW: Final = """Calibrated: constants of the machine itself, each row by a fit without it. Other
shape: all cores alike against some cores busy, each told by the other. Not calibrated: the design
power alone, each machine by constants of the others."""
ABOUT: Final = tuple(" ".join(text.split()) for text in (_WHAT, _HOW))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """Predictions of the busy rows of one machine; NaN where there is none `[row]`.

    Attributes:
        machine: Its busy rows.
        clocked: Each row left out of the fit, with the clock where it is known.
        plain: The same without the clock.
        crossed: By a fit to the other shape of load.
        default: By its design power and the other machines.
    """

    machine: Machine
    clocked: FloatArray
    plain: FloatArray
    crossed: FloatArray
    default: FloatArray


def validate(files: Sequence[Path]) -> Validation:
    """Compare power told from the load with counters of energy.

    Args:
        files: Tables of loads (`cpu_rows`).

    Raises:
        DataError: A file is not what it should be, with all its faults.
    """
    machines, notes = read_machines(files)
    told = [_told(machine, machines) for machine in machines]
    groups = list(_groups(told))
    whole = groups[0].figures
    constants = [c for m in machines for c in _constants(m, fit_power(m, clocked=has_clocks(m)))]
    rows = sum(len(t.machine.power_w) for t in told)
    return Validation(
        kind="cpu-power",
        rows=rows,
        title="Power of processors from their load",
        headline=_headline(groups),
        about=ABOUT,
        fitted_constants=sum(not c.name.endswith("full_hz") for c in constants),
        figures_of=groups[0].name,
        figures=whole,
        groups=tuple(groups),
        baselines=tuple(_baselines(told)),
        misses=tuple(miss for t in told for miss in _misses(t)),
        misses_are=f"Rows off by more than {percent(OFF_FRAC)} though calibrated",
        constants=(*constants, *_defaults(machines)),
        problems=tuple(notes),
        plots=(_plot(told),),
    )


def fit(files: Sequence[Path]) -> Fit:
    """Fit the constants of each machine, and of the default that goes by design power.

    Raises:
        DataError: A file is not what it should be, with all its faults.
    """
    machines, notes = read_machines(files)
    fitted = [fit_power(machine, clocked=has_clocks(machine)) for machine in machines]
    told = np.concatenate([_leave_one_out(m, clocked=has_clocks(m)) for m in machines])
    watts = np.concatenate([m.power_w[m.busy] for m in machines])
    own = np.concatenate(
        [
            f.power.power_w(m.load_frac[m.busy], m.clock_hz[m.busy])
            for m, f in zip(machines, fitted, strict=True)
        ]
    )
    error, left_out = (float(np.mean(np.abs(t / watts - 1.0))) for t in (own, told))
    return Fit(
        kind="cpu-power",
        rows=len(watts),
        error=error,
        headline=f"{len(machines)} machine{'s' if len(machines) > 1 else ''}, {len(watts)} loads: "
        f"watts off by {percent(left_out)} on average when the row is left out of the fit, by "
        f"{percent(error)} on fitted rows.",
        constants=(
            *(c for m, f in zip(machines, fitted, strict=True) for c in _constants(m, f)),
            *_defaults(machines),
        ),
        problems=tuple(notes),
        table=_yaml(machines),
    )


def _told(machine: Machine, machines: Sequence[Machine]) -> Told:
    busy = machine.rows(machine.busy)
    others = [m for m in machines if m.name != machine.name and np.isfinite(m.tdp_w)]
    default = np.full(len(busy.power_w), np.nan)
    if others and np.isfinite(machine.tdp_w):
        power = scaled(default_power(others), machine.tdp_w)
        default = power.power_w(busy.load_frac, busy.clock_hz)
    return Told(
        machine=busy,
        clocked=_leave_one_out(machine, clocked=has_clocks(machine)),
        plain=_leave_one_out(machine, clocked=False),
        crossed=_crossed(machine),
        default=default,
    )


def _leave_one_out(machine: Machine, *, clocked: bool) -> FloatArray:
    """Watts of each busy row by a fit without it `[busy row]`."""
    told = []
    for i in np.flatnonzero(machine.busy):
        rest = np.arange(len(machine.power_w)) != i
        power = fit_power(machine.rows(rest), clocked=clocked).power
        told.append(power.power_w(machine.load_frac[i : i + 1], machine.clock_hz[i : i + 1])[0])
    return np.array(told)


def _crossed(machine: Machine) -> FloatArray:
    """Watts of the busy rows of each shape by a fit to the other shapes `[busy row]`."""
    told = np.full(len(machine.power_w), np.nan)
    for shape in np.unique(machine.shape):
        mine = machine.shape == shape
        rest = machine.rows(~mine)
        if int(rest.busy.sum()) < 4 or rest.busy.all():
            continue
        power = fit_power(rest, clocked=has_clocks(machine)).power
        told[mine] = power.power_w(machine.load_frac[mine], machine.clock_hz[mine])
    return told[machine.busy]


def _groups(told: Sequence[Told]) -> Iterator[Group]:
    """All machines under each way of calibrating, then machine by machine."""
    ways = {
        "calibrated": "clocked",
        "calibrated, without clocks": "plain",
        "calibrated on the other shape": "crossed",
        "not calibrated": "default",
    }
    for name, field in ways.items():
        group = _group(name, told, field, "Mean error of watts, all machines")
        if group is not None:
            yield group
    for one in told:
        for name, field in ways.items():
            group = _group(
                f"{one.machine.name}, {name}", [one], field, "The same, machine by machine"
            )
            if group is not None:
                yield group


def _group(name: str, told: Sequence[Told], field: str, heading: str) -> Group | None:
    watts = np.concatenate([t.machine.power_w for t in told])
    values = np.concatenate([getattr(t, field) for t in told])
    known = np.isfinite(values)
    if not known.any():
        return None
    return Group(
        name=name,
        rows=int(known.sum()),
        figures=figures(watts[known], values[known]),
        heading=heading,
    )


def _baselines(told: Sequence[Told]) -> Iterator[Group]:
    """What rules without a calibration say of the same rows."""
    load = np.concatenate([t.machine.load_frac for t in told])
    watts = np.concatenate([t.machine.power_w for t in told])
    stored = np.concatenate([t.machine.stored_w for t in told])
    tdp = np.concatenate([np.full(len(t.machine.power_w), t.machine.tdp_w) for t in told])
    rules: Mapping[str, FloatArray] = {
        "estimate stored in the file (CodeCarbon)": stored,
        "design power (0.1 + 0.9 u^3) (CodeCarbon, cubic)": tdp * (0.1 + 0.9 * load**3),
        "half the design power": 0.5 * tdp,
        "design power times u": tdp * load,
    }
    for name, values in rules.items():
        known = np.isfinite(values)
        if known.any():
            yield Group(
                name=name, rows=int(known.sum()), figures=figures(watts[known], values[known])
            )


def _headline(groups: Sequence[Group]) -> str:
    told = {g.name: percent(g.figures["mape_frac"]) for g in groups}
    words = f"Mean error of watts: {told['calibrated']} on machines that were calibrated"
    if "calibrated on the other shape" in told:
        words += f", {told['calibrated on the other shape']} under another shape of load"
    if "not calibrated" in told:
        words += f", {told['not calibrated']} from the design power alone"
    return words + "."


def _constants(machine: Machine, fitted: FittedPower) -> Iterator[Constant]:
    """Constants of a machine with 95 % intervals; idle with the range of its rows."""
    power, name = fitted.power, machine.name
    rest = machine.power_w[~machine.busy]
    yield Constant(
        name=f"{name}: idle_w", value=power.idle_w, low=float(rest.min()), high=float(rest.max())
    )
    more = power.full_w - power.idle_w
    far = np.exp(NORMAL_95 * fitted.log_error)
    yield Constant(
        name=f"{name}: full_w",
        value=power.full_w,
        low=power.idle_w + more / float(far[0]),
        high=power.idle_w + more * float(far[0]),
    )
    values = [("exponent", power.exponent), ("clock_exponent", power.clock_exponent)]
    for (own, value), by in zip(values, far[1:], strict=False):
        yield Constant(
            name=f"{name}: {own}", value=value, low=value / float(by), high=value * float(by)
        )
    if np.isfinite(power.full_hz):
        yield Constant(name=f"{name}: full_hz", value=power.full_hz)


def _defaults(machines: Sequence[Machine]) -> Iterator[Constant]:
    """The default by design power, from all machines whose design power is known."""
    known = [m for m in machines if np.isfinite(m.tdp_w)]
    if len(known) < 2:
        return
    power = default_power(known)
    words = f"fitted to {len(known)} machines"
    yield Constant(name="not calibrated: idle_w per W of design power", value=power.idle_w,
                   remark=words)  # fmt: skip
    yield Constant(name="not calibrated: full_w per W of design power", value=power.full_w,
                   remark=words)  # fmt: skip


def _yaml(machines: Sequence[Machine]) -> str:
    """Lines for `cpu_time` of a meter, which knows no clocks: fitted without them, by machine."""
    lines = []
    for machine in machines:
        power = fit_power(machine, clocked=False).power
        lines.append(
            f"# {machine.processor}; without clocks\n"
            f"{json.dumps(machine.name)}:\n  idle: {power.idle_w:.4g} W\n"
            f"  full: {power.full_w:.4g} W\n  exponent: {power.exponent:.3g}\n  calibrated: true\n"
        )
    return "".join(lines)


def _misses(told: Told) -> Iterator[Mapping[str, object]]:
    m = told.machine
    for i in np.flatnonzero(np.abs(told.clocked / m.power_w - 1.0) > OFF_FRAC):
        yield {
            "machine": m.name, "shape": str(m.shape[i]), "load_frac": float(m.load_frac[i]),
            "measured_w": float(m.power_w[i]), "ours_w": float(told.clocked[i]),
        }  # fmt: skip


def _plot(told: Sequence[Told]) -> Plot:
    curves = []
    for one in told:
        for shape in np.unique(one.machine.shape):
            mine = one.machine.shape == shape
            x = 100.0 * one.machine.load_frac[mine]
            name = str(shape).replace("_", " ")
            for words, values in (("measured", one.machine.power_w), ("told", one.clocked)):
                curves.append(Curve(panel=one.machine.name, name=f"{name}, {words}", x=x,
                                    y=values[mine], form="points"))  # fmt: skip
    return Plot(
        name="cpu-power",
        title="Power of processors over their load, measured and told by a fit without the row",
        reads="Each mark is a load held for half a minute. Watts depend on how a load is spread "
        "over the cores and on the clock, not on the busy share alone.",
        x_label="busy share of all threads (%)",
        y_label="power of the packages (W)",
        curves=tuple(curves),
        columns=2,
    )
