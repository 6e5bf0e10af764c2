"""Prices of a whole network: those of each cell by itself, about a price of each shared pool.

At given watts per worth and prices pi of the pools' GPU seconds, the cells have nothing to do with
one another: D = sum of D_cell(pi) + pi . S - P_pools, where a token costs kappa pi more, and the
prices within each cell are found as if it were alone (`prices`). What the cells leave is convex in
pi; its least is found by Newton steps, with the cells' prices eliminated (Schur complement). Effort
grows in proportion to the cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Sequence
from typing import Final, NamedTuple

import numpy as np

from tree6g.optimise.allocation import prices
from tree6g.optimise.allocation.items import worth
from tree6g.optimise.allocation.prices import Setting, surplus_w
from tree6g.optimise.allocation.problem import FloatArray, IntArray
from tree6g.optimise.allocation.response import Ask, Response, response

FIRST_FRAC: Final = 0.05  # of the fixed power: what all of a pool costs to begin with
WIDENING: Final = 1e3  # of ramps between which steps did not end
MANY: Final = 2 * prices.NEWTON_STEPS  # questions, more than which say that they did not
REACH: Final = (0.9, 9.0)  # a price falls and rises by that of itself at most in a step


class Shared(NamedTuple):
    """Which items of a cell need a pool, and what of it.

    Attributes:
        item: Their numbers. [shared item]
        pool: Their pools. [shared item]
        gpu: GPU seconds per unit. [shared item]
    """

    item: IntArray
    pool: IntArray
    gpu: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """A network with one choice of all accelerators, as the prices see it.

    Attributes:
        cells: Its cells.
        shared: What they need of pools. [cell]
        limit: GPU seconds per second of each pool. [pool]
        fixed_w: Power of everything, whatever is given.
    """

    cells: tuple[Setting, ...]
    shared: tuple[Shared, ...]
    limit: FloatArray
    fixed_w: float

    @property
    def beside(self) -> float:
        """Worth per second whatever is given."""
        return sum(cell.beside for cell in self.cells)

    @property
    def several(self) -> bool:
        """Whether a cell has others to share the ratio or a pool with."""
        return len(self.cells) > 1 or len(self.limit) > 0

    @property
    def pools_w(self) -> float:
        """Power of what waits in the pools."""
        return self.fixed_w - sum(cell.fixed_w for cell in self.cells)


class State(NamedTuple):
    """Where the prices are.

    Attributes:
        asks: Prices of each cell. [cell]
        taken: What its items take there. [cell]
        price: Watts of a GPU second per second of each pool. [pool]
        asked: How often the users of a cell were asked.
        lost: Whether the steps to its prices did not end. [cell]
    """

    asks: tuple[Ask, ...]
    taken: tuple[Response, ...]
    price: FloatArray
    asked: int
    lost: tuple[bool, ...] = ()

    @property
    def w_per_worth(self) -> float:
        """Watts that a unit of worth may cost."""
        return self.asks[0].w_per_worth

    def bound(self, joint: Joint) -> float:
        """No allocation of this setting has a greater ratio (Lagrangian duality).

        worth / power <= (1 + D / P_fixed) / w_per_worth, D without ramps and not below 0.
        """
        over_w = float(sum(_open_w(joint, self))) + _pools_w(joint, self.price)
        return (1.0 + max(over_w, 0.0) / joint.fixed_w) / self.w_per_worth


def stages(joint: Joint, state: State) -> Generator[State, float, None]:
    """The prices at ever narrower ramps; `send` the best ratio so far, Dinkelbach's next aim.

    Where the ratio does not rise any more, prices are found more exactly.
    """
    loose, best = 1.0, 0.0
    for _ in range(prices.STAGES):
        state = settled(joint, state, loose)
        ratio = yield state
        loose, best = (1.0 if ratio > best * (1.0 + 1e-12) else 1e-2 * loose), max(ratio, best)
        state = _next(joint, state, ratio)


def _next(joint: Joint, state: State, ratio: float) -> State:
    """Narrower ramps, and prices that follow.

    What one cell still lacks moves the watts per worth of all. Where ramps had become too narrow
    for that, so that steps did not end, they are wide again: any width leads to the same end.
    """
    asks = []
    for cell, ask, taken, lost in zip(
        joint.cells, state.asks, state.taken, state.lost, strict=True
    ):
        follows = prices.next_ask(cell, ask, taken, ratio)
        if lost:
            follows = follows._replace(width=min(WIDENING * ask.width, prices.WIDEST))
        asks.append(follows)
    return state._replace(asks=tuple(asks), price=state.price / (ratio * state.w_per_worth))


def start(joint: Joint) -> State:
    """Prices to begin with, and the worth of a watt at fair amounts."""
    amounts = [prices.fair_start(cell) for cell in joint.cells]
    _fair_pools(joint, amounts)
    spent_w = joint.fixed_w + sum(map(prices.moved_w, joint.cells, amounts))
    earned = joint.beside + float(
        sum(worth(c.items, a).sum() for c, a in zip(joint.cells, amounts, strict=True))
    )
    w_per_worth = spent_w / max(earned, 1e-300)
    asks = tuple(
        prices.start(cell, amount, w_per_worth)
        for cell, amount in zip(joint.cells, amounts, strict=True)
    )
    price = np.divide(
        FIRST_FRAC * joint.fixed_w, joint.limit, out=0.0 * joint.limit, where=joint.limit > 0.0
    )
    return State(asks=asks, taken=(), price=price, asked=0)


def _fair_pools(joint: Joint, amounts: Sequence[FloatArray]) -> None:
    """Of what is too much for a pool all get the same share less."""
    busy = use_of_pools(joint, amounts)
    part = np.divide(joint.limit, busy, out=np.ones(len(busy)), where=busy > joint.limit)
    for cell, shared, amount in zip(joint.cells, joint.shared, amounts, strict=True):
        low = cell.items.low[shared.item]
        amount[shared.item] = np.maximum(part[shared.pool] * amount[shared.item], low)


def use_of_pools(joint: Joint, amounts: Sequence[FloatArray]) -> FloatArray:
    """GPU seconds per second of each pool. [pool]."""
    busy = np.zeros(len(joint.limit))
    if len(busy):
        for shared, amount in zip(joint.shared, amounts, strict=True):
            busy += _by_pool(shared, shared.gpu * amount[shared.item], len(busy))
    return busy


def _by_pool(shared: Shared, weights: FloatArray, pools: int) -> FloatArray:
    return np.bincount(shared.pool, weights=weights, minlength=pools).astype(np.float64, copy=False)


def _priced(joint: Joint, number: int, price: FloatArray) -> Setting:
    """A cell to whose tokens the pools' prices are added."""
    cell, shared = joint.cells[number], joint.shared[number]
    if not len(shared.item):
        return cell
    energy, table = cell.items.energy.copy(), cell.items.table.copy()
    energy[shared.item] += price[shared.pool] * shared.gpu
    table[prices.ENERGY_ROW] = energy
    return dataclasses.replace(cell, items=cell.items._replace(energy=energy, table=table))


