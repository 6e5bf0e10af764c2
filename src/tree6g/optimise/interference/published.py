"""Published global optima of energy efficiency under interference against ours, row by row.

Columns: `users`, `channel_index`, `gee_opt_bits_per_Hz_per_J`; optional `epsilon`, the tolerance of
the published search, 0.01 where it is missing. The channels stand in `interference_channels.npz`
beside the file: `gain` [channel, link, link], of which the first `users` links are taken, with
noise and power limits of 1, 15 W per radiated watt and 1 W fixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.calibrate.columns import Columns, read_all, read_columns
from tree6g.calibrate.result import Group, Validation
from tree6g.errors import DataError
from tree6g.optimise.interference.links import FloatArray, Links
from tree6g.optimise.interference.solve import Method, Powers, best_powers

CHANNELS: Final = "interference_channels.npz"
NUMBERS: Final = ("users", "channel_index", "gee_opt_bits_per_Hz_per_J")
EPSILON: Final = 0.01
SEARCHED: Final = 3  # links up to which the global search is run too: seconds per row beyond

ABOUT: Final = (
    (
        "Compared: the energy efficiency of the powers found here with the published global "
        "optimum of each row (Matthiesen et al., arXiv 1910.07853). Up to three links branch and "
        "bound is run, beyond a local search from many starts."
    ),
    (
        "Passes: a row that is not below the published value by more than the tolerance of the "
        "search that found it. More is no fault: that search stopped within its tolerance."
    ),
    "Fitted: nothing.",
)


def validate(files: Sequence[Path]) -> Validation:
    """Compare `best_powers` with every row of the files.

    Figures: `max_below`: how far we are below a published value at most, `mean_above`, and
    `inside_range_frac`: the share of rows that pass. Groups: by number of links.

    Raises:
        DataError: A file is not of this form, or lacks its channels.
    """
    if not files:
        raise DataError("Expected at least one file of published optima; got none. Name one.")
    tables = read_all(files, lambda file: read_columns(file, (), NUMBERS, optional=("epsilon",)))
    rows = [
        row
        for file, table in zip(files, tables, strict=True)
        for row in _rows(table, _channels(Path(file)))
    ]
    over = np.array([row[1] for row in rows])
    epsilon = np.array([row[2] for row in rows])
    users = np.array([row[0] for row in rows])
    methods = np.array([row[3].method == "global" for row in rows])
    good = over >= -epsilon
    below = max(0.0, float(-over.min()))
    return Validation(
        kind="gee",
        rows=len(rows),
        title="Energy efficiency under interference",
        headline=f"{good.sum()} of {len(rows)} published global optima are met; at most "
        f"{below:.2g} bit/Hz/J below one, tolerance {epsilon.max():g}. "
        f"{methods.sum()} of ours are proved to be global.",
        about=ABOUT,
        figures=_figures(over, good),
        groups=tuple(
            Group(
                name=f"{count} links",
                rows=int((users == count).sum()),
                figures=_figures(over[users == count], good[users == count])
                | {"proved_frac": float(methods[users == count].mean())},
            )
            for count in np.unique(users).tolist()
        ),
        misses=tuple(
            {"links": int(users[n]), "row": n, "below": float(-over[n])}
            for n in np.flatnonzero(~good).tolist()
        ),
        misses_are="Rows below the published optimum by more than its tolerance",
    )


def _figures(over: FloatArray, good: npt.NDArray[np.bool_]) -> dict[str, float]:
    return {
        "max_below": max(0.0, float(-over.min())),
        "mean_above": float(over.mean()),
        "inside_range_frac": float(good.mean()),
    }


def _rows(table: Columns, gain: FloatArray) -> list[tuple[int, float, float, Powers]]:
    """Number of links, our value less the published one, its tolerance, and our result."""
    found = []
    epsilons = table.number.get("epsilon", np.full(table.rows, EPSILON))
    for n in range(table.rows):
        users, channel = (int(table.number[name][n]) for name in NUMBERS[:2])
        published = float(table.number[NUMBERS[2]][n])
        if not (1 <= users <= gain.shape[1] and 0 <= channel < len(gain)):
            raise DataError(
                f"line {n + 2}: expected up to {gain.shape[1]} users and a channel below "
                f"{len(gain)}; got {users} and {channel}."
            )
        ours = best_powers(_links(gain[channel, :users, :users]), _method(users))
        epsilon = EPSILON if np.isnan(epsilons[n]) else float(epsilons[n])
        found.append((users, ours.value - published, epsilon, ours))
    return found


def _method(users: int) -> Method:
    return "global" if users <= SEARCHED else "local"


def _links(gain: FloatArray) -> Links:
    return Links(
        gain=gain,
        noise_w=1.0,
        power_limit_w=np.ones(len(gain)),
        w_per_radiated_w=15.0,
        fixed_power_w=1.0,
        weight=np.ones(len(gain)),
        bandwidth_hz=1.0,
    )


def _channels(file: Path) -> FloatArray:
    """Gains of the channels that stand beside a file. [channel, link, link]."""
    path = file.parent / CHANNELS
    try:
        with np.load(path) as stored:
            gain = np.asarray(stored["gain"], dtype=np.float64)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"Expected channels in {path}; it cannot be read: {error}.") from error
    if gain.ndim != 3 or gain.shape[1] != gain.shape[2]:
        raise DataError(f"Expected gain [channel, link, link] in {path}; got {gain.shape}.")
    return gain
