"""A cell and whom it serves: what an allocation may choose, and what it must keep.

    maximise  N / P
    N = sum_AI w U(T) + sum_data w R
    P = P_fixed + sum p / eta + e_b sum b + G P_idle + sum e T + e_t sum (bits)
    bits <= a b log2(1 + g p / b),  sum b <= B,  sum p <= P_max,  sum kappa T <= G f
    data: R_min <= R <= R_max;  AI: T_min <= T <= T_max, c (T + 1/D) <= bits

The last inequality keeps the mean time of a token on the air, 1 / (bits/c - T) in an M/M/1 queue,
below D. The number G of accelerators and their clock f come from a table and are enumerated, for
decoding does not scale with the clock. All else is convex, so N / P has no local optimum beside the
global one.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import ScenarioError
from tree6g.metric.utility import Curve

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FAMILIES: Final = ("linear", "log", "alpha_fair", "saturating", "power", "piecewise")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell of one direction, with its power by use.

    Attributes:
        bandwidth_hz: Bandwidth B, in use for the whole time.
        power_limit_w: Radiated power at most, averaged over time.
        amplifier_frac: Radiated over electrical power that it takes, eta.
        fixed_power_w: Power whatever is sent, > 0: awake cell, site equipment, idle hosts.
        power_w_per_hz: Baseband power of used bandwidth, e_b.
        transport_j_per_bit: Energy of a bit on its way to the cell, e_t.
        attenuation_frac: Share a of Shannon capacity that the modem reaches.
    """

    bandwidth_hz: float
    power_limit_w: float
    amplifier_frac: float
    fixed_power_w: float
    power_w_per_hz: float = 0.0
    transport_j_per_bit: float = 0.0
    attenuation_frac: float = 1.0

    def __post_init__(self) -> None:
        """Refuse what no cell is."""
        faults = [
            f"{name} must be a finite number > 0; got {getattr(self, name):g} in the cell."
            for name in (
                "bandwidth_hz",
                "power_limit_w",
                "amplifier_frac",
                "fixed_power_w",
                "attenuation_frac",
            )
            if not 0.0 < getattr(self, name) < np.inf
        ]
        faults += [
            f"{name} must be a finite number >= 0; got {getattr(self, name):g} in the cell."
            for name in ("power_w_per_hz", "transport_j_per_bit")
            if not 0.0 <= getattr(self, name) < np.inf
        ]
        _refuse(faults)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """A clock state of an accelerator, as a row of a table of measurements.

    Attributes:
        name: For people.
        speed_frac: GPU seconds that one accelerator works off per second, against the reference.
        idle_power_w: Power of one accelerator that waits in this state.
        energy_frac: Energy of a token above idle, against the reference state.
    """

    name: str = "full"
    speed_frac: float = 1.0
    idle_power_w: float
    energy_frac: float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accelerators:
    """Accelerators that can be switched on, all alike and all in one clock state.

    Attributes:
        counts: Numbers that may be on.
        clocks: States that they may be in.
    """

    counts: tuple[int, ...] = (0,)
    clocks: tuple[Clock, ...] = (Clock(name="off", idle_power_w=0.0),)

    def __post_init__(self) -> None:
        """Refuse what no accelerators are."""
        good = all(
            0.0 < c.speed_frac < np.inf
            and 0.0 <= c.idle_power_w < np.inf
            and 0.0 <= c.energy_frac < np.inf
            for c in self.clocks
        )
        if not (self.counts and min(self.counts) >= 0 and self.clocks and good):
            raise ScenarioError(
                "expected numbers >= 0 of accelerators and clocks with speed_frac > 0, "
                f"idle_power_w >= 0 and energy_frac >= 0; got {self.counts} and {self.clocks}."
            )

    def choices(self) -> Iterator[tuple[int, Clock]]:
        """Numbers and states; none on has no state, so it comes once."""
        for count in sorted(set(self.counts)):
            yield from ((count, clock) for clock in (self.clocks if count else self.clocks[:1]))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DataUsers:
    """Users of data services, one per entry. [user].

    Attributes:
        gain_hz_per_w: Signal-to-noise ratio of one watt in one hertz.
        weight: Priority w.
        rate_min_bps: Rate that is owed.
        rate_max_bps: Rate that is asked for.
    """

    gain_hz_per_w: FloatArray
    weight: FloatArray
    rate_min_bps: FloatArray
    rate_max_bps: FloatArray

    def __post_init__(self) -> None:
        """Bring all to one length; refuse rates that cannot be."""
        _columns(self, ("gain_hz_per_w", "weight", "rate_min_bps", "rate_max_bps"))
        _check_ranges("data", self.gain_hz_per_w, self.weight, self.rate_min_bps, self.rate_max_bps)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.gain_hz_per_w)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AiUsers:
    """Users of AI services, one per entry. [user].

    Attributes:
        gain_hz_per_w: Signal-to-noise ratio of one watt in one hertz.
        weight: Priority w.
        curves: Concave utilities of effective tokens.
        curve: Which of them each has.
        bit_per_tok: Bits over the air per token, c.
        delay_s: Mean time of a token on the air at most, D; infinite: no limit.
        gpu_s_per_tok: Time of one accelerator per token, kappa.
        energy_j_per_tok: Energy of a token at the accelerator above idle.
        rate_min_tps: Token rate that is owed (least served share).
        rate_max_tps: Token rate that is asked for.
    """

    gain_hz_per_w: FloatArray
    weight: FloatArray
    curves: tuple[Curve, ...]
    curve: IntArray
    bit_per_tok: FloatArray
    delay_s: FloatArray
    gpu_s_per_tok: FloatArray
    energy_j_per_tok: FloatArray
    rate_min_tps: FloatArray
    rate_max_tps: FloatArray

    def __post_init__(self) -> None:
        """Bring all to one length; refuse what cannot be and utilities that are not concave."""
        names = [f.name for f in dataclasses.fields(self) if f.name not in ("curves", "curve")]
        _columns(self, names)
        curve = np.broadcast_to(np.asarray(self.curve, dtype=np.int64), self.gain_hz_per_w.shape)
        object.__setattr__(self, "curve", curve)
        _check_ranges("AI", self.gain_hz_per_w, self.weight, self.rate_min_tps, self.rate_max_tps)
        faults = [
            f"{name} must be >= 0 for all AI users; got {getattr(self, name).min():g}."
            for name in ("bit_per_tok", "gpu_s_per_tok", "energy_j_per_tok")
            if self.count and not (getattr(self, name) >= 0.0).all()
        ]
        if self.count and not (self.bit_per_tok + self.energy_j_per_tok > 0.0).all():
            faults.append("a token must take bits over the air or energy; got neither for some.")
        if self.count and not (self.delay_s > 0.0).all():
            faults.append(f"delay_s must be > 0 s for AI users; got {self.delay_s.min():g} s.")
        if self.count and not (curve.min() >= 0 and curve.max() < len(self.curves)):
            faults.append(f"curve must name one of {len(self.curves)} curves; got {curve.max()}.")
        faults += [_unusable(c) for c in self.curves if c.family not in FAMILIES or not c.concave]
        _refuse(faults)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.gain_hz_per_w)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A cell, its users and its accelerators.

    Attributes:
        cell: The cell.
        data: Users of data services.
        ai: Users of AI services.
        accelerators: What runs the models.
        beside_beq_per_s: Worth of what is served besides, whatever is decided, such as uplink data.
        beside_bps: Its bits.
    """

    cell: Cell
    data: DataUsers
    ai: AiUsers
    accelerators: Accelerators = Accelerators()
    beside_beq_per_s: float = 0.0
    beside_bps: float = 0.0


def no_data() -> DataUsers:
    """Nobody who moves data."""
    none = np.empty(0)
    return DataUsers(gain_hz_per_w=none, weight=none, rate_min_bps=none, rate_max_bps=none)


def no_ai() -> AiUsers:
    """Nobody who asks a model."""
    none = np.empty(0)
    return AiUsers(
        gain_hz_per_w=none,
        weight=none,
        curves=(),
        curve=np.empty(0, dtype=np.int64),
        bit_per_tok=none,
        delay_s=none,
        gpu_s_per_tok=none,
        energy_j_per_tok=none,
        rate_min_tps=none,
        rate_max_tps=none,
    )


def _columns(record: DataUsers | AiUsers, names: list[str] | tuple[str, ...]) -> None:
    count = np.asarray(record.gain_hz_per_w).shape
    for name in names:
        column = np.asarray(getattr(record, name), dtype=np.float64)
        if column.shape != count:
            column = np.broadcast_to(column, count)
        object.__setattr__(record, name, np.ascontiguousarray(column))


def _check_ranges(
    kind: str, gain: FloatArray, weight: FloatArray, least: FloatArray, most: FloatArray
) -> None:
    if not len(gain):
        return
    faults = []
    if not (np.isfinite(gain).all() and (gain > 0.0).all()):
        faults.append(f"gain_hz_per_w must be > 0 for all {kind} users; got {gain.min():g} Hz/W.")
    if not (np.isfinite(weight).all() and (weight >= 0.0).all()):
        faults.append(f"weight must be >= 0 for all {kind} users; got {weight.min():g}.")
    if not ((least >= 0.0).all() and np.isfinite(most).all() and (least <= most).all()):
        at = int(np.argmax(~((least >= 0.0) & np.isfinite(most) & (least <= most))))
        faults.append(
            f"rates of {kind} users must be finite, 0 <= least <= most; got {least[at]:g} and "
            f"{most[at]:g} for user {at}."
        )
    _refuse(faults)


def _unusable(curve: Curve) -> str:
    return (
        f"expected a concave utility of the families {', '.join(FAMILIES)}; got "
        f"'{curve.family}'{'' if curve.order is None else f' of order {curve.order:g}'}. "
        "Where U is not concave no allocation can be certified this way."
    )


def _refuse(faults: list[str]) -> None:
    if faults:
        raise ScenarioError(" ".join(faults), faults)
