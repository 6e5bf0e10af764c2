"""What a target gave between two looks, sorted by the tables of a ledger; not yet rows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tree6g.ledger.schema import COMPONENTS, LATENCY_KINDS, WORK_KINDS
from tree6g.meter.agent.config import Target
from tree6g.meter.agent.cpu_time import WHOLE, cores, joules
from tree6g.meter.deltas import Amount
from tree6g.meter.reading import Reading

ENERGY: Final = ("energy", "power")
WORK: Final = frozenset(WORK_KINDS)
WAITS: Final = frozenset(LATENCY_KINDS)
PRB: Final = {"prb_dl": "dl", "prb_ul": "ul"}
CPU: Final = "cpu_busy"
RUNNING: Final = "running"
_KEPT: Final = frozenset({*ENERGY, *WORK, *WAITS, *PRB, RUNNING})
# What the last bucket of a histogram, which has no upper edge, is given: a ledger holds finite
# numbers only, and no request waits for 30 years.
NO_EDGE_S: Final = 1e9
MAX_NAME: Final = 200
# More than any machine counts, in whatever unit; sums of such numbers would be no numbers.
MOST_SI: Final = 1e30


class Joules(NamedTuple):
    """Energy of a component over a time.

    `idle_j` of it is known to be that of rest; `tenant` held the component alone, such as a pod.
    """

    t0_s: float
    t1_s: float
    node: str
    component: str
    energy_j: float
    origin: str
    u95_frac: float | None = None
    idle_j: float | None = None
    tenant: str = ""


class Deed(NamedTuple):
    """Work over a time."""

    t0_s: float
    t1_s: float
    node: str
    model: str
    tenant: str
    kind: str
    amount: float
    origin: str


class Wait(NamedTuple):
    """Waiting times that ended in a time: one bucket."""

    t0_s: float
    t1_s: float
    node: str
    model: str
    tenant: str
    kind: str
    le_s: float
    events: float
    sum_s: float | None


class Blocks(NamedTuple):
    """Use of a carrier's resource blocks over a time."""

    t0_s: float
    t1_s: float
    node: str
    kind: str
    used_s: float
    available_s: float


@dataclasses.dataclass(slots=True)
class Pieces:
    """All of it, of one target and one tick.

    `running` is the mean of requests at work, `told` all kinds of work that are counted, be it 0.
    """

    joules: list[Joules] = dataclasses.field(default_factory=list)
    deeds: list[Deed] = dataclasses.field(default_factory=list)
    waits: list[Wait] = dataclasses.field(default_factory=list)
    blocks: list[Blocks] = dataclasses.field(default_factory=list)
    running: dict[tuple[str, str], float] = dataclasses.field(default_factory=dict)
    told: set[str] = dataclasses.field(default_factory=set)

    @property
    def energy_j(self) -> float:
        """Sum of the energy."""
        return sum(piece.energy_j for piece in self.joules)


def useful(readings: Iterable[Reading], target: Target) -> list[Reading]:
    """Readings that make rows, each joule and each token once."""
    kept = {*_KEPT, CPU} if target.cpu is not None else _KEPT
    found = [_sane(r) for r in readings if r.kind in kept and not r.part_of]
    if not any(r.kind == "power" for r in found):
        return found
    return _without_double_power(found)


def _sane(r: Reading) -> Reading:
    """The reading, or that its value is not known because it can be none."""
    if max(r.value_si or 0.0, r.sum_si or 0.0) <= MOST_SI:
        return r
    why = f"expected at most {MOST_SI:g} {r.unit}; the source says more"
    return dataclasses.replace(r, value_si=None, less_si=0.0, sum_si=None, buckets=(), why=why)


def _without_double_power(readings: Sequence[Reading]) -> list[Reading]:
    """Power of what has an energy as well is the same joules again.

    Where the names of the two do not match (an output's `apower` and `aenergy`), power counts
    only if every energy has its match.
    """
    with_energy = {(r.component, r.node) for r in readings if r.kind == "energy"}
    with_power = {(r.component, r.node) for r in readings if r.kind == "power"}
    open_components = {component for component, _ in with_energy - with_power}
    return [
        r
        for r in readings
        if r.kind != "power"
        or ((r.component, r.node) not in with_energy and r.component not in open_components)
    ]