def _open_w(joint: Joint, state: State) -> list[float]:
    """D of each cell, without ramps. [cell]."""
    return [
        surplus_w(cell, ask, taken) + taken.missed_w
        for cell, ask, taken in zip(joint.cells, state.asks, state.taken, strict=True)
    ]


def _pools_w(joint: Joint, price: FloatArray) -> float:
    """What the pools add to D."""
    return float(price @ joint.limit) - joint.pools_w


def settled(joint: Joint, state: State, loose: float) -> State:
    """Prices that are right for these ramps, compared with what the bound lacks."""
    if joint.several:  # a single cell need not know what the others lack
        state = _answered(joint, state)
    state = _cells_settled(joint, state, loose)
    if not len(joint.limit):
        return state
    for _ in range(prices.NEWTON_STEPS):
        open_w = loose * (sum(_open_w(joint, state)) + _pools_w(joint, state.price))
        slope = joint.limit - use_now(joint, state)
        change = newton(joint, state, slope)
        way, downhill = _kept(joint, state.price, slope, change)
        off_w = np.max(np.where((state.price > 0.0) | (slope < 0.0), abs(slope * state.price), 0.0))
        if -downhill <= max(prices.GAIN_FRAC * open_w, 1e-14 * joint.fixed_w) and off_w <= max(
            prices.USE_FRAC * open_w, 1e-11 * joint.fixed_w
        ):
            break
        state = _along(joint, state, way, downhill, loose)
    return state


def _answered(joint: Joint, state: State) -> State:
    """What the users take at the prices as they are."""
    taken = tuple(
        response(_priced(joint, n, state.price).items, ask) for n, ask in enumerate(state.asks)
    )
    return state._replace(taken=taken, asked=state.asked + len(taken))


def _cells_settled(joint: Joint, state: State, loose: float) -> State:
    """Prices of every cell at those of the pools.

    What the others earn above their power is to a cell as what comes whatever it does: together
    they say how exact its prices need be.
    """
    count = len(joint.cells)
    open_w = _open_w(joint, state) if joint.several else [0.0]
    all_w = sum(open_w) + _pools_w(joint, state.price) if joint.several else 0.0
    asks, takens, lost, asked = [], [], [], state.asked
    for number, (ask, own_w) in enumerate(zip(state.asks, open_w, strict=True)):
        cell = _priced(joint, number, state.price)
        if joint.several:
            beside = cell.beside + (all_w - own_w) / ask.w_per_worth
            cell = dataclasses.replace(cell, beside=beside)
        found, taken, more = prices.settled_fast(cell, ask, loose / count)
        asks.append(found)
        takens.append(taken)
        lost.append(more > MANY)
        asked += more
    return State(
        asks=tuple(asks), taken=tuple(takens), price=state.price, asked=asked, lost=tuple(lost)
    )


