"""Every round of a Flower run in a ledger: bits as Flower carried them, joules from `Costs`.

    with Recorder(Path("run"), costs) as recorder:
        strategy.start(recorder.watch(grid), arrays, evaluate_fn=recorder.scored(evaluate_fn))

All messages of a strategy pass through its grid, so any strategy will do, and any client that
reports what `Costs` asks for. Rows cover the run's time from sending to the last reply; in Flower's
simulations that is time of the simulating machine, not of devices. Joules are those above idle, of
clients and of the way to them, and not those of the server. A client that does not answer, or does
not say what it did, leaves a gap with the reason.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from tree6g.errors import LedgerError
from tree6g.ledger import meta as header
from tree6g.ledger.meta import Meta, digest
from tree6g.ledger.writer import LedgerWriter
from tree6g.meter.agent.rows import INSIDE
from tree6g.meter.flower.costs import CLIENT, MOST, SERVER, Costs
from tree6g.meter.flower.exchange import PARTITION, Asked, Reply, asked, replies
from tree6g.metric.profile import Profile, service_meta
from tree6g.version import __version__

MESSAGES: Final = "Flower messages"
ROOFLINE: Final = "training roofline"
CPU_TIME: Final = "CPU time"
WAY: Final = "bits on the way"
SOURCES: Final = {
    ROOFLINE: "FLOP, steps, weights and layers that clients report, on {costs.accelerator} with "
    "constants fitted to inference",
    CPU_TIME: "CPU seconds that clients report x {costs.cpu_power_w:g} W of a busy core above idle",
}
NOTE: Final = (
    "Joules are those above idle, of clients and of the way to them; those of the server are not "
    "counted. Times are those of the run's clock."
)


class Recorder:
    """Writes what passes through a Flower grid into a new ledger, and its rounds into the header.

    What an exchange of messages took is durable when the grid hands its replies over.
    """

    def __init__(
        self, path: Path, costs: Costs, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin a ledger at `path`.

        Args:
            path: Its folder, new or empty.
            costs: What joules are computed from.
            clock: Seconds since any moment; they do not go back.

        Raises:
            LedgerError: There is something already.
        """
        if (Path(path) / header.FILE).exists():
            raise LedgerError(f"expected no ledger at {path} yet; there is one. Choose another.")
        self._costs = costs
        self._clock, self._start_s = clock, clock()
        self._until_s = 0.0
        self._names: dict[int, str] = {}
        self._met: set[str] = set()
        self._client_j: defaultdict[str, list[float]] = defaultdict(list)
        self._bit = {"down": 0.0, "up": 0.0}
        self._rounds: list[dict[str, Any]] = []
        self._source = ROOFLINE if costs.cpu_power_w is None else CPU_TIME
        self._first = _first_meta(costs, self._source)
        self._writer = LedgerWriter(Path(path), self._first)
        try:
            self._begin()
        except BaseException:
            self._writer.close()
            raise

    def watch(self, grid: Any) -> WatchedGrid:
        """The grid to give to a strategy in place of Flower's."""
        return WatchedGrid(grid, self)

    def scored(
        self,
        evaluate_fn: Callable[[int, Any], Any],
        *,
        accuracy: str = "accuracy",
        loss: str = "loss",
    ) -> Callable[[int, Any], Any]:
        """The `evaluate_fn` to give to a strategy: its metrics of two names go into the ledger."""

        def evaluate(number: int, arrays: Any) -> Any:
            """What `evaluate_fn` gives, noted with its round."""
            metrics = evaluate_fn(number, arrays)
            known = [one for one in self._rounds if one["round"] == number]
            for name, key in (("accuracy_frac", accuracy), ("loss", loss)):
                if known and metrics is not None and key in metrics:
                    known[-1][name] = float(metrics[key])
            return metrics

        return evaluate

    def now_s(self) -> float:
        """Time since the ledger began."""
        return self._clock() - self._start_s

    def note(self, sent: Asked, came: Sequence[Reply], t0_s: float) -> None:
        """Write down an exchange of messages that began at `t0_s` and has just ended."""
        span = {"t0_s": t0_s, "t1_s": self.now_s()}
        self._name(sent, came)
        state = "train" if sent.kind == "train" else "active"
        gaps = self._compute({**span, "state": state}, sent, came)
        bit = {"down": math.fsum(sent.bit.values()), "up": math.fsum(one.bit for one in came)}
        self._carry(span, bit)
        self._cover(span, gaps)
        if sent.kind == "train":
            arrived = sum(one.metrics is not None for one in came)
            number = len(self._rounds) + 1 if sent.number is None else sent.number
            row = {"round": number, **span, "chosen": len(sent.bit), "arrived": arrived}
            self._rounds.append(row)
        elif self._rounds:
            self._rounds[-1]["t1_s"] = span["t1_s"]
        self._writer.flush()
        self._writer.update_meta(self._meta())

    def close(self) -> None:
        """Write the header as it is now, and end."""
        self._writer.update_meta(self._meta())
        self._writer.close()

    def __enter__(self) -> Self:
        """The recorder itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close; what was noted before an error stays."""
        self.close()

    def _begin(self) -> None:
        """Rows that hold for all of the run."""
        costs = self._costs
        profile = self._first.services[costs.service]["profile"]
        self._writer.append(
            "service",
            {
                "service": [costs.service],
                "kind": "internal",
                "profile": profile["id"],
                "profile_hash": digest(profile),
            },
        )
        self._enter(SERVER, "cloud", "server")
        for hop in costs.hops:
            self._enter(hop.node, hop.tier, hop.component)
        self._writer.flush()

    def _enter(self, node: str, tier: str, what: str, record: str | None = None) -> None:
        row = {"tier": tier, "boundaries": INSIDE[tier], "what": what, "record": record}
        self._writer.append("entity", {"node": [node], **row})

    def _name(self, sent: Asked, came: Sequence[Reply]) -> None:
        """Give names to nodes that are new: the client's number, if it says one, else Flower's."""
        said = {one.node: one.metrics for one in came if one.metrics is not None}
        for node in sorted({*sent.bit, *said}):
            number = said.get(node, {}).get(PARTITION, math.nan)
            says = 0.0 <= number <= MOST
            name = f"{CLIENT}{round(number) if says else node}"
            if says or node not in self._names:
                self._names[node] = name
            if self._names[node] not in self._met:
                self._met.add(self._names[node])
                self._enter(self._names[node], "device", "client", self._costs.accelerator)

    def _compute(
        self, row: Mapping[str, object], sent: Asked, came: Sequence[Reply]
    ) -> dict[str, str]:
        """Joules of the clients' computing; what is not known of whom, and why."""
        spent: defaultdict[str, float] = defaultdict(float)
        gaps = {self._names[node]: "no answer came" for node in sent.bit}
        for one in came:
            name = self._names[one.node]
            gaps.pop(name, None)
            done = None if one.metrics is None else self._costs.client_work(one.metrics)
            if done is not None:
                spent[name] += done.energy_j
                self._client_j[name].append(done.power_w * done.time_s)
            elif one.metrics is None:
                gaps[name] = "the answer was an error"
            else:
                wanted = ", ".join(self._costs.reported)
                gaps[name] = f"the answer did not have all of {wanted} as amounts"
        if spent:
            origin = "modelled" if self._source == ROOFLINE else "estimated"
            self._spend(row, spent, "device", self._component, origin, self._source)
        return gaps

    @property
    def _component(self) -> str:
        return "npu" if self._source == ROOFLINE else "cpu"

    def _carry(self, span: Mapping[str, float], bit: Mapping[str, float]) -> None:
        """Bits at the server and on the way, and the joules of the way."""
        work = {**span, "service": self._costs.service, "source": MESSAGES, "origin": "measured"}
        kinds, amounts = ["bit_dl", "bit_ul"], [bit["down"], bit["up"]]
        ends = {"node": SERVER, "tier": "cloud"}
        self._writer.append("work", {**work, **ends, "kind": kinds, "amount": amounts})
        self._bit = {way: self._bit[way] + amount for way, amount in bit.items()}
        for hop in self._costs.hops:
            at = {"node": hop.node, "tier": hop.tier}
            total = bit["down"] + bit["up"]
            self._writer.append("work", {**work, **at, "kind": ["bit_carried"], "amount": total})
            joules = hop.energy_j(bit)
            row = {**span, "state": "active"}
            self._spend(row, {hop.node: joules}, hop.tier, hop.component, "modelled", WAY)

    def _spend(
        self,
        row: Mapping[str, object],
        joules: Mapping[str, float],
        tier: str,
        component: str,
        origin: str,
        source: str,
    ) -> None:
        what = {"tier": tier, "component": component, "origin": origin, "source": source}
        amounts = {"node": list(joules), "energy_j": list(joules.values())}
        service = self._costs.service
        self._writer.append("energy", {**row, **what, **amounts, "service": service})

    def _cover(self, span: Mapping[str, float], gaps: Mapping[str, str]) -> None:
        """All sources cover the time since the last exchange but for what is not known."""
        said = {"t0_s": self._until_s, "t1_s": span["t1_s"], "status": "ok"}
        energy = [self._source, *([WAY] if self._costs.hops else [])]
        for quantity, sources in (("work", [MESSAGES]), ("energy", energy)):
            self._writer.append("coverage", {**said, "quantity": quantity, "source": sources})
        self._until_s = span["t1_s"]
        if gaps:
            names = {"node": list(gaps), "reason": list(gaps.values())}
            missed = {"status": "gap", "quantity": "energy", "source": self._source}
            self._writer.append("coverage", {**span, **missed, **names})

    def _meta(self) -> Meta:
        """The header with what is known now; its joules come from powers and from sums of bits."""
        joules = {name: math.fsum(parts) for name, parts in sorted(self._client_j.items())}
        joules |= {hop.node: hop.energy_j(self._bit) for hop in self._costs.hops}
        rounds = {"service": self._costs.service, "rounds": self._rounds}
        return dataclasses.replace(self._first, control={"energy_j": joules, "learning": rounds})


