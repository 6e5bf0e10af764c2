"""One call for a radio step: compiled where numba is installed, else plain NumPy."""

from __future__ import annotations

import importlib.util
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.radio.drop import Terminals
from tree6g.radio.link import snapshot as plain
from tree6g.radio.link.flat import Received, flat_adaptation, flat_cells, flat_users
from tree6g.radio.link.snapshot import IntArray, Network, Snapshot

_COVERED: Final = ("uma", "umi")


def step(network: Network, terminals: Terminals, loss_db: npt.ArrayLike = 0.0) -> Snapshot:
    """Everything anew for all terminals; see `snapshot.snapshot`."""
    if not compiles(network):
        return plain.snapshot(network, terminals, loss_db)
    count = terminals.count
    empty = Snapshot(
        serving=np.empty(count, dtype=np.intp),
        sinr_db=np.empty(count),
        spectral_efficiency=np.empty(count),
        rate_bps=np.empty(count),
    )
    return _received(network, terminals, loss_db, np.arange(count), empty)


def update(
    network: Network,
    terminals: Terminals,
    before: Snapshot,
    moved: npt.ArrayLike,
    loss_db: npt.ArrayLike = 0.0,
) -> Snapshot:
    """The step after some terminals have moved: only their links are computed.

    Equal to `step` of the same network and terminals, if nobody else has moved. `before` stays as
    it is.

    Args:
        network: Cells, unchanged since `before`.
        terminals: All terminals, at their new places.
        before: The step before.
        moved: Those that moved, as indices or mask.
        loss_db: Further loss of a terminal on all its links. [terminal] or one number
    """
    rows = np.asarray(moved)
    rows = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows.astype(np.intp, copy=False)
    after = Snapshot(
        serving=before.serving.copy(),
        sinr_db=before.sinr_db.copy(),
        spectral_efficiency=before.spectral_efficiency.copy(),
        rate_bps=np.empty_like(before.rate_bps),
    )
    further_db = np.broadcast_to(np.asarray(loss_db, dtype=np.float64), terminals.count)[rows]
    chosen = terminals.select(rows)
    if compiles(network):
        return _received(network, chosen, further_db, rows, after)
    fresh = plain.snapshot(network, chosen, further_db)
    after.serving[rows] = fresh.serving
    after.sinr_db[rows] = fresh.sinr_db
    after.spectral_efficiency[rows] = fresh.spectral_efficiency
    return plain.shared(network, after.serving, after.sinr_db, after.spectral_efficiency)


def compiles(network: Network) -> bool:
    """Whether the kernel covers a network and its compiler is installed."""
    return (
        network.environment in _COVERED
        and network.antenna.tilting == "electrical"
        and importlib.util.find_spec("numba") is not None
    )


def _received(
    network: Network, terminals: Terminals, loss_db: npt.ArrayLike, rows: IntArray, out: Snapshot
) -> Snapshot:
    """Compute terminals and write them at their rows, then share the cells among all."""
    from tree6g.radio.link import kernel

    every_db = np.broadcast_to(np.asarray(loss_db, dtype=np.float64), terminals.count)
    if not isinstance(network.surroundings, str):
        # Alike beside alike: a block reads only the fields that its terminals need.
        order = np.argsort(
            2 * terminals.indoor + (terminals.position_m[:, 2] > 13.0), kind="stable"
        )
        rows, terminals, every_db = rows[order], terminals.select(order), every_db[order]
    received = Received(
        serving=out.serving, sinr_db=out.sinr_db, efficiency=out.spectral_efficiency
    )
    users = flat_users(network, terminals, every_db)
    kernel.receive(rows, users, flat_cells(network), flat_adaptation(network), received)
    members = np.empty(network.layout.cells, dtype=np.intp)
    bandwidth = network.time_frac * network.bandwidth_hz
    kernel.share(out.serving, out.spectral_efficiency, bandwidth, members, out.rate_bps)
    return out
