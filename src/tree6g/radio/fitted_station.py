r"""Energy of a base station, fitted to its own counters: affine in load, with what it can save.

$$E = P_0\,s + d\,(k_1 l + k_2 \sqrt{l}) + d'\,k_3\,l' + s \sum_m k_m f_m$$

with the load $l$ of the first cell, the load $l'$ of its further cells, and $f_m$ the fraction of
the interval spent in energy-saving mode $m$. The root stands for amplifiers of class B, whose
input power follows the root of their output power (Cripps, RF Power Amplifiers, 2nd ed., 2006,
ch. 3), beside the affine part (EARTH: Auer et al., IEEE Wireless Comm. 18(5), 2011). $s$ and $d$
scale from one configuration to another, see `hardware_scale`.

The constants are shared: each configuration is drawn to its kind of radio unit, that to its mode,
that to all; each station is drawn to its configuration. Drawing is a ridge penalty, the error to
be small is the mean absolute percentage error. Energies are in any one unit, per interval.

Measured deviation on 739 stations of 11 kinds over four days (ITU 5G energy challenge 2023, see
`tests/validation/test_base_stations_against_counters.py`): 1.2 % on later hours of fitted
stations, 7.4 % on stations that were not fitted, 21 % on kinds of radio unit that were not fitted.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FEATURES: Final = ("static", "load", "load of further cells", "root of load")
REFERENCE_DBM: Final = 46.0  # 40 W at each port, the commonest macro setting
REFERENCE_PORTS: Final = 2
ARRAY_PORTS: Final = 8  # from here on a transmit power is that of the whole array
STATIC_POWER: Final = 0.5  # share of the amplifiers' supply that follows what they can radiate
DYNAMIC_POWER: Final = 0.75
STATIC_PORT: Final = -0.35
DYNAMIC_PORT: Final = -0.25

# How far a group may lie from the one above it: all, mode, radio unit, layout, configuration.
LEVEL_PENALTY: Final = (1e-4, 3e-3, 3e-3, 3e-2, 3e-2)
STATION_PENALTY: Final = 0.1
_TYPICAL: Final = 0.7  # coefficients are counted in this multiple of the median energy
_ROUNDS: Final = 16
_FLOOR_FRAC: Final = 5e-3  # percentage errors below it weigh as in least squares
_STATION_ROUNDS: Final = 8
_BATCH: Final = 64  # stations that are solved at once, which bounds the memory
_FREE: Final = 1e-3  # penalty that only keeps unused factors from being free
_STATION_FLOOR_FRAC: Final = 2e-2
_FIRST_FRAC: Final = 0.1  # the error that the first round assumes


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupConstants:
    """Constants of nested groups; those of a configuration are the sum over its levels.

    Attributes:
        deviation: One array `[group, feature]` per level, relative to the level above.
    """

    deviation: tuple[FloatArray, ...]

    def of(self, level: IntArray) -> FloatArray:
        """Constants `[member, feature]` of members with groups `[member, level]`.

        A group of -1 was never seen: its level adds nothing, the levels above speak for it.
        """
        parts = [
            np.where(level[:, i, None] >= 0, own[level[:, i]], 0.0)
            for i, own in enumerate(self.deviation)
        ]
        return np.sum(parts, axis=0)


def hardware_scale(ports: FloatArray, tx_dbm: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""How static and dynamic power scale with a cell's ports and transmit power `[cell]`.

    With $P$ radiated in all and $p$ per port, relative to two ports of 46 dBm (40 W):
    $s = P^{0.5} p^{-0.35}$ and $d = P^{0.75} p^{-0.25}$. A port more costs more than a port
    turned up: amplifiers are chosen for their maximum, and at a back-off of $x$ class B draws
    $\sqrt{x}$. The exponents are rounded from the ratios between configurations of one kind of
    radio unit (1, 2 and 4 ports; 36 to 49 dBm) in the ITU 5G energy challenge's stations.

    From eight ports on `tx_dbm` is read as that of the whole array, as those stations give it.

    Returns:
        static, dynamic: 1 for the reference.

    >>> [float(part[0]) for part in hardware_scale(np.array([2.0]), np.array([46.0]))]
    [1.0, 1.0]
    """
    power = 10.0 ** ((tx_dbm - REFERENCE_DBM) / 10.0)
    array = ports >= ARRAY_PORTS
    total = np.where(array, power / REFERENCE_PORTS, power * ports / REFERENCE_PORTS)
    port = np.where(array, 1.0, power)
    return (
        total**STATIC_POWER * port**STATIC_PORT,
        total**DYNAMIC_POWER * port**DYNAMIC_PORT,
    )


