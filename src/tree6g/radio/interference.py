"""SINR under the load of the other cells, and the load that a demand and its interference make."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.link import shannon
from tree6g.radio.pathloss import FloatArray

IntArray = npt.NDArray[np.integer]
BoolArray = npt.NDArray[np.bool_]
Rate = Callable[[FloatArray, float], FloatArray]

MAX_ITERATIONS: Final = 500  # more than a load near 1 takes; then it is said, not raised
DAMPED_AFTER: Final = 60  # half steps from here on: same fixed points, and cycles die out
NOT_SERVED: Final = -1  # entry of `serving` of a terminal that no cell serves


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CoupledLoad:
    """Fixed point of load and interference.

    Attributes:
        load_frac: Share of resources in use, at most 1. [cell]
        wanted_frac: Share that the demand asks for at this interference; above 1 the cell is
            overloaded and serves load / wanted of every demand. [cell]
        sinr_db: SINR at `load_frac`; -inf for a terminal that no cell serves. [terminal]
        rate_bps: Rate with the whole bandwidth at that SINR. [terminal]
        blocked: Terminals with a demand that could not be received at all; their demand is in no
            load. [terminal]
        iterations: Evaluations of the load function.
        residual: Largest change of a load in the last one.
        converged: The residual is at most the tolerance.
    """

    load_frac: FloatArray
    wanted_frac: FloatArray
    sinr_db: FloatArray
    rate_bps: FloatArray
    blocked: BoolArray
    iterations: int
    residual: float
    converged: bool

    @property
    def overloaded(self) -> BoolArray:
        """Cells whose demand does not fit, by cell."""
        return self.wanted_frac > 1.0

    @property
    def served_frac(self) -> FloatArray:
        """Share of its demand that a cell can serve: min(1, load / wanted), by cell."""
        wanted = np.maximum(self.wanted_frac, self.load_frac)
        return np.divide(self.load_frac, wanted, out=np.ones_like(wanted), where=wanted > 1.0)


def downlink_sinr_db(
    gain_db: npt.ArrayLike,
    serving: IntArray,
    power_w: npt.ArrayLike,
    load_frac: npt.ArrayLike,
    noise_w: npt.ArrayLike,
) -> FloatArray:
    """Mean SINR while the other cells transmit in a share of the resources.

    SINR_u = P_s g_us / (sum over c != s of x_c P_c g_uc + N): a cell that uses a share x of its
    resources disturbs with x of its power on average (Mogensen et al., VTC Spring 2007; Siomina
    and Yuan, IEEE Trans. Wireless Commun. 11(6), 2012). The interference is averaged before the
    ratio is taken, so that the mean rate is a little understated. [terminal]

    Args:
        gain_db: Coupling gain, all antennas included. [terminal, cell]
        serving: Index of the serving cell; negative for none. [terminal]
        power_w: Transmitted power at full load; 0 for a cell that is switched off. [cell]
        load_frac: Share of resources in use. [cell]
        noise_w: Noise power over the same bandwidth. Scalar or [terminal]
    """
    received_w = _linear(gain_db) * _array(power_w)
    signal_w = _take_serving(received_w, serving)
    disturbance_w = received_w @ _array(load_frac) + _array(noise_w)
    return _ratio_db(signal_w, disturbance_w)


def coupled_load(  # noqa: PLR0913  the physical arguments of one equation
    gain_db: npt.ArrayLike,
    serving: IntArray,
    power_w: npt.ArrayLike,
    demand_bps: npt.ArrayLike,
    bandwidth_hz: float,
    noise_w: npt.ArrayLike,
    *,
    gain: FloatArray | None = None,
    rate: Rate | None = None,
    least_frac: float = 0.0,
    start_frac: npt.ArrayLike = 0.0,
    tolerance: float = 1e-6,
) -> CoupledLoad:
    """Load of every cell when load makes interference and interference makes load.

    Fixed point of x_c = min(1, max(least, f_c(x))) with f_c(x) = sum over the cell's terminals of
    demand / rate(SINR(x)) (load coupling: Siomina and Yuan 2012, eq. 4; Ho, Yuan and Sun, IEEE
    Trans. Wireless Commun. 13(6), 2014).

    With a rate that is continuous, nowhere 0 at full load, and grows at most in proportion to the
    SINR (Shannon, attenuated or capped), f is a standard interference function (Yates, IEEE JSAC
    13(7), 1995): positive, monotone, scalable. Its minimum with 1 is again one, so that there is
    exactly one fixed point and x <- f(x) reaches it from anywhere; from 0 the loads only rise.
    With a rate in steps (MCS tables) f is still monotone but not scalable: there may be several
    fixed points, and starting at 0 finds the least (Tarski). `start_frac` 1 finds the greatest: if
    both agree, the point is unique.

    A terminal with a demand and a rate of 0 asks for infinite resources. Where that happens on the
    way up, so at a load below the fixed point, it is `blocked` and the iteration goes on without
    it; on the way from another start it is left out of the step and blocked if its rate is 0 in
    the end.

    Args:
        gain_db: Coupling gain, all antennas included. [terminal, cell]
        serving: Index of the serving cell; negative for none. [terminal]
        power_w: Transmitted power at full load; 0 for a cell that is switched off. [cell]
        demand_bps: Mean bit rate that each terminal asks for; inf fills its cell. [terminal]
        bandwidth_hz: Bandwidth of every cell, all of it reused.
        noise_w: Noise power over that bandwidth. Scalar or [terminal]
        gain: The gains as factors, if they are known; `gain_db` is then not looked at.
        rate: Rate over a bandwidth at a SINR in dB; nondecreasing. Default: `shannon.rate_bps` of
            the downlink, all the time.
        least_frac: Share of resources that an empty cell transmits in (broadcast).
        start_frac: Load that the iteration starts from, such as that of the period before. Scalar
            or [cell]
        tolerance: Largest change of a load that counts as none.

    Returns:
        Loads with SINR, rates, overload and convergence. Overload is not an error: the load is
        capped at 1 and `wanted_frac` says what was asked for.

    Raises:
        DataError: A demand is negative or not a number.
    """
    received_w = (_linear(gain_db) if gain is None else gain) * _array(power_w)
    signal_w, noise = _take_serving(received_w, serving), _array(noise_w)

    def sinr_db(load: FloatArray) -> FloatArray:
        """SINR of each terminal in dB under a load."""
        return _ratio_db(signal_w, received_w @ load + noise)

    def reached(share: FloatArray) -> FloatArray:
        """Load that the shares make, from what cells always send to 1."""
        return np.minimum(1.0, np.maximum(least_frac, _by_cell(share, serving, cells)))

    cells = received_w.shape[1]
    start = np.broadcast_to(_array(start_frac), cells)
    rate_at = _over(rate or _shannon_downlink, bandwidth_hz)
    point = _fixed_point(
        sinr_db, reached, rate_at, _checked(demand_bps, most_bps=np.inf), np.asarray(serving) >= 0,
        start=start, rising=bool((start <= least_frac).all()), tolerance=tolerance,
    )  # fmt: skip
    return _coupled(point, point.state, _by_cell(point.share, serving, cells), tolerance)


def uplink_sinr_db(
    gain_db: npt.ArrayLike,
    serving: IntArray,
    power_w: npt.ArrayLike,
    time_frac: npt.ArrayLike,
    noise_w: npt.ArrayLike,
) -> FloatArray:
    """Mean SINR of every terminal at its base station.

    SINR_u = P_u g_us / (sum over terminals v of other cells of x_v P_v g_vs + N): terminals of one
    cell take turns (or disjoint resource blocks), each disturbs other cells for its share x of the
    time. [terminal]

    Args:
        gain_db: Coupling gain, all antennas included. [terminal, cell]
        serving: Index of the serving cell; negative for none. [terminal]
        power_w: Power of a terminal while it sends, see `power_control`. [terminal]
        time_frac: Share of time in which it sends. [terminal]
        noise_w: Noise power of the base station over the same bandwidth. Scalar or [cell]
    """
    received_w = _linear(gain_db) * _array(power_w)[:, None]
    signal_w = _take_serving(received_w, serving)
    return _at_station(signal_w, received_w, serving, _array(time_frac), _array(noise_w))


def coupled_uplink_load(
    gain_db: npt.ArrayLike,
    serving: IntArray,
    power_w: npt.ArrayLike,
    demand_bps: npt.ArrayLike,
    bandwidth_hz: float,
    noise_w: npt.ArrayLike,
    *,
    gain: FloatArray | None = None,
    rate: Rate | None = None,
    tolerance: float = 1e-6,
) -> CoupledLoad:
    """`coupled_load` of the uplink: the terminals' shares of time make the interference.

    Without overload the map is a standard interference function as in the downlink, under the same
    conditions on the rate. In an overloaded cell all shares shrink by one factor, which is not
    monotone: there the fixed point exists (Brouwer, for a continuous rate) but neither its
    uniqueness nor convergence is proven; `converged` says what happened. Starts at 0; after 60
    evaluations by half steps.

    Args:
        gain_db: Coupling gain, all antennas included. [terminal, cell]
        serving: Index of the serving cell; negative for none. [terminal]
        power_w: Power of a terminal while it sends. [terminal]
        demand_bps: Mean bit rate that each terminal asks for. [terminal]
        bandwidth_hz: Bandwidth of every cell, all of it given to one terminal at a time.
        noise_w: Noise power of the base station over that bandwidth. Scalar or [cell]
        gain: The gains as factors, if they are known; `gain_db` is then not looked at.
        rate: Rate over a bandwidth at a SINR in dB; nondecreasing. Default: `shannon.rate_bps` of
            the uplink, all the time.
        tolerance: Largest change of a share that counts as none.

    Raises:
        DataError: A demand is negative or not finite.
    """
    received_w = (_linear(gain_db) if gain is None else gain) * _array(power_w)[:, None]
    signal_w, noise = _take_serving(received_w, serving), _array(noise_w)
    terminals, cells = received_w.shape

    def sinr_db(share: FloatArray) -> FloatArray:
        """SINR of each terminal in dB under shares of the band."""
        return _at_station(signal_w, received_w, serving, share, noise)

    def reached(share: FloatArray) -> FloatArray:
        """Shares that fit into each cell's band."""
        wanted = np.maximum(1.0, _by_cell(share, serving, cells))
        return np.asarray(share / wanted[serving])

    point = _fixed_point(
        sinr_db, reached, _over(rate or _shannon_uplink, bandwidth_hz),
        _checked(demand_bps, most_bps=np.finfo(np.float64).max), np.asarray(serving) >= 0,
        start=np.zeros(terminals), rising=True, tolerance=tolerance,
    )  # fmt: skip
    load = np.minimum(1.0, _by_cell(point.state, serving, cells))
    return _coupled(point, load, _by_cell(point.share, serving, cells), tolerance)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Point:
    """Where the iteration ended: its state, and what follows from it for each terminal."""

    state: FloatArray
    share: FloatArray
    sinr_db: FloatArray
    rate_bps: FloatArray
    blocked: BoolArray
    iterations: int
    residual: float


