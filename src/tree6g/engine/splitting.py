"""Phase 2b: answers of models that terminals share with a server, layer by layer.

An answer is its prompt and then one loop per token: the terminal's layers, the tensor at the cut on
the uplink, the server's layers, the token on its way back. A loop takes what `compute.splitting`
says at the terminal's rate of this step and at the number of answers that share the server's passes
now. A loop that a step cuts off goes on in the next one with what is left of it, at its rate then.

Uplink: the tensors are messages of the terminal, so that the cell's energy, the airtime and the
bits are those of all other traffic. The loop itself reckons with the terminal's rate less the air
that tensors took in the step before, not with the queue: its waits are means.
Server: energy of passes is charged by `pass_cost`; answers that the same server gives by itself
count as sequences of the passes, but are not slowed down by them.
Moving a cut stops the answer for as long as `compute.splitting.migration` says. Tokens of a shared
model are booked at the server's node, wherever their last layer was.
"""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.engine import inference, lanes, split_answers
from tree6g.engine.airtime import messages
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.delivery import deliver_tokens, lose
from tree6g.engine.power import ROOFLINE, SITE
from tree6g.engine.split_answers import Running, Shared
from tree6g.engine.split_costs import Loop, Way
from tree6g.engine.world import Cell, Tick, TokenTable, World, terminals_node

FASTER_J_PER_S: Final = 1e6  # an answer stands still while its cut moves: the faster way is taken


def takes(world: World, request: int) -> bool:
    """Whether a request's model is shared whatever the dispatch policy says; if so, it is begun."""
    one = shared_by(world, request)
    if one is None or one.split.dispatch == "policy":
        return False
    begin(world, one, request)
    return True


def shared_by(world: World, request: int) -> Shared | None:
    """The shared model that a request's terminal can take part in, None if there is none."""
    requests = world.requests
    for one in world.shared:
        if one.service.index == requests.service[request]:
            capable = one.capable.get(int(requests.site[request]), 0)
            can = requests.user[request] < capable and one.host.open
            can = can and not world.cells[int(world.cell_of(request))].out
            return one if can else None
    return None


def begin(world: World, one: Shared, request: int) -> None:
    """A request waits for its terminal."""
    one.waiting.setdefault(int(world.terminal_of(request)), deque()).append(request)
    world.requests.host[request] = world.hosts.index(one.host)


def advance(world: World, tick: Tick) -> None:
    """All answers of shared models until the end of the step."""
    if world.shared:
        lanes.seat(world)
    for one in world.shared:
        _hear_backlog(world, one)
        sequences = sequences_of(one)
        for terminal in sorted({*one.waiting, *one.running}):
            _terminal(world, one, terminal, tick, sequences)
        _send_tensors(world, one)


def notes(world: World) -> list[str]:
    """What became of the cuts."""
    found = []
    for one in world.shared:
        note = (
            f"'{one.service.spec.name}': {one.started} answers shared '{one.host.model}' between "
            f"terminal and {one.host.node}, cut {one.split.cut}"
        )
        if one.policy is not None:
            note += (
                f"; {one.moved} moves of a cut, {one.recomputed} of them computed anew, "
                f"{one.moved_byte / 1e6:.3g} MB sent for them"
            )
        found.append(note + ". Waits for the air are means.")
    return found


def _hear_backlog(world: World, one: Shared) -> None:
    """Add what still waits for the air to what the last step's tensors took of it."""
    name, paces = one.service.spec.name, world.radio.paces(UP)
    for cell in world.cells:
        pool = cell.uplink.pool_of(name)
        left_s = sum(float(pool.air_s(service, paces).sum()) for service in pool.queues)
        one.air_s[cell.index] = one.air_s.get(cell.index, 0.0) + left_s


def sequences_of(one: Shared) -> float:
    """Answers that share a pass of the server."""
    there = sum(run.cut < one.costs.layers for run in one.running.values())
    whole = one.host.batch.running if one.host.batch is not None else 0
    return float(max(there + whole, 1))


def _terminal(world: World, one: Shared, terminal: int, tick: Tick, sequences: float) -> None:
    """One terminal for one step: the answer under way, then those that wait for it."""
    way = split_answers.way_of(world, one, terminal, tick)
    while True:
        run = one.running.get(terminal) or _begin(world, one, terminal, way, tick, sequences)
        if run is None:
            return
        _recut(world, one, run, way, tick, sequences)
        while run.clock_s < tick.t1_s and run.units < _total(world, run):
            _work(world, one, run, way, tick, sequences)
        lost = _given_up(world, one, run)
        if not lost and run.units < _total(world, run):
            return
        one.free_s[terminal] = one.running.pop(terminal).clock_s
        if lost:
            lose(world, run.request)


def _total(world: World, run: Running) -> float:
    return float(world.requests.output_tok[run.request])


