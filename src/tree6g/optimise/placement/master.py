"""The linear or whole-number program of some of the ways, in one HiGHS object throughout.

HiGHS minimises, so costs have the other sign. Columns: sites, then one stand-in per service that
has to be served (so that the program always has a solution), then ways as they are added.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g.errors import ScenarioError
from tree6g.optimise.placement.problem import BoolArray, FloatArray, IntArray
from tree6g.optimise.placement.rows import Rows

TOLERANCE: Final = 1e-9  # of rows and of whole numbers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """A solution of the relaxation.

    Attributes:
        surplus: N - price P of it.
        utility_bps: N of it.
        power_w: P of it.
        value: Shares of the ways that the program knows. [column]
        open_frac: Of sites. [site]
        unserved: Shares of services that have to be served and are not. [service]
        dual: Prices of the rows of sites, >= 0; 0 for services. [row]
    """

    surplus: float
    utility_bps: float
    power_w: float
    value: FloatArray
    open_frac: FloatArray
    unserved: FloatArray
    dual: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What the search for whole numbers has found.

    Attributes:
        chosen: Ways, or nothing if no placement was found.
        surplus_bound: N - price P of no placement of these ways is greater.
        nodes: Of the search tree.
        none: There is no placement of these ways at all.
    """

    chosen: IntArray | None
    surplus_bound: float
    nodes: int
    none: bool