def use_now(joint: Joint, state: State) -> FloatArray:
    """GPU seconds per second that are taken of each pool. [pool]."""
    return use_of_pools(joint, [taken.amount for taken in state.taken])


def newton(joint: Joint, state: State, slope: FloatArray) -> FloatArray:
    """Newton's change of the pools' prices, with the cells' own prices following. [pool]."""
    pools = len(joint.limit)
    bent = np.zeros((pools, pools))
    for number, (shared, taken) in enumerate(zip(joint.shared, state.taken, strict=True)):
        if len(shared.item):
            weights = taken.stiffness[shared.item] * shared.gpu**2
            bent += np.diag(_by_pool(shared, weights, pools))
            bent -= _across(joint, state, number).T @ _following(joint, state, number)
    at, limit = state.price.tolist(), joint.limit.tolist()
    return np.array(
        prices.newton_step(at, [0.0] * pools, limit, slope.tolist(), bent.tolist(), joint.fixed_w)
    )


def _across(joint: Joint, state: State, number: int) -> FloatArray:
    """Second derivative of D by a cell's prices and the pools'. [3, pool]."""
    items, shared, taken = joint.cells[number].items, joint.shared[number], state.taken[number]
    at, pools = shared.item, len(joint.limit)
    each = taken.stiffness[at] * shared.gpu
    bits = items.bits[at]
    columns = (bits * taken.hz_per_bps[at], bits * taken.w_per_bps[at], items.gpu[at])
    return np.stack([_by_pool(shared, each * column, pools) for column in columns])


def _following(joint: Joint, state: State, number: int) -> FloatArray:
    """Fall of a cell's prices per rise of the pools': those at their floors stay. [3, pool]."""
    cell, taken, price = joint.cells[number], state.taken[number], state.asks[number].price
    free = (cell.limit > 0.0) & ((price > cell.floor) | (taken.use > cell.limit))
    follows = np.zeros((3, len(joint.limit)))
    if free.any():
        own, limit = price[free].tolist(), cell.limit[free].tolist()
        ridge = prices.RIDGE * cell.fixed_w / np.array(prices.scales(cell.fixed_w, own, limit)) ** 2
        matrix = taken.curvature[np.ix_(free, free)] + np.diag(ridge)
        follows[free] = np.linalg.solve(matrix, _across(joint, state, number)[free])
    return follows


def moved(joint: Joint, state: State, change: FloatArray) -> list[FloatArray]:
    """By how much the cells' own prices follow the pools'. [cell][3]."""
    return [-_following(joint, state, n) @ change for n in range(len(joint.cells))]


def _kept(
    joint: Joint, price: FloatArray, slope: FloatArray, change: FloatArray
) -> tuple[FloatArray, float]:
    """A change within bounds, and the slope of D along it; downhill of logarithms if it rises."""
    scale = np.array(prices.scales(joint.fixed_w, price.tolist(), joint.limit.tolist()))
    for tried in (change, -np.sign(slope) * scale):
        relative = np.where(price + tried > 0.0, tried / scale, 0.0)
        far = max(1.0, float(-relative.min() / REACH[0]), float(relative.max() / REACH[1]))
        way = np.maximum(tried / far, -price)
        if slope @ way <= 0.0:
            return way, float(slope @ way)
    return 0.0 * price, 0.0


def _along(joint: Joint, state: State, way: FloatArray, low_slope: float, loose: float) -> State:
    """The least of D on the way, roughly: false position after Illinois, as within a cell."""
    follow = moved(joint, state, way)
    enough, low, high, high_slope, at, side = -0.3 * low_slope, 0.0, 1.0, np.inf, 1.0, 0
    trial = state
    for _ in range(prices.SECANTS):
        asks = tuple(
            ask._replace(
                price=np.maximum(ask.price + at * step, np.maximum(0.1 * ask.price, cell.floor))
            )
            for cell, ask, step in zip(joint.cells, state.asks, follow, strict=True)
        )
        price = np.maximum(state.price + at * way, 0.0)
        tried = state._replace(asks=asks, price=price, asked=trial.asked)
        trial = _cells_settled(joint, _answered(joint, tried), loose)
        here = float((joint.limit - use_now(joint, trial)) @ way)
        if abs(here) <= enough or (at == 1.0 and here < 0.0):
            break
        if here < 0.0:
            low, low_slope, high_slope = at, here, high_slope * (0.5 if side < 0 else 1.0)
            side = -1
        else:
            high, high_slope, low_slope = at, here, low_slope * (0.5 if side > 0 else 1.0)
            side = 1
        part = -low_slope / (high_slope - low_slope)
        at = low + (high - low) * min(max(part, 0.02), 0.98)
    return trial
