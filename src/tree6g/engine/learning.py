"""Learning beside the live traffic: rounds whose bits and joules go through the network.

A round begins with a download to each chosen client, which trains when its download is there and
sends its update when it is done; updates that are at the server by the deadline are folded in, by
real training on real data (`training.federated`). A round that is over is seen at the next step,
which is when its joules at the server are written down; times of rounds are exact. Clients are
users' terminals, and their messages queue with all others at the cells. The server takes updates in
beside its answers, which are not slowed down; nor are a terminal's own answers by its training.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import numpy as np

from tree6g.compute.accelerator import Accelerator, accelerator, metered
from tree6g.engine import lanes
from tree6g.engine.airtime import Messages, messages
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.delivery import do_bits
from tree6g.engine.learning_choice import choose
from tree6g.engine.learning_state import (
    ARRIVED,
    COMPUTING,
    DOWNLOADING,
    RESTING,
    UPLOADING,
    Learning,
    able,
    client_work,
    server_work,
)
from tree6g.engine.paths import passing_s
from tree6g.engine.power import ROOFLINE, SITE
from tree6g.engine.radio import push
from tree6g.engine.world import Host, Tick, World
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.learning import Learning as Asked
from tree6g.training.federated.federation import Plan, federation
from tree6g.training.federated.local import Descent

CENTRAL: Final = "centralised"
WAIT_S: Final = 60.0  # until clients are looked for again where nobody is able


def joined(world: World) -> World:
    """The network with its clients before the first round, where something is learnt.

    Raises:
        DataError: Fewer samples than clients.
        InfeasibleError: scikit-learn is not installed; torch is not, and a transformer learns.
    """
    asked = world.scenario.learning
    if asked is None:
        return world
    sites = len(world.sites)
    number = np.arange(asked.clients)
    site = _sites(world, asked.clients)
    nth = np.array([np.count_nonzero(site[:n] == site[n]) for n in number.tolist()])
    host = next(one for one in world.hosts if one.node == asked.at)
    world.learning = Learning(
        spec=asked,
        federation=federation(plan_of(asked, world.scenario.seed)),
        device=accelerator(asked.accelerator),
        server=_server(host),
        host=host.number,
        site=site,
        terminal=world.radio.users.terminal(site, nth),
        stage=np.full(asked.clients, RESTING),
        from_s=np.zeros(asked.clients),
        arrived_s=np.zeros(asked.clients),
        until_s=np.zeros(asked.clients),
        power_w=np.zeros(asked.clients),
        battery_j=np.full(asked.clients, asked.battery_j or np.inf),
        next_s=asked.start_s,
        sites=sites,
    )
    return world


def _sites(world: World, clients: int) -> IntArray:
    """Site of each client: in turn, as long as a site has users left. [client]."""
    left = np.diff(world.radio.users.first)
    turns = np.concatenate([np.flatnonzero(left > turn) for turn in range(int(left.max()))])
    return np.asarray(turns[:clients])


def plan_of(asked: Asked, seed: int) -> Plan:
    """What is learnt, from what the scenario says."""
    return Plan(
        method=asked.method,
        data=asked.data,
        model=asked.model,
        hidden=asked.hidden,
        width=asked.width,
        heads=asked.heads,
        rank=asked.rank,
        descent=Descent(
            epochs=asked.epochs,
            batch=asked.batch,
            step_size=asked.step_size,
            proximal=asked.proximal,
        ),
        clients=asked.clients,
        concentration=np.inf if asked.concentration is None else asked.concentration,
        form=asked.compression,
        keep_frac=asked.keep_frac,
        base_frac=asked.base_frac,
        base_classes=asked.base_classes,
        shift=asked.shift,
        seed=seed,
    )


def _server(host: Host) -> Accelerator:
    """One accelerator of the server that collects."""
    assert host.spec is not None  # noqa: S101 - terminals cannot be named by `at`
    spec = host.spec
    return metered(accelerator(spec.accelerator), spec.idle_power_w, spec.energy_scale)


def advance(world: World, tick: Tick) -> None:
    """End the round if it is over, begin the next one, and send what clients have ready."""
    known = world.learning
    if known is None:
        return
    if known.begun_s is not None:
        _end(known, tick)
    over = known.federation.round >= known.spec.rounds
    latest_s = min(tick.t1_s, world.arrivals_end_s)
    waits = known.begun_s is None and not world.hosts[known.host].out
    if waits and not over and known.next_s < latest_s:
        _begin(world, known, tick)
    done = np.flatnonzero((known.stage == COMPUTING) & (known.until_s < tick.t1_s))
    if len(done):
        known.stage[done] = UPLOADING
        bit = np.array([known.federation.upload_bit(c) for c in done.tolist()])
        push(world, UP, known.spec.name, _transfers(known, done, known.until_s[done], bit))


def _begin(world: World, known: Learning, tick: Tick) -> None:
    """Choose clients and send them the model; what was sent to the server once is there."""
    at_s = max(known.next_s, tick.t0_s)
    if known.spec.method == CENTRAL:
        _begin_central(known, at_s)
        return
    chosen = choose(world, known, at_s)
    if not len(chosen):
        known.next_s = at_s + WAIT_S
        return
    known.begin(at_s, chosen, DOWNLOADING)
    bit = np.array([known.federation.download_bit(c) for c in chosen.tolist()])
    bit += 8.0 * known.spec.overhead_byte
    link, cell = world.hosts[known.host].link, _cells(world, known, chosen)
    ready_s = np.full(len(chosen), at_s)
    if link is not None:
        ready_s += passing_s(world, link, cell, bit, DOWN)
    _carry(world, known, cell, bit, DOWN)
    terminal = known.terminal[chosen]
    batch = messages(ready_s, bit, terminal, number=known.federation.round)
    lanes.hold(world, known.spec.name, batch)


def _begin_central(known: Learning, at_s: float) -> None:
    """All clients who are able send their samples in the first round; later ones need nobody."""
    chosen = able(known) if not known.rounds else np.empty(0, dtype=np.int64)
    known.begin(at_s, chosen, COMPUTING)
    known.from_s[chosen] = known.until_s[chosen] = at_s
    known.power_w[chosen] = 0.0


def _transfers(
    known: Learning, clients: IntArray, ready_s: FloatArray, bit: FloatArray
) -> Messages:
    """Uploads of clients, with the number of their round."""
    whole = bit + 8.0 * known.spec.overhead_byte
    return messages(ready_s, whole, known.terminal[clients], number=known.federation.round)


def received(
    world: World, kind: str, cell: IntArray, sent: Messages, reached_s: FloatArray
) -> None:
    """Downloads that reached clients, or uploads that reached their cells.

    Args:
        world: The run.
        kind: Direction.
        cell: Cell of each message. [message]
        sent: The messages.
        reached_s: When each is there. [message]
    """
    known = world.learning
    assert known is not None  # noqa: S101 - its messages came
    do_bits(world, known.spec.name, kind, cell, sent["bit"])
    if kind == UP:
        link = world.hosts[known.host].link
        if link is not None:
            reached_s = reached_s + passing_s(world, link, cell, sent["bit"], UP)
        _carry(world, known, cell, sent["bit"], UP)
    client = known.client_of(sent["terminal"])
    wanted = DOWNLOADING if kind == DOWN else UPLOADING
    now = (sent["number"] == known.federation.round) & (known.stage[client] == wanted)
    client, at_s = client[now], reached_s[now]
    if kind == UP:
        if not world.hosts[known.host].out:
            known.stage[client], known.arrived_s[client] = ARRIVED, at_s
        return
    known.federation.seen[client] = known.federation.round
    for one, begun_s in zip(client.tolist(), at_s.tolist(), strict=True):
        work = client_work(known, one)
        known.stage[one], known.power_w[one] = COMPUTING, work.power_w
        known.from_s[one], known.until_s[one] = begun_s, begun_s + work.time_s


def _cells(world: World, known: Learning, clients: IntArray) -> IntArray:
    """Cells that serve clients now."""
    return world.radio.users.serving[known.terminal[clients]]


def _carry(world: World, known: Learning, cell: IntArray, bit: FloatArray, kind: str) -> None:
    """Bits on the way between cells and the server."""
    link = world.hosts[known.host].link
    if link is None:
        return
    sums, counts = np.bincount(cell, weights=bit), np.bincount(cell)
    for index in np.flatnonzero(counts).tolist():
        total, count = float(sums[index]), float(counts[index])
        world.carry(index, known.spec.name, total, link, kind=kind, count=count)


def _end(known: Learning, tick: Tick) -> None:
    """Fold in what came, if all did or the deadline has passed."""
    assert known.begun_s is not None  # noqa: S101 - looked at by the caller
    limit_s = known.begun_s + known.spec.deadline_s
    there = known.stage[known.chosen] == ARRIVED
    if not there.all() and limit_s > tick.t0_s:
        return
    arrived = known.chosen[there]
    arrived = arrived[known.arrived_s[arrived] <= limit_s]
    all_there = len(arrived) == len(known.chosen)
    last_s = float(known.arrived_s[arrived].max(initial=known.begun_s))
    closed_s = last_s if all_there else limit_s
    flop, steps = _learn(known, arrived)
    work = server_work(known, flop, steps)
    known.server_from_s, known.server_until_s = closed_s, closed_s + work.time_s
    known.server_power_w = work.power_w
    known.next_s = known.server_until_s + known.spec.pause_s
    known.rounds.append(_row(known, arrived, known.server_until_s))
    cut = known.stage == COMPUTING
    known.until_s[cut] = np.minimum(known.until_s[cut], tick.t0_s)
    known.stage[:] = RESTING
    known.begun_s = None


def _learn(known: Learning, arrived: IntArray) -> tuple[float, int]:
    """Change the global model; returns FLOP and steps of the server."""
    state = known.federation
    if known.spec.method == CENTRAL:
        known.pooled = arrived if not known.rounds else known.pooled
        if not len(known.pooled):
            state.round += 1
            return 0.0, 0
        return state.pool(known.pooled)
    state.fold({client: state.train(client) for client in arrived.tolist()})
    return state.fold_flop(len(arrived)), int(len(arrived) > 0)


def _row(known: Learning, arrived: IntArray, end_s: float) -> dict[str, Any]:
    """What became of a round."""
    score = known.federation.score()
    return {
        "round": len(known.rounds) + 1,
        "t0_s": known.begun_s,
        "t1_s": end_s,
        "chosen": len(known.chosen),
        "arrived": len(arrived),
        **dataclasses.asdict(score),
    }


def draw(world: World, tick: Tick) -> None:
    """Joules of training on terminals and at the server in a step; batteries are charged."""
    known = world.learning
    if known is None:
        return
    known.charge(tick)
    lasted_s = np.minimum(known.until_s, tick.t1_s) - np.maximum(known.from_s, tick.t0_s)
    busy = np.flatnonzero((lasted_s > 0.0) & (known.power_w > 0.0))
    spent_j = known.power_w[busy] * lasted_s[busy]
    # Who was chosen could pay for all of it (`paying`), so no more than rounding is cut off here.
    known.battery_j[busy] = np.maximum(known.battery_j[busy] - spent_j, 0.0)
    cell = _cells(world, known, busy)
    for index, joules in enumerate(np.bincount(cell, weights=spent_j).tolist()):
        if joules:
            node = world.cells[index].terminals
            _spend(world, known, node, "npu", joules)
            world.book.integrate(node, joules)
    end_s = min(known.server_until_s, tick.t1_s)
    if end_s > known.server_from_s:  # which may lie a step back, see above
        host = world.hosts[known.host]
        joules = known.server_power_w * (end_s - known.server_from_s)
        known.server_from_s = end_s
        _spend(world, known, host.node, "gpu", joules, pue=host.pue)
        world.book.integrate(host.node, host.pue * joules)


def notes(world: World) -> list[str]:
    """What was learnt, for the header."""
    known = world.learning
    if known is None:
        return []
    over, asked = len(known.rounds), known.spec
    unpaid = []
    if known.unpaid:
        told = f"Learning: clients were passed over {known.unpaid:,} times for a battery that could"
        unpaid = [f"{told} not pay for the round."]
    if not over:
        return [f"Learning ({asked.method}): no round was over by the end of the run.", *unpaid]
    last, missed = known.rounds[-1], sum(row["chosen"] - row["arrived"] for row in known.rounds)
    told = f"Learning ({asked.method}, {asked.model}, {asked.data}): {over} of {asked.rounds} "
    told += f"rounds, accuracy {last['accuracy_frac']:.1%} at {last['t1_s']:,.0f} s"
    return [told + (f"; {missed} updates were late or lost." if missed else "."), *unpaid]


def control(world: World) -> dict[str, Any]:
    """What became of every round, for the header."""
    known = world.learning
    if known is None:
        return {}
    return {
        "learning": {"service": known.spec.name, "rounds": known.rounds, "unpaid": known.unpaid}
    }


def _spend(
    world: World, known: Learning, node: str, component: str, joules: float, pue: float = 1.0
) -> None:
    name = known.spec.name
    world.book.spend(node, component, "train", joules, source=ROOFLINE, service=name)
    if pue != 1.0:
        over_j = (pue - 1.0) * joules
        world.book.spend(node, "cooling", "train", over_j, source=SITE, service=name)