class Master:
    """The program of the ways that have been added so far."""

    def __init__(self, rows: Rows, scale: float) -> None:
        """Sites and stand-ins, no ways yet; utilities count in units of `scale`."""
        self._highspy = library()
        self._rows, self._scale = rows, scale
        self._inf = self._highspy.kHighsInf
        self.columns: IntArray = np.empty(0, dtype=np.int64)
        self._known = np.zeros(rows.ways, dtype=np.bool_)
        self._required = np.flatnonzero(rows.required)
        self._first = rows.sites + len(self._required)
        self._whole = False
        self._solver = _silently(self._highspy.Highs)
        for name, value in _OPTIONS.items():
            self._solver.setOptionValue(name, value)
        self._add_rows()

    def add(self, ways: IntArray) -> int:
        """Add ways that are not there yet; how many there were."""
        fresh = np.unique(ways[~self._known[ways]])
        if len(fresh):
            row, entry = self._rows.row[fresh], self._rows.entry[fresh]
            there = entry != 0.0
            self._add(there.sum(axis=1), row[there], entry[there])
            self.columns = np.concatenate([self.columns, fresh])
            self._known[fresh] = True
        return len(fresh)

    def relaxed(self, price: float) -> Relaxed:
        """The relaxation at a price of power."""
        self._set_price(price)
        self._set_whole(None)
        self._solver.run()
        solution, rows = self._solver.getSolution(), self._rows
        value = np.asarray(solution.col_value)
        dual = np.maximum(-np.asarray(solution.row_dual) * self._scale, 0.0)
        dual = dual[: len(rows.site_of_row)]  # places decide for themselves, without a price
        dual[: rows.services] = 0.0
        open_frac, ways = value[: rows.sites], value[self._first :]
        power_w = (
            rows.fixed_power_w
            + float(rows.power_w[self.columns] @ ways)
            + float(rows.idle_power_w @ open_frac)
        )
        utility = rows.fixed_utility_bps + float(rows.utility_bps[self.columns] @ ways)
        unserved = np.zeros(rows.services)
        unserved[self._required] = value[rows.sites : self._first]
        return Relaxed(
            surplus=utility - price * power_w,
            utility_bps=utility,
            power_w=power_w,
            value=ways,
            open_frac=open_frac,
            unserved=unserved,
            dual=dual,
        )

    def whole(
        self, price: float, allowed: BoolArray, start: IntArray | None, gap: float, nodes: int
    ) -> Whole:
        """The best whole placement of the allowed ways at a price of power.

        Args:
            price: Of power.
            allowed: Which of the columns may be used. [column]
            start: A placement to begin with.
            gap: Absolute, in N - price P, at which the search may end.
            nodes: Of the search tree at most.
        """
        self._set_price(price)
        self._set_whole(allowed)
        self._solver.setOptionValue("mip_abs_gap", max(gap / self._scale, 1e-12))
        self._solver.setOptionValue("mip_max_nodes", nodes)
        if start is not None:
            self._begin_with(start)
        self._solver.run()
        info, rows = self._solver.getInfo(), self._rows
        fixed = rows.fixed_utility_bps - price * rows.fixed_power_w
        bound = fixed - info.mip_dual_bound * self._scale
        found = info.primal_solution_status == self._highspy.SolutionStatus.kSolutionStatusFeasible
        chosen = None
        if found:
            value = np.asarray(self._solver.getSolution().col_value)[self._first :]
            chosen = self.columns[value > 0.5]
        status = self._solver.getModelStatus()
        return Whole(
            chosen=chosen,
            surplus_bound=bound,
            nodes=max(int(info.mip_node_count), 0),
            none=status == self._highspy.HighsModelStatus.kInfeasible,
        )

    def _add_rows(self) -> None:
        rows, none = self._rows, np.empty(0)
        first, shared = len(rows.site_of_row), rows.shared
        count = first + len(shared)
        upper = np.zeros(count)
        upper[: rows.services] = upper[first:] = 1.0
        lower = np.full(count, -self._inf)
        lower[self._required] = 1.0
        empty = np.zeros(count, dtype=np.int32)
        self._solver.addRows(count, lower, upper, 0, empty, none.astype(np.int32), none)
        also = np.flatnonzero(np.isin(rows.group, shared))
        site = np.concatenate([rows.site_of_row[rows.services :], also])
        row = np.arange(rows.services, first)
        row = np.concatenate([row, first + np.searchsorted(shared, rows.group[also])])
        entry = np.where(row < first, -1.0, 1.0)
        order = np.argsort(site, kind="stable")
        self._add(np.bincount(site, minlength=rows.sites), row[order], entry[order])
        ones = np.ones(len(self._required), dtype=np.int64)
        self._add(ones, self._required, ones.astype(np.float64))
        on = np.flatnonzero(rows.always_on).astype(np.int32)
        self._solver.changeColsBounds(len(on), on, np.ones(len(on)), np.ones(len(on)))

    def _add(self, sizes: IntArray, row: IntArray, entry: FloatArray) -> None:
        count = len(sizes)
        starts = (np.cumsum(sizes) - sizes).astype(np.int32)
        self._solver.addCols(
            count,
            np.zeros(count),
            np.zeros(count),
            np.ones(count),
            len(row),
            starts,
            row.astype(np.int32),
            entry,
        )

    def _set_price(self, price: float) -> None:
        rows = self._rows
        gains = rows.gains(price)[self.columns]
        worst = 10.0 * float(np.abs(rows.gains(price)).max(initial=0.0))
        worst += 10.0 * price * float(rows.idle_power_w.sum()) + self._scale
        cost = np.concatenate(
            [price * rows.idle_power_w, np.full(len(self._required), worst), -gains]
        )
        self._solver.changeColsCost(
            len(cost), np.arange(len(cost), dtype=np.int32), cost / self._scale
        )

    def _set_whole(self, allowed: BoolArray | None) -> None:
        """Whole numbers for the allowed ways and no others, or no whole numbers at all."""
        if allowed is None and not self._whole:
            return
        self._whole = allowed is not None
        count = self._first + len(self.columns)
        upper = np.ones(count)
        if allowed is not None:
            upper[self._rows.sites : self._first] = 0.0
            upper[self._first :] = allowed
        lower = np.zeros(count)
        lower[: self._rows.sites] = self._rows.always_on
        every = np.arange(count, dtype=np.int32)
        self._solver.changeColsBounds(count, every, lower, upper)
        self._solver.changeColsIntegrality(
            count, every, np.full(count, self._whole, dtype=np.uint8)
        )

    def _begin_with(self, start: IntArray) -> None:
        rows = self._rows
        value = np.zeros(self._first + len(self.columns))
        value[: rows.sites] = rows.always_on
        for way in start:
            at = rows.site_of_row[rows.row[way][rows.entry[way] != 0.0]]
            value[at[at >= 0]] = 1.0
        value[self._first :] = np.isin(self.columns, start)
        every = np.arange(len(value), dtype=np.int32)
        self._solver.setSolution(len(value), every, value)


def library() -> Any:
    """HiGHS, or what to install."""
    try:
        return import_module("highspy")
    except ImportError as error:
        raise ScenarioError(
            "expected the package 'highspy', which places services; it is not installed. "
            "Run: pip install 'tree6g[optimise]'"
        ) from error


def _silently(make: Callable[[], Any]) -> Any:
    """A solver without the lines about itself that some versions write when they are made."""
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, ValueError):  # nothing that could be written to
        return make()
    try:
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            return make()
    finally:
        os.dup2(kept, 1)
        os.close(kept)


_OPTIONS: Final[dict[str, Any]] = {
    "output_flag": False,
    "threads": 1,
    "random_seed": 0,
    "primal_feasibility_tolerance": TOLERANCE,
    "dual_feasibility_tolerance": TOLERANCE,
    "mip_feasibility_tolerance": TOLERANCE,
    "mip_rel_gap": 0.0,
}