def features(
    load_frac: FloatArray,
    further_load: FloatArray,
    saving_frac: FloatArray,
    *,
    static: FloatArray,
    dynamic: FloatArray,
) -> FloatArray:
    """The factors of the constants, `[row, feature]`: `FEATURES`, then one per saving mode.

    Args:
        load_frac: Load of the first cell `[row]`, 0..1.
        further_load: Loads of the further cells, each times its dynamic scale, in all `[row]`.
        saving_frac: Fraction of the interval in each energy-saving mode `[row, mode]`.
        static: Scale of the static power `[row]`, see `hardware_scale`.
        dynamic: Scale of the dynamic power of the first cell `[row]`.
    """
    first = [static, dynamic * load_frac, further_load, dynamic * np.sqrt(load_frac)]
    return np.column_stack([*first, static[:, None] * saving_frac])


def fit_groups(
    feature: FloatArray,
    energy: FloatArray,
    station: IntArray,
    level: IntArray,
    *,
    count: FloatArray | None = None,
    penalty: Sequence[float] = LEVEL_PENALTY,
) -> GroupConstants:
    r"""Constants of nested groups that make the mean absolute percentage error small.

    $$\min_b\; \frac{n_s}{n}\sum_i \frac{|E_i - x_i \sum_v b_v|}{E_i}
      + \tfrac12 \sum_v \lambda_v \|b_v / b_0\|^2$$

    by iteratively reweighted least squares, for $n$ rows of $n_s$ stations; $b_0$ is a typical
    constant. Rows count by station, for the hours of one station tell little of the others.

    Args:
        feature: Factors `[row, feature]`.
        energy: Measured energy `[row]`, > 0.
        station: Station of each row `[row]`.
        level: Group of each station at each level, nested `[station, level]`.
        count: How often each station counts `[station]`, None for once: for resampling.
        penalty: How strongly each level is drawn to the one above `[level]`.
    """
    unit = _TYPICAL * float(np.median(energy))
    fitted_level = level[station]  # stations without rows stay out, whatever their groups
    members, member = np.unique(fitted_level, axis=0, return_inverse=True)
    member = member.ravel()
    order = np.argsort(member, kind="stable")
    x = feature[order] * (unit / energy[order, None])
    edges = np.searchsorted(member[order], np.arange(len(members) + 1))
    often = np.ones(len(energy)) if count is None else count[station[order]]
    per_row = often * (len(np.unique(station)) / len(energy))
    weight = per_row
    for _ in range(_ROUNDS):
        gram, right = _normal_equations(x, weight, edges)
        shared = _solve_nested(gram, right, members, penalty)
        own = np.sum([part[members[:, i]] for i, part in enumerate(shared)], axis=0)
        fitted = np.einsum("rf,rf->r", x, np.repeat(own, np.diff(edges), axis=0))
        weight = per_row / np.maximum(np.abs(1.0 - fitted), _FLOOR_FRAC)
    missing = level.max(axis=0) + 1 - [len(part) for part in shared]
    padded = [np.pad(part, ((0, int(n)), (0, 0))) for part, n in zip(shared, missing, strict=True)]
    return GroupConstants(deviation=tuple(part * unit for part in padded))


def fit_stations(
    feature: FloatArray,
    energy: FloatArray,
    station: IntArray,
    prior: FloatArray,
    *,
    penalty: float = STATION_PENALTY,
) -> FloatArray:
    """Constants of each station `[station, feature]`, drawn to those of its configuration.

    The objective is that of `fit_groups` with one row counting as one; a station without rows
    keeps its prior.

    Args:
        feature: Factors `[row, feature]`.
        energy: Measured energy `[row]`, > 0.
        station: Station of each row `[row]`.
        prior: Constants of each station's configuration `[station, feature]`.
        penalty: How strongly a station is drawn to its configuration.
    """
    unit = _TYPICAL * float(np.median(energy))
    own: FloatArray = prior.copy()
    for start in range(0, len(prior), _BATCH):
        some = np.arange(start, min(start + _BATCH, len(prior)))
        x, there = _by_station(feature / energy[:, None], station, some)
        left_frac = there * (1.0 - np.einsum("srf,sf->sr", x, prior[some]))
        own[some] += unit * _robust_ridge(x * unit, left_frac, there, penalty)
    return own


def station_misfit(feature: FloatArray, energy: FloatArray, station: IntArray) -> FloatArray:
    """Mean absolute relative error `[station]` of each station's own, hardly penalised fit.

    Arguments as in `fit_stations`; the stations are 0 to the largest that occurs. NaN for a
    station without rows.
    """
    unit = float(np.median(energy))
    misfit = np.full(int(station.max()) + 1, np.nan)
    for start in range(0, len(misfit), _BATCH):
        some = np.arange(start, min(start + _BATCH, len(misfit)))
        x, there = _by_station(feature * (unit / energy[:, None]), station, some)
        found = _robust_ridge(x, there, there, _FREE)
        error = np.abs(there - np.einsum("srf,sf->sr", x, found)).sum(axis=1)
        rows = there.sum(axis=1)
        misfit[some] = np.where(rows > 0, error / np.maximum(rows, 1.0), np.nan)
    return misfit


