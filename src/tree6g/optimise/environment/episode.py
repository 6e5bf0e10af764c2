"""An episode as a ledger: the sums of each interval as rows, and their check beside them."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from tree6g.engine.header import SOURCES
from tree6g.engine.ledger import TRAFFIC
from tree6g.engine.power import HOST, ROOFLINE, SITE, STATION
from tree6g.engine.run import replacing
from tree6g.errors import LedgerError
from tree6g.ledger.meta import Meta, digest
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import service_meta
from tree6g.optimise.environment.network import Network
from tree6g.optimise.environment.slots import Slots
from tree6g.optimise.environment.state import SERVER_PARTS, STATION_STATES, Totals
from tree6g.version import __version__

INTERVAL_S: Final = 10.0  # of the rows, rounded to whole steps of at least one
INSIDE: Final = "operator full"  # boundaries of a server


class Recorder:
    """Keeps the sums of an episode at the end of each interval.

    Attributes:
        slots: Where the episode takes place; its first episode is kept.
        marks: Steps done and sums, from the beginning on.
    """

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.marks: list[tuple[int, Totals]] = []
        self._every = max(1, round(INTERVAL_S / slots.settings.step_s))

    @property
    def interval_s(self) -> float:
        """Length of an interval."""
        return self._every * self.slots.settings.step_s

    def begin(self) -> None:
        """An episode begins."""
        self.marks = [(0, self.slots.totals.copy_of(0))]

    def note(self) -> None:
        """A step was taken."""
        step = int(self.slots.state.step[0])
        if step % self._every == 0:
            self.marks.append((step, self.slots.totals.copy_of(0)))

    def closed(self) -> list[tuple[int, Totals]]:
        """All marks, with one at the last step."""
        step = int(self.slots.state.step[0])
        if self.marks[-1][0] == step:
            return self.marks
        return [*self.marks, (step, self.slots.totals.copy_of(0))]


class Energy(NamedTuple):
    """A row of joules."""

    node: str
    tier: str
    component: str
    state: str
    energy_j: float
    source: str
    service: str | None
    u95_frac: float | None


class Work(NamedTuple):
    """A row of work."""

    node: str
    tier: str
    service: str
    kind: str
    amount: float
    model: str | None
    demand: float | None
    demand_unit: str | None


Row = TypeVar("Row", Energy, Work)


def write_ledger(recorder: Recorder | None, path: Path) -> Ledger:
    """The episode that was recorded last, as far as it came, as a ledger.

    What is still waiting at the end counts as lost. TREE of the ledger is that of `info`.

    Raises:
        LedgerError: Nothing was recorded, or something else is in the folder.
    """
    if recorder is None or len(recorder.marks) == 0 or recorder.slots.state.step[0] == 0:
        raise LedgerError(
            "expected an episode of one step or more, recorded; got none. Make the environment "
            "with record=True and take a step."
        )
    network, marks = recorder.slots.network, recorder.closed()
    step_s = recorder.slots.settings.step_s
    meta = _meta(recorder)
    with replacing(Path(path), meta) as writer:
        for (first, before), (last, after) in itertools.pairwise(marks):
            times = {"t0_s": first * step_s, "t1_s": last * step_s}
            since = _difference(after, before)
            work = [*_work(network, since)]
            if last == marks[-1][0]:
                work += _lost(recorder.slots)
            _append(writer, "energy", _summed(_energy(network, since), "energy_j"), times)
            _append(writer, "work", _summed(work, "amount"), times)
        _write_tables(writer, network, marks[-1][0] * step_s)
    return open_ledger(Path(path))


def _difference(after: Totals, before: Totals) -> Totals:
    names = [field.name for field in dataclasses.fields(Totals)]
    return Totals(**{name: getattr(after, name) - getattr(before, name) for name in names})


def _summed(rows: Iterable[Row], amount: str) -> list[Row]:
    """Rows alike as one: cooling of several parts, cells that share a server; none of nothing."""
    known: dict[tuple[Any, ...], Row] = {}
    added = {amount, "demand"}
    for row in rows:
        if not getattr(row, amount) > 0.0:
            continue
        key = tuple(value for name, value in row._asdict().items() if name not in added)
        other = known.get(key)
        known[key] = row if other is None else _added(row, other, added)
    return list(known.values())


def _added(row: Row, other: Row, names: Iterable[str]) -> Row:
    """A row with another one's amounts on top."""
    sums = {
        name: getattr(row, name) + getattr(other, name)
        for name in names
        if getattr(row, name, None) is not None
    }
    return row._replace(**sums)


def _append(writer: LedgerWriter, table: str, rows: Sequence[Any], times: dict[str, float]) -> None:
    if not rows:
        return
    columns = dict(zip(rows[0]._fields, map(list, zip(*rows, strict=True)), strict=True))
    writer.append(table, {**times, **columns, "origin": "modelled"} | _sourced(table))


def _sourced(table: str) -> dict[str, str]:
    return {"source": TRAFFIC} if table == "work" else {}


def _energy(network: Network, since: Totals) -> Iterator[Energy]:
    """Joules of an interval: what services share by state, what they send by service."""
    cells, servers = network.stations, network.servers
    for n, node in enumerate(cells.node):
        for number, state in enumerate(STATION_STATES):
            joules = float(since.station_j[n, number])
            yield from _with_overhead(
                Energy(node, "ran", "radio_unit", state, joules, STATION, None, None),
                float(cells.pue[n]),
            )
        for number, stream in enumerate(network.streams):
            joules = float(since.active_j[n, number])
            yield from _with_overhead(
                Energy(node, "ran", "radio_unit", "active", joules, STATION, stream.name, None),
                float(cells.pue[n]),
            )
    for n, node in enumerate(servers.node):
        for number, (component, state) in enumerate(SERVER_PARTS):
            joules = float(since.server_j[n, number])
            gpu = component == "gpu"
            yield from _with_overhead(
                Energy(
                    node, servers.tier[n], component, state, joules,
                    ROOFLINE if gpu else HOST, None, float(servers.u95_frac[n]) if gpu else None,
                ),
                float(servers.pue[n]),
            )  # fmt: skip


