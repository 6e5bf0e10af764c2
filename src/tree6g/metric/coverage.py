"""Time that every needed source covered (METRIC rule 11): numerator and denominator share it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Span = tuple[float, float]
Statement = tuple[float, float, str, str, str | None, str]  # t0, t1, source, quantity, node, status


def union(spans: Iterable[Span]) -> list[Span]:
    """The same time as disjoint spans in order; touching spans are joined."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    return joined


def intersection(a: Sequence[Span], b: Sequence[Span]) -> list[Span]:
    """Time that is in both of two lists of disjoint ordered spans."""
    both: list[Span] = []
    i = j = 0
    while i < len(a) and j < len(b):
        start, end = max(a[i][0], b[j][0]), min(a[i][1], b[j][1])
        if start < end:
            both.append((start, end))
        if a[i][1] < b[j][1]:
            i += 1
        else:
            j += 1
    return both


def without(spans: Sequence[Span], holes: Sequence[Span]) -> list[Span]:
    """Time of `spans` that is in none of `holes`, both disjoint and ordered."""
    edges = [-np.inf, *(edge for hole in holes for edge in hole), np.inf]
    gaps = list(zip(edges[0::2], edges[1::2], strict=True))
    return intersection(spans, gaps)


def covered(statements: Iterable[Statement], inside: set[str]) -> list[Span]:
    """Time covered by every source that speaks of nodes inside the boundary.

    Args:
        statements: Rows of the ledger's table `coverage`.
        inside: Nodes of the boundary; a statement without a node speaks of all of them.

    Returns:
        Disjoint spans in order; empty where nothing is stated.
    """
    ok: dict[tuple[str, str, str | None], list[Span]] = defaultdict(list)
    gap: dict[tuple[str, str, str | None], list[Span]] = defaultdict(list)
    for t0_s, t1_s, source, quantity, node, status in statements:
        if node is None or node in inside:
            part = ok if status == "ok" else gap
            part[source, quantity, node].append((t0_s, t1_s))
    if not ok:
        return []
    everywhere = union(span for spans in ok.values() for span in spans)
    common = everywhere
    for key in sorted({*ok, *gap}, key=str):
        spans = union(ok[key]) if key in ok else everywhere
        common = intersection(common, without(spans, union(gap.get(key, []))))
    return common


def length_s(spans: Iterable[Span]) -> float:
    """Total length."""
    return float(sum(end - start for start, end in spans))


def cell_shares(
    grid_s: float, cells: npt.NDArray[np.int64], cover: Sequence[Span], edges_s: Sequence[float]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
    """How the covered time of grid cells divides over windows.

    Args:
        grid_s: Length of a cell; cell k is [k, k + 1) grid_s.
        cells: Cells that hold anything. [cell]
        cover: Covered time, disjoint and ordered.
        edges_s: Edges of adjacent windows, rising. [window + 1]

    Returns:
        Cell, window and share of the cell's covered time, one entry per overlap. Shares of one cell
        sum to 1 where the windows hold all its covered time. [overlap] each
    """
    starts = cells.astype(np.float64) * grid_s
    marks = np.unique(
        np.concatenate([starts, starts + grid_s, np.ravel(cover), np.asarray(edges_s, np.float64)])
    )
    low, high = marks[:-1], marks[1:]
    middle = 0.5 * (low + high)
    length = np.where(_inside(middle, cover), high - low, 0.0)
    cell = np.floor(middle / grid_s).astype(np.int64)
    window = np.searchsorted(np.asarray(edges_s), middle, side="right") - 1
    order = np.argsort(cells, kind="stable")
    at = np.clip(np.searchsorted(cells, cell, sorter=order), 0, len(cells) - 1)
    known = (cells[order[at]] == cell) & (length > 0)
    total = np.bincount(at[known], weights=length[known], minlength=len(cells))
    known &= (window >= 0) & (window < len(edges_s) - 1)
    return _gather(cell[known], window[known], length[known] / total[at[known]])


def _inside(instant_s: FloatArray, cover: Sequence[Span]) -> npt.NDArray[np.bool_]:
    edges = np.ravel(np.asarray(cover, dtype=np.float64))
    return np.searchsorted(edges, instant_s, side="right") % 2 == 1


def _gather(
    cell: npt.NDArray[np.int64], window: npt.NDArray[np.int64], share: FloatArray
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], FloatArray]:
    """One entry per cell and window; a cell that one window holds whole gets exactly 1."""
    key = np.stack([cell, window], axis=1)
    pairs, where, count = np.unique(key, axis=0, return_inverse=True, return_counts=True)
    total = np.bincount(where.ravel(), weights=share, minlength=len(pairs))
    alone = (count >= 1) & (np.abs(total - 1.0) < 1e-12)
    return pairs[:, 0], pairs[:, 1], np.where(alone, 1.0, total)