def _fixed_point(
    sinr_db: Callable[[FloatArray], FloatArray],
    reached: Callable[[FloatArray], FloatArray],
    rate_at: Callable[[FloatArray], FloatArray],
    demand_bps: FloatArray,
    served: BoolArray,
    *,
    start: FloatArray,
    rising: bool,
    tolerance: float,
) -> _Point:
    asks = (demand_bps > 0.0) & served
    state, residual, iterations = start, np.inf, 0
    while True:
        sinr = sinr_db(state)
        rate_bps = np.where(served, rate_at(sinr), 0.0)
        received = rate_bps > 0.0
        asks &= received | (not rising)
        share = np.divide(demand_bps, rate_bps, out=np.zeros_like(rate_bps), where=asks & received)
        if residual <= tolerance or iterations == MAX_ITERATIONS:
            break
        following = reached(share)
        residual = float(np.abs(following - state).max(initial=0.0))
        halved = iterations >= DAMPED_AFTER
        state = (state + following) / 2.0 if halved else following
        iterations += 1
    return _Point(
        state=state, share=share, sinr_db=sinr, rate_bps=rate_bps,
        blocked=(demand_bps > 0.0) & ~(asks & received), iterations=iterations, residual=residual,
    )  # fmt: skip


def _checked(demand_bps: npt.ArrayLike, *, most_bps: float) -> FloatArray:
    demand = _array(demand_bps)
    wrong = np.flatnonzero(~((demand >= 0.0) & (demand <= most_bps)))
    if wrong.size:
        raise DataError(
            f"expected demands of 0 bit/s or more, finite in the uplink; got {demand[wrong[0]]:g} "
            f"for terminal {wrong[0]}, {wrong.size} such in all. Give 0 to who asks for nothing."
        )
    return demand