def node_of(reading: Reading, target: Target) -> str:
    """The node of a reading: what the config says, else what the source says."""
    return target.node or named(reading.node) or target.name


def named(text: str) -> str:
    """A name from outside as the ledger holds it: printable and bounded."""
    if text.isprintable() and len(text) <= MAX_NAME:
        return text
    return "".join(c if c.isprintable() else "?" for c in text)[:MAX_NAME]


def component_of(reading: Reading, target: Target) -> str:
    """The component of an energy."""
    if target.component:
        return target.component
    return reading.component if reading.component in COMPONENTS else "host"


def pieces_of(amounts: Sequence[Amount], target: Target) -> Pieces:
    """Amounts by table."""
    made = Pieces()
    busy: list[Amount] = []
    for amount in amounts:
        kind = amount.reading.kind
        if kind in WORK:
            made.told.add(kind)
            if amount.value_si > 0.0:
                made.deeds.append(_deed(amount, target))
        elif kind in ENERGY:
            made.joules.append(_joules(amount, target))
        elif kind in WAITS:
            made.waits += _waits(amount, target)
        elif kind in PRB:
            made.blocks.append(_blocks(amount, target))
        elif kind == RUNNING:
            key = (node_of(amount.reading, target), named(amount.reading.model))
            made.running[key] = made.running.get(key, 0.0) + amount.value_si
        elif kind == CPU:
            busy.append(amount)
    if busy:
        made.joules += _of_cpu_time(busy, target)
    return made


def _deed(amount: Amount, target: Target) -> Deed:
    r = amount.reading
    return Deed(
        amount.t0_s, amount.t1_s, node_of(r, target), named(r.model), named(r.tenant), r.kind,
        amount.value_si, amount.origin,
    )  # fmt: skip


def _joules(amount: Amount, target: Target) -> Joules:
    """Energy, or power times the time over which it is known."""
    r = amount.reading
    length_s = amount.t1_s - amount.t0_s
    energy_j = amount.value_si * (length_s if r.kind == "power" else 1.0)
    return Joules(
        amount.t0_s, amount.t1_s, node_of(r, target), component_of(r, target), energy_j,
        amount.origin, tenant=named(r.tenant),
    )  # fmt: skip


def _waits(amount: Amount, target: Target) -> list[Wait]:
    """Buckets of a histogram; its sum is shared out by their upper edges, so that it is kept."""
    r = amount.reading
    last = max((edge for edge, _ in r.buckets if edge < NO_EDGE_S), default=1.0)
    worths = [n * (edge if edge < NO_EDGE_S else 2.0 * last) for edge, n in amount.buckets]
    whole = sum(worths)
    node, model, tenant = node_of(r, target), named(r.model), named(r.tenant)
    return [
        Wait(
            amount.t0_s, amount.t1_s, node, model, tenant, r.kind, min(edge, NO_EDGE_S), count,
            None if amount.sum_si is None or amount.sum_si < 0.0 or whole <= 0.0
            else amount.sum_si * worth / whole,
        )
        for (edge, count), worth in zip(amount.buckets, worths, strict=True)
    ]  # fmt: skip


def _blocks(amount: Amount, target: Target) -> Blocks:
    length_s = amount.t1_s - amount.t0_s
    used_s = min(amount.value_si, 1.0) * length_s
    node = node_of(amount.reading, target)
    return Blocks(amount.t0_s, amount.t1_s, node, PRB[amount.reading.kind], used_s, length_s)


def _of_cpu_time(busy: Sequence[Amount], target: Target) -> list[Joules]:
    """Energy by the target's model; nothing unless all of its readings gave an amount."""
    model = target.cpu
    wanted = 1 if model is None or model.pid is None else 2
    if model is None or len(busy) != wanted or not any(a.reading.name == WHOLE for a in busy):
        return []
    t0_s, t1_s = max(a.t0_s for a in busy), max(a.t1_s for a in busy)
    by_name: Mapping[str, float] = {a.reading.name: a.value_si for a in busy}
    idle_j, dynamic_j = joules(model, by_name, t1_s - t0_s, cores())
    r = busy[0].reading
    return [
        Joules(
            t0_s, t1_s, node_of(r, target), component_of(r, target), idle_j + dynamic_j,
            "estimated", model.u95_frac, idle_j,
        )
    ]  # fmt: skip