def _with_overhead(row: Energy, pue: float) -> Iterator[Energy]:
    """The joules of equipment, and the cooling and power supply that it needs."""
    yield row
    overhead_j = (pue - 1.0) * row.energy_j
    yield row._replace(component="cooling", energy_j=overhead_j, source=SITE, u95_frac=None)


def _work(network: Network, since: Totals) -> Iterator[Work]:
    for n, node in enumerate(network.stations.node):
        for number, stream in enumerate(network.streams):
            bit = float(since.sent_bit[n, number])
            late = float(since.late_bit[n, number])
            sent_s = float(since.sent_s[n, number])
            yield Work(node, "ran", stream.name, "bit_dl", bit, None, sent_s, "s")
            yield Work(node, "ran", stream.name, "bit_late", late, None, None, None)
    for number, stream in enumerate(network.ai):
        for n, server in enumerate(network.servers.of[:, number].tolist()):
            amounts = {
                "token_out": float(since.sent_bit[n, number]) / stream.bit_per_tok,
                "token_late": float(since.late_bit[n, number]) / stream.bit_per_tok,
                "token_in": float(since.prompt_tok[n, number]),
                "token_in_late": float(since.late_prompt_tok[n, number]),
            }
            yield from _tokens(network, server, number, amounts)


def _lost(slots: Slots) -> Iterator[Work]:
    """What was asked for and is not there at the end."""
    network, state = slots.network, slots.state
    waiting = state.waiting_bit()[0]
    for number, stream in enumerate(network.streams):
        bits = waiting[:, stream.users].sum(axis=-1).tolist()
        for n, bit in enumerate(bits):
            if not stream.ai:
                node = network.stations.node[n]
                yield Work(node, "ran", stream.name, "bit_lost", bit, None, None, None)
                continue
            owed = float(state.owed_tok[0, n, stream.users].sum())
            amounts = {"token_lost": bit / stream.bit_per_tok, "token_in_lost": owed}
            yield from _tokens(network, int(network.servers.of[n, number]), number, amounts)


def _tokens(
    network: Network, server: int, number: int, amounts: dict[str, float]
) -> Iterator[Work]:
    stream, servers = network.ai[number], network.servers
    for kind, amount in amounts.items():
        demand = (amount, "tok") if kind in {"token_in", "token_out"} else (None, None)
        yield Work(
            servers.node[server], servers.tier[server], stream.name, kind, amount, stream.model,
            *demand,
        )  # fmt: skip


def _meta(recorder: Recorder) -> Meta:
    slots = recorder.slots
    network, settings = slots.network, slots.settings
    plain = {**network.scenario, "name": f"{network.name}-episode"}
    chance = dataclasses.asdict(settings)
    totals = slots.totals.copy_of(0)
    nodes = (*network.stations.node, *network.servers.node)
    return Meta(
        boundary="operator",
        attribution_interval_s=recorder.interval_s,
        services=_services(network),
        scenario=plain,
        scenario_hash=digest({"scenario": plain, "settings": chance}),
        producer=f"tree6g {__version__}",
        control={"energy_j": dict(zip(nodes, totals.check_j.tolist(), strict=True))},
        sources={
            **{name: SOURCES[name] for name in (ROOFLINE, HOST, SITE)},
            STATION: network.station_source,
            TRAFFIC: "queues of an episode of the environment, as a fluid",
        },
        notes=(
            f"An episode of the environment of '{network.name}' in steps of {settings.step_s:g} s.",
            "Power without traffic is a mean, broadcast and sleep between its bursts included.",
            *network.notes,
        ),
    )


def _services(network: Network) -> dict[str, dict[str, Any]]:
    return {
        stream.name: service_meta(
            "ai" if stream.ai else "data",
            stream.profile,
            weight=stream.weight,
            quality={stream.model: stream.quality_frac} if stream.ai else None,
            slice=stream.slice,
            token_class=stream.token_class,
        )
        for stream in network.streams
    }


def _write_tables(writer: LedgerWriter, network: Network, end_s: float) -> None:
    cells, servers = network.stations, network.servers
    count = len(cells.node), len(servers.node)
    writer.append(
        "entity",
        {
            "node": [*cells.node, *servers.node],
            "tier": ["ran"] * count[0] + list(servers.tier),
            "boundaries": [f"ran network {INSIDE}"] * count[0] + [INSIDE] * count[1],
            "site": [*cells.site, *servers.place],
            "what": ["cell"] * count[0] + ["server"] * count[1],
            "record": [*cells.model, *servers.record],
        },
    )
    services = _services(network)
    writer.append(
        "service",
        {
            "service": list(services),
            "kind": [body["kind"] for body in services.values()],
            "slice": [body["slice"] for body in services.values()],
            "token_class": [body["token_class"] for body in services.values()],
            "profile": [body["profile"]["id"] for body in services.values()],
            "profile_hash": [digest(body["profile"]) for body in services.values()],
        },
    )
    sources = [STATION, SITE, *([ROOFLINE, HOST] if count[1] else [])]
    for source in (TRAFFIC, *sources):
        quantity = "work" if source == TRAFFIC else "energy"
        writer.append(
            "coverage",
            {"t0_s": [0.0], "t1_s": end_s, "source": source, "quantity": quantity, "status": "ok"},
        )