def _coupled(point: _Point, load: FloatArray, wanted: FloatArray, tolerance: float) -> CoupledLoad:
    return CoupledLoad(
        load_frac=load, wanted_frac=wanted, sinr_db=point.sinr_db, rate_bps=point.rate_bps,
        blocked=point.blocked, iterations=point.iterations, residual=point.residual,
        converged=point.residual <= tolerance,
    )  # fmt: skip


def _by_cell(share: FloatArray, serving: IntArray, cells: int) -> FloatArray:
    served = np.asarray(serving) >= 0
    sums = np.bincount(np.asarray(serving)[served], weights=share[served], minlength=cells)
    return sums.astype(np.float64)


def _at_station(
    signal_w: FloatArray,
    received_w: FloatArray,
    serving: IntArray,
    time_frac: FloatArray,
    noise_w: FloatArray,
) -> FloatArray:
    disturbance_w = time_frac @ received_w + noise_w  # [cell]
    return _ratio_db(signal_w, disturbance_w[serving])


def _over(rate: Rate, bandwidth_hz: float) -> Callable[[FloatArray], FloatArray]:
    return lambda sinr_db: rate(sinr_db, bandwidth_hz)


def _shannon_downlink(sinr_db: FloatArray, bandwidth_hz: float) -> FloatArray:
    return shannon.rate_bps(sinr_db, bandwidth_hz, quality=shannon.DOWNLINK)


def _shannon_uplink(sinr_db: FloatArray, bandwidth_hz: float) -> FloatArray:
    return shannon.rate_bps(sinr_db, bandwidth_hz, quality=shannon.UPLINK)


def _array(values: npt.ArrayLike) -> FloatArray:
    return np.asarray(values, dtype=np.float64)


def _linear(gain_db: npt.ArrayLike) -> FloatArray:
    return np.asarray(10.0 ** (_array(gain_db) / 10.0))


def _take_serving(received_w: FloatArray, serving: IntArray) -> FloatArray:
    """Power from the serving cell, taken out of the array: what is left is interference."""
    rows = np.flatnonzero(np.asarray(serving) >= 0)
    columns = np.asarray(serving)[rows]
    signal_w = np.zeros(received_w.shape[0])
    signal_w[rows] = received_w[rows, columns]
    received_w[rows, columns] = 0.0  # not a difference of nearly equal sums: exact at any SINR
    return signal_w


def _ratio_db(signal_w: FloatArray, disturbance_w: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(10.0 * np.log10(signal_w / disturbance_w))