class WatchedGrid:
    """A grid of Flower whose `send_and_receive` is recorded; all else is the grid's own.

    Messages that a ServerApp pushes and pulls by itself are not seen.
    """

    def __init__(self, grid: Any, recorder: Recorder) -> None:
        self._grid = grid
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        """What else the grid has."""
        return getattr(self._grid, name)

    def send_and_receive(
        self, messages: Iterable[Any], *, timeout: float | None = None
    ) -> list[Any]:
        """Send, wait for the replies, and write down what that took."""
        outgoing = list(messages)
        if not outgoing:
            return list(self._grid.send_and_receive(outgoing, timeout=timeout))
        sent, t0_s = asked(outgoing), self._recorder.now_s()
        came = list(self._grid.send_and_receive(outgoing, timeout=timeout))
        self._recorder.note(sent, replies(came), t0_s)
        return came


def _first_meta(costs: Costs, source: str) -> Meta:
    """The header before the run."""
    told = {hop.source or "no source stated" for hop in costs.hops}
    sources = {
        MESSAGES: "bytes of the records in the messages that Flower's grid carried",
        source: SOURCES[source].format(costs=costs),
    }
    if costs.hops:
        sources[WAY] = f"bits x joules per bit ({'; '.join(sorted(told))})"
    return Meta(
        boundary="full",
        t_zero=dt.datetime.now(dt.UTC).isoformat(),
        services={costs.service: service_meta("internal", Profile(id="none"))},
        producer=f"tree6g {__version__}, recorder of Flower",
        sources=sources,
        notes=(NOTE,),
    )