def _begin(
    world: World, one: Shared, terminal: int, way: Way, tick: Tick, sequences: float
) -> Running | None:
    """The next answer of a terminal, if one waits."""
    waiting = one.waiting.get(terminal)
    if not waiting:
        one.waiting.pop(terminal, None)
        return None
    request = waiting.popleft()
    start_s = max(float(world.requests.arrival_s[request]), one.free_s.get(terminal, 0.0))
    run = Running(request=request, cut=0, clock_s=start_s)
    if _given_up(world, one, run):
        lose(world, request)
        return _begin(world, one, terminal, way, tick, sequences)
    if one.policy is None:
        assert isinstance(one.split.cut, int)  # noqa: S101 - no policy means a number
        run.cut = one.split.cut
    else:
        run.cut = split_answers.asked(
            one, split_answers.query(world, one, run, way, sequences, present=None)
        )
    one.running[terminal] = run
    one.started += 1
    world.cut_layer[request] = run.cut
    _push_prompt(world, one, run, tick, sequences)
    return run


def _loop(world: World, one: Shared, run: Running, sequences: float) -> Loop:
    """The work at hand: the prompt, or a token at the answer's context."""
    prompt = int(world.requests.prompt_tok[run.request])
    if run.prompting:
        return one.costs.prompt(prompt, sequences)
    return one.costs.token(prompt + math.floor(run.units), sequences)


def _recut(world: World, one: Shared, run: Running, way: Way, tick: Tick, sequences: float) -> None:
    """Ask for another cut. What moves is worked out only if one is wanted; a prompt starts anew."""
    if one.policy is None:
        return
    query = split_answers.query(world, one, run, way, sequences, present=run.cut)
    cut = split_answers.asked(one, query)
    if cut == run.cut:
        return
    if run.prompting:
        run.units, run.cut = 0.0, cut
        one.moved += 1
        one.recomputed += 1
        world.cut_layer[run.request] = cut
        _push_prompt(world, one, run, tick, sequences)
        return
    context = float(world.requests.prompt_tok[run.request]) + math.floor(run.units)
    found = one.costs.moves(run.cut, context, sequences, way)
    move_s, move_j = found.cheaper(FASTER_J_PER_S)
    cut = split_answers.asked(one, dataclasses.replace(query, move_s=move_s, move_j=move_j))
    if cut == run.cut:
        return
    again = bool(found.recomputed(FASTER_J_PER_S)[cut])
    byte = float(found.again_byte[cut] if again else found.sent_byte[cut])
    if again:
        joules = float(found.again_compute_j[cut])
        _spend(world, one, run, *((joules, 0.0) if cut > run.cut else (0.0, joules)), "prefill")
    _push_move(world, one, run, byte, upwards=cut < run.cut, tick=tick)
    one.moved += 1
    one.recomputed += again
    one.moved_byte += byte
    run.clock_s += float(move_s[cut])
    run.cut = world.cut_layer[run.request] = cut


def _work(world: World, one: Shared, run: Running, way: Way, tick: Tick, sequences: float) -> None:
    """Go on until the step, the prompt or the answer ends."""
    loop, phase = _loop(world, one, run, sequences), "prefill" if run.prompting else "decode"
    each_s = float(loop.time_s(way)[run.cut])
    end = 1.0 if run.prompting else _total(world, run)
    before, start_s = run.units, run.clock_s
    fits = (tick.t1_s - start_s) / each_s
    ends = fits >= end - before
    units = end - before if ends else fits
    run.units = end if ends else before + units
    run.clock_s = min(start_s + units * each_s, tick.t1_s) if ends else tick.t1_s
    _spend(
        world, one, run, units * float(loop.device_j[run.cut]),
        units * float(loop.server_j[run.cut]), phase,
    )  # fmt: skip
    busy_s = units * float(loop.server_s[run.cut]) / sequences
    if phase == "prefill":
        one.host.busy.prefill_s += busy_s
    else:
        one.host.busy.decode_s += busy_s
    numbers = np.arange(math.floor(before) + 1, math.floor(run.units) + 1)
    if len(numbers):
        _made(world, one, run, loop, way, numbers, start_s + (numbers - before) * each_s, tick)


def _made(
    world: World,
    one: Shared,
    run: Running,
    loop: Loop,
    way: Way,
    numbers: np.ndarray,
    there_s: npt.NDArray[np.floating],
    tick: Tick,
) -> None:
    """Tokens that came to be: their tensors went up, they themselves go down."""
    ref = np.full(len(numbers), run.request)
    gap_s = np.diff(there_s, prepend=there_s[0])
    back_s = way.down_s + 8.0 * float(loop.down_byte[run.cut]) / way.down_bps
    leaves_s = np.maximum(there_s - back_s, tick.t0_s)
    table = TokenTable(
        ref=ref, number=numbers, leaves_s=leaves_s, gap_s=gap_s, energy_j=np.empty(0)
    )
    inference.demand_prompts(world, one.host, ref[numbers == 1])
    inference.demand_tokens(world, one.host, table)
    if run.cut == one.costs.layers:
        _here(world, run, numbers, there_s)
        return
    run.gone = inference.send_chunks(world, one.host, one.service, table, after=run.gone)
    bit = 8.0 * float(loop.up_byte[run.cut])
    decoded = leaves_s[numbers > 1]
    sent_s = decoded - float(loop.server_s[run.cut]) - way.up_s - bit / way.up_bps
    for ready_s in np.maximum(sent_s, tick.t0_s).tolist():
        _tensor(world, one, run, bit, ready_s)


