"""A cell goes off where others cover all of its users and have room for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tree6g.engine.policies.sleep import CellReport, Order

LOW_FRAC: Final = 0.1  # load below which a cell may go off
ROOM_FRAC: Final = 0.4  # load that a covering cell may have with what it takes over, by bandwidth
WAKE_FRAC: Final = 0.6  # load of a covering cell that brings a cell back


def decide(t_s: float, cells: Sequence[CellReport]) -> list[Order]:
    """Cells that are off return if they are needed; then the emptiest go off.

    They are needed if those that cover them are loaded, or where a terminal has walked out of reach
    of the others. Nobody goes off at the start: the load is not known yet.
    """
    on = {n for n, cell in enumerate(cells) if cell.on or _wanted(cell, cells)}
    for n, cell in enumerate(cells):
        if not all(cover & on for cover in cell.covering):
            on.add(n)
    candidates = [n for n in sorted(on) if t_s > 0.0 and cells[n].on]
    load = [cell.load_frac for cell in cells]
    for n in sorted(candidates, key=lambda n: load[n]):
        rest = on - {n}
        takers = {m for cover in cells[n].covering for m in cover & rest}
        taken = {m: load[n] * cells[n].bandwidth_hz / cells[m].bandwidth_hz for m in takers}
        room = all(load[m] + taken[m] <= ROOM_FRAC for m in takers)
        if load[n] < LOW_FRAC and room and _covered(cells, rest):
            on = rest
            for m in takers:
                load[m] += taken[m]
    return [Order(on=n in on, timer_s=cell.idle_timer_s) for n, cell in enumerate(cells)]


def _wanted(cell: CellReport, cells: Sequence[CellReport]) -> bool:
    covering = {m for cover in cell.covering for m in cover}
    return any(cells[m].on and cells[m].load_frac > WAKE_FRAC for m in covering)


def _covered(cells: Sequence[CellReport], on: set[int]) -> bool:
    """Whether every terminal of every cell that is off is covered by one that is on."""
    off = [cell for n, cell in enumerate(cells) if n not in on]
    return all(cover & on for cell in off for cover in cell.covering)
