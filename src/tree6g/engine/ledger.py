"""Phase 8: the sums of an interval become rows."""

from __future__ import annotations

import numpy as np

from tree6g.engine.book import Amount
from tree6g.engine.delivery import finished_columns
from tree6g.engine.power import ROOFLINE, close_cells
from tree6g.engine.world import World, shared_node
from tree6g.engine.worth import note
from tree6g.ledger.writer import LedgerWriter

TRAFFIC = "traffic"
UNITS = {"bit_ul": "s", "bit_dl": "s", "bit_carried": "bit", "token_in": "tok", "token_out": "tok"}


def close_interval(world: World, writer: LedgerWriter, t0_s: float, t1_s: float) -> None:
    """Write energy and work of [t0, t1) and the requests that finished, and start anew."""
    close_cells(world)
    note(world)
    tiers = node_tiers(world)
    _write_energy(world, writer, tiers, t0_s, t1_s)
    _write_work(world, writer, tiers, t0_s, t1_s)
    world.book.counters.write(writer, [cell.node for cell in world.cells], t0_s, t1_s)
    finished = world.book.requests
    if finished:
        writer.append("request", finished_columns(world, np.concatenate(finished)))
        finished.clear()


def node_tiers(world: World) -> dict[str, str]:
    """Tier of every node of a run."""
    tiers = {cell.node: "ran" for cell in world.cells}
    tiers |= {shared_node(cell): "ran" for cell in world.cells}
    tiers |= {cell.terminals: "device" for cell in world.cells}
    tiers |= {host.node: host.tier for host in world.hosts}
    tiers |= {each.node: "ran" for each in world.processors.values() if each.count}
    return tiers


def _write_energy(
    world: World, writer: LedgerWriter, tiers: dict[str, str], t0_s: float, t1_s: float
) -> None:
    entries = sorted(world.book.energy.items(), key=lambda item: tuple(map(str, item[0])))
    world.book.energy.clear()
    if not entries:
        return
    node, component, state, service, source = zip(*(key for key, _ in entries), strict=True)
    doubt = {host.node: host.replica.u95_frac for host in world.hosts}
    writer.append(
        "energy",
        {
            "t0_s": t0_s,
            "t1_s": t1_s,
            "node": node,
            "tier": [tiers.get(n, "transport") for n in node],
            "component": component,
            "state": state,
            "energy_j": [joules for _, joules in entries],
            "origin": "modelled",
            "source": source,
            "service": service,
            "u95_frac": [
                doubt[n] if s == ROOFLINE and k != "train" else None
                for n, s, k in zip(node, source, state, strict=True)
            ],
        },
    )


def _write_work(
    world: World, writer: LedgerWriter, tiers: dict[str, str], t0_s: float, t1_s: float
) -> None:
    entries = sorted(world.book.work.items(), key=lambda item: tuple(map(str, item[0])))
    world.book.work.clear()
    if not entries:
        return
    node, service, model, kind = zip(*(key for key, _ in entries), strict=True)
    amounts = [amount for _, amount in entries]
    processing = {each.node for each in world.processors.values()}
    writer.append(
        "work",
        {
            "t0_s": t0_s,
            "t1_s": t1_s,
            "node": node,
            "tier": [tiers.get(n, "transport") for n in node],
            "service": service,
            "model": model,
            "kind": kind,
            "amount": [a.amount for a in amounts],
            "sessions": [_sessions(k, a, t1_s - t0_s) for k, a in zip(kind, amounts, strict=True)],
            "demand": [
                a.demand if k in UNITS else None for k, a in zip(kind, amounts, strict=True)
            ],
            "demand_unit": [
                "s" if n in processing and k == "bit_carried" else UNITS.get(k)
                for n, k in zip(node, kind, strict=True)
            ],
            "origin": "modelled",
            "source": TRAFFIC,
        },
    )


def _sessions(kind: str, amount: Amount, duration_s: float) -> float | None:
    """Answers in progress on average, each from its admission to its last token."""
    return amount.session_s / duration_s if kind == "token_out" else None