def _here(
    world: World, run: Running, numbers: np.ndarray, there_s: npt.NDArray[np.floating]
) -> None:
    """Tokens made on the terminal, after those that waited for a chunk before the cut moved."""
    all_numbers = np.arange(run.gone + 1, int(numbers[-1]) + 1)
    waited = len(all_numbers) - len(numbers)
    reached_s = np.concatenate([np.full(waited, there_s[0]), there_s])
    deliver_tokens(world, np.full(len(all_numbers), run.request), all_numbers, reached_s)
    run.gone = int(numbers[-1])


def _push_prompt(world: World, one: Shared, run: Running, tick: Tick, sequences: float) -> None:
    """The prompt, raw or as a tensor, when the terminal is through with its part of it."""
    if run.cut == one.costs.layers:
        return
    loop = one.costs.prompt(int(world.requests.prompt_tok[run.request]), sequences)
    bit = 8.0 * float(loop.up_byte[run.cut])
    if run.cut == 0:
        spec = one.service.spec
        prompt = float(world.requests.prompt_tok[run.request])
        bit = 8.0 * (spec.prompt_byte_per_tok * prompt + spec.request_overhead_byte)
    ready_s = run.clock_s + float(loop.device_s[run.cut])
    _tensor(world, one, run, bit, min(ready_s, np.nextafter(tick.t1_s, 0.0)))


def _push_move(
    world: World, one: Shared, run: Running, byte: float, *, upwards: bool, tick: Tick
) -> None:
    """Keys and values, or the tokens to compute them from."""
    if byte == 0.0:
        return
    if upwards:
        _tensor(world, one, run, 8.0 * byte, max(run.clock_s, tick.t0_s))
        return
    cell = _cell(world, run)
    terminal = world.terminal_of(run.request)
    batch = messages(np.array([max(run.clock_s, tick.t0_s)]), 8.0 * byte, terminal)
    _carry(world, one, cell, 8.0 * byte, DOWN)
    lanes.hold(world, one.service.spec.name, batch)


def _tensor(world: World, one: Shared, run: Running, bit: float, ready_s: float) -> None:
    if bit <= 0.0:
        return
    cell = _cell(world, run)
    _carry(world, one, cell, bit, UP)
    row = (ready_s, bit, int(world.terminal_of(run.request)))
    one.tensors.setdefault(cell.index, []).append(row)


def _send_tensors(world: World, one: Shared) -> None:
    """The step's tensors of each cell in one batch, in order, and the air that they take."""
    name = one.service.spec.name
    one.air_s.clear()
    for index, rows in one.tensors.items():
        ready_s, bit, terminal = (np.array(column) for column in zip(*rows, strict=True))
        world.cells[index].push(UP, name, messages(ready_s, bit, terminal))
        rate_bps = world.radio.rate_bps[UP][name][terminal]
        one.air_s[index] = float((bit / rate_bps).sum())
    one.tensors.clear()


def _carry(world: World, one: Shared, cell: Cell, bit: float, kind: str) -> None:
    if one.host.link is not None:
        world.carry(cell.index, one.service.spec.name, bit, one.host.link, kind=kind)


def _cell(world: World, run: Running) -> Cell:
    return world.cells[int(world.cell_of(run.request))]


def _given_up(world: World, one: Shared, run: Running) -> bool:
    """Whether the user has lost patience with the first token."""
    waited_s = run.clock_s - float(world.requests.arrival_s[run.request])
    return run.prompting and waited_s > one.service.spec.patience_s


def _spend(
    world: World, one: Shared, run: Running, device_j: float, server_j: float, phase: str
) -> None:
    """Joules above idle of both sides, under the service's name."""
    name, book = one.service.spec.name, world.book
    home = terminals_node(world.sites[int(world.requests.site[run.request])].name)
    book.spend(home, "npu", phase, device_j, source=ROOFLINE, service=name)
    if device_j:
        book.integrate(home, device_j)
    if server_j:
        whole_j = one.host.pue * server_j
        book.spend(one.host.node, "gpu", phase, server_j, source=ROOFLINE, service=name)
        overhead_j = whole_j - server_j
        book.spend(one.host.node, "cooling", phase, overhead_j, source=SITE, service=name)
        book.integrate(one.host.node, whole_j)