def predict(feature: FloatArray, constants: FloatArray) -> FloatArray:
    """Energy `[row]` of factors and constants, both `[row, feature]`; never below zero."""
    return np.maximum(np.einsum("rf,rf->r", feature, constants), 0.0)


def _by_station(x: FloatArray, station: IntArray, some: IntArray) -> tuple[FloatArray, FloatArray]:
    """Rows of some neighbouring stations `[station, slot, feature]`, and 1 where a slot is one."""
    mine = np.flatnonzero((station >= some[0]) & (station <= some[-1]))
    mine = mine[np.argsort(station[mine], kind="stable")]
    at = station[mine] - some[0]
    count = np.bincount(at, minlength=len(some))
    slot = np.arange(len(mine)) - np.repeat(np.cumsum(count) - count, count)
    rows = np.zeros((len(some), max(int(count.max()), 1), x.shape[1]))
    there = np.zeros(rows.shape[:2])
    rows[at, slot], there[at, slot] = x[mine], 1.0
    return rows, there


def _robust_ridge(x: FloatArray, y: FloatArray, there: FloatArray, penalty: float) -> FloatArray:
    """Coefficients `[station, feature]` of small absolute errors of `y` `[station, slot]`."""
    ridge = penalty * np.eye(x.shape[2])
    weight = there / _FIRST_FRAC
    for _ in range(_STATION_ROUNDS):
        weighted = x * weight[:, :, None]
        gram = np.matmul(weighted.transpose(0, 2, 1), x) + ridge
        right = np.einsum("srf,sr->sf", weighted, y)
        found = _solve_each(gram, right)
        error = np.abs(y - np.einsum("srf,sf->sr", x, found))
        weight = there / np.maximum(error, _STATION_FLOOR_FRAC)
    return found


def _normal_equations(
    x: FloatArray, weight: FloatArray, edges: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Gram matrices `[member, feature, feature]` and right sides of least squares to ones."""
    weighted = x * weight[:, None]
    gram = [np.einsum("rf,rg->fg", weighted[a:b], x[a:b]) for a, b in itertools.pairwise(edges)]
    return np.array(gram), np.add.reduceat(weighted, edges[:-1], axis=0)


def _solve_nested(
    gram: FloatArray, right: FloatArray, members: IntArray, penalty: Sequence[float]
) -> list[FloatArray]:
    r"""Deviations `[group, feature]` of each level that minimise the penalised squares.

    Groups form a tree, which is solved from its leaves: a node whose parents sum to $s$ has
    $b = (G + \lambda I)^{-1} (h - G s)$, and leaves its parent the problem
    $G' = \lambda (G + \lambda I)^{-1} G$, $h' = \lambda (G + \lambda I)^{-1} h$.

    Args:
        gram: $G$ of each member `[member, feature, feature]`.
        right: $h$ of each member `[member, feature]`.
        members: Groups of each member, nested `[member, level]`.
        penalty: $\lambda$ of each level.
    """
    levels = range(members.shape[1])
    kept: list[tuple[FloatArray, FloatArray]] = []
    index = members.T
    child = np.arange(len(members))  # the group of each member one level below
    for v in reversed(levels):
        first = np.unique(child, return_index=True)[1]
        groups = int(members[:, v].max()) + 1
        own_gram = np.zeros((groups, *gram.shape[1:]))
        own_right = np.zeros((groups, right.shape[1]))
        np.add.at(own_gram, index[v][first], gram[child[first]])
        np.add.at(own_right, index[v][first], right[child[first]])
        ridge = own_gram + penalty[v] * np.eye(right.shape[1])
        share: FloatArray = np.asarray(np.linalg.solve(ridge, own_gram), dtype=np.float64)
        kept.append((share, _solve_each(ridge, own_right)))
        gram, right = penalty[v] * share, penalty[v] * kept[-1][1]
        child = index[v]
    above = np.zeros((len(members), right.shape[1]))
    found = []
    for v, (share, target) in zip(levels, reversed(kept), strict=True):
        deviation = target.copy()
        deviation[index[v]] -= np.einsum("mfg,mg->mf", share[index[v]], above)
        found.append(deviation)
        above = above + deviation[index[v]]
    return found


def _solve_each(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solutions `[one, feature]` of many small systems."""
    return np.asarray(np.linalg.solve(matrix, right[:, :, None])[:, :, 0], dtype=np.float64)
