"""Points over time as counters that never fall, and those as readings.

A stream of deltas is added up from its first start; a point that is not newer than the last one of
its stream, such as one that was sent again, counts once. A cumulative stream stands as it came, and
its own start says when it began anew.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from tree6g.meter.otlp.points import Point, points_of
from tree6g.meter.reading import Found, Reading, unit_of

MAX_STREAMS: Final = 20_000
MAX_PROBLEMS: Final = 50
AHEAD_S: Final = 3600.0  # of the clock here; such a point would keep out all those after it
SILENT_S: Final = 3600.0  # a stream that has said nothing for so long may go for a new one
TENANT: Final = "service.name"
_NODES: Final = ("server.address", "host.name", "host.id", "k8s.node.name")
_MODELS: Final = ("gen_ai.request.model", "gen_ai.response.model")
_COMPONENTS: Final = {"cpu": "cpu", "gpu": "gpu", "memory": "memory", "network": "link",
                      "power_supply": "power_supply"}  # fmt: skip
_USAGE: Final = "gen_ai.client.inference.usage."
_TOKENS: Final[Mapping[str, str]] = {
    f"{_USAGE}input_tokens": "token_in",
    f"{_USAGE}cache_read.input_tokens": "token_in_cached",
    f"{_USAGE}output_tokens": "token_out",
    f"{_USAGE}reasoning.output_tokens": "token_reasoning",
}
_TYPES: Final = {"input": "token_in", "output": "token_out", "completion": "token_out",
                 "prompt": "token_in"}  # fmt: skip
_LATENCIES: Final[Mapping[str, str]] = {
    "gen_ai.server.time_to_first_token": "ttft",
    "gen_ai.server.time_per_output_token": "tpot",
    "gen_ai.server.request.duration": "e2e",
    "gen_ai.client.operation.duration": "e2e",
}
# Parts that are told apart from the whole that holds them.
_INSIDE: Final = {"token_in_cached": "token_in", "token_reasoning": "token_out"}
_Stream = tuple[str, tuple[tuple[str, str], ...]]


class Store:
    """Newest state of every stream. Safe to use from many threads.

    Attributes:
        tenant: Attribute that names the tenant, of the point or of its resource.
    """

    def __init__(self, tenant: str = TENANT, clock_s: Callable[[], float] = time.time) -> None:
        """Nothing has come yet."""
        self.tenant, self._clock_s = tenant, clock_s
        self._streams: dict[_Stream, Point] = {}
        self._problems: dict[str, None] = {}
        self._lock = threading.Lock()

    def take(self, request: Mapping[str, Any]) -> list[str]:
        """Take a request; gives what of it could not be read."""
        points, problems = points_of(request)
        last_s = self._clock_s() + AHEAD_S
        problems += [
            f"{p.metric}: its time is {p.time_s - last_s + AHEAD_S:.0f} s ahead of the clock here."
            for p in points
            if p.time_s > last_s
        ]
        points = [p for p in points if p.time_s <= last_s]
        with self._lock:
            for point in points:
                before = self._streams.get(point.stream)
                if before is None and len(self._streams) >= MAX_STREAMS:
                    self._forget(point.time_s - SILENT_S)
                if before is None and len(self._streams) >= MAX_STREAMS:
                    problems.append(f"more than {MAX_STREAMS:,} streams; {point.metric} left out.")
                else:
                    self._streams[point.stream] = _after(before, point)
            for problem in problems:
                if len(self._problems) < MAX_PROBLEMS:
                    self._problems[problem] = None
        return problems

    def _forget(self, before_s: float) -> None:
        """Drop streams that have ended, such as those of programs that are gone."""
        self._streams = {k: p for k, p in self._streams.items() if p.time_s >= before_s}

    def found(self) -> Found:
        """What has come so far, as a look at a source."""
        with self._lock:
            points, told = list(self._streams.values()), tuple(self._problems)
        names = {point.metric for point in points}
        readings: list[Reading] = []
        for point in points:
            readings += readings_of(point, names, self.tenant)
        readings = list(_contained(_apart(readings)))
        return Found(format="otlp", readings=tuple(readings), problems=(*told, *_notes(names)))


def _after(before: Point | None, point: Point) -> Point:
    """State of a stream after a point."""
    if before is None:
        return point
    if point.time_s <= before.time_s or (point.delta and _overlaps(before, point)):
        return before
    if not point.delta:
        return point
    edges = [edge for edge, _ in before.buckets]
    same = edges == [edge for edge, _ in point.buckets]
    pairs = zip(before.buckets, point.buckets, strict=True) if same else ()
    return dataclasses.replace(
        point,
        start_s=before.start_s,
        value_si=before.value_si + point.value_si,
        count=before.count + point.count,
        buckets=tuple((edge, n + more) for (edge, n), (_, more) in pairs),
    )


def _overlaps(before: Point, point: Point) -> bool:
    return point.start_s is not None and point.start_s < before.time_s - 1e-6


def readings_of(point: Point, names: set[str], tenant: str = TENANT) -> Iterator[Reading]:
    """What the state of a stream says.

    Args:
        point: Its newest point; of deltas their sum.
        names: Metrics that are there, so that of two of the same kind one counts.
        tenant: Attribute that names the tenant.
    """
    if point.metric.startswith("hw."):
        yield _hardware(point)
    elif point.metric in _LATENCIES:
        both = "gen_ai.server.request.duration" in names
        if not (both and point.metric == "gen_ai.client.operation.duration"):
            yield from _requests(point, tenant)
    elif point.metric in _TOKENS:
        yield _counter(point, _TOKENS[point.metric], point.value_si, tenant)
    elif not names & set(_TOKENS):
        kind = _TYPES.get(point.attributes.get("gen_ai.token.type", ""))
        if kind is not None:
            yield _counter(point, kind, point.value_si, tenant)


def _requests(point: Point, tenant: str) -> Iterator[Reading]:
    """A latency, and of whole requests their number; those with an error are lost."""
    kind = _LATENCIES[point.metric]
    lost = "error.type" in point.attributes
    if kind == "e2e":
        yield _counter(point, "request_lost" if lost else "request", point.count, tenant)
    if not lost:
        made = _counter(point, kind, point.count, tenant)
        yield dataclasses.replace(
            made, form="histogram", buckets=point.buckets, sum_si=point.value_si
        )


def _counter(point: Point, kind: str, value: float, tenant: str) -> Reading:
    return Reading(
        name=_name(point),
        kind=kind,
        form="counter",
        value_si=value,
        unit=unit_of(kind, "counter"),
        node=_first(point, _NODES),
        model=_first(point, _MODELS),
        tenant=point.attributes.get(tenant, ""),
        start_s=point.start_s,
        t1_s=point.time_s,
    )


def _hardware(point: Point) -> Reading:
    """Energy or power of a host or of a part of it."""
    whole = point.metric.startswith("hw.host.")
    kind = point.metric.rpartition(".")[2]
    component = _COMPONENTS.get(point.attributes.get("hw.type", ""), "")
    made = _counter(point, "energy", point.value_si, "")
    return dataclasses.replace(
        made,
        kind=kind,
        form="gauge" if point.shape == "gauge" else "counter",
        unit=unit_of("energy", "counter") if kind == "energy" else unit_of("power", "gauge"),
        component="host" if whole else component,
        node=_first(point, _NODES[1:]),
        start_s=None if point.shape == "gauge" else point.start_s,
        part_of=point.attributes.get("hw.parent", ""),  # its id; `_contained` finds the reading
    )


def _name(point: Point) -> str:
    told = ",".join(f'{k}="{v}"' for k, v in sorted(point.attributes.items()))
    return f"{point.metric}{{{told}}}"


def _first(point: Point, names: tuple[str, ...]) -> str:
    return next((point.attributes[name] for name in names if point.attributes.get(name)), "")


def _apart(readings: list[Reading]) -> list[Reading]:
    """Tokens that are told apart, taken off the whole of the same owner."""
    inside: dict[tuple[str, str], float] = {}
    for r in readings:
        if r.kind in _INSIDE and r.value_si is not None:
            key = _INSIDE[r.kind], _owner(r)
            inside[key] = inside.get(key, 0.0) + r.value_si
    made = []
    for r in readings:
        less = min(inside.get((r.kind, _owner(r)), 0.0), r.value_si or 0.0)
        made.append(dataclasses.replace(r, less_si=less) if less else r)
    return made


def _owner(r: Reading) -> str:
    return r.name.partition("{")[2]  # all attributes


def _contained(readings: list[Reading]) -> Iterator[Reading]:
    """Hardware with the reading that contains it, where there is one, in place of an id."""
    wholes = {(r.node, r.kind): r.name for r in readings if r.name.startswith("hw.host.")}
    by_id = {(r.node, r.kind, _id(r)): r.name for r in readings if r.name.startswith("hw.")}
    for r in readings:
        if not r.name.startswith("hw.") or r.name.startswith("hw.host."):
            yield r
            continue
        outer = by_id.get((r.node, r.kind, r.part_of)) if r.part_of else None
        yield dataclasses.replace(r, part_of=outer or wholes.get((r.node, r.kind), ""))


def _id(r: Reading) -> str:
    return r.name.partition('hw.id="')[2].partition('"')[0]


def _notes(names: set[str]) -> Iterator[str]:
    if "gen_ai.client.token.usage" in names and not names & set(_TOKENS):
        yield (
            "otlp: gen_ai.client.token.usage does not tell cached prompt tokens apart; they are "
            "inside token_in, so energy of the prompt phase is attributed too high."
        )
    if any(name.startswith("gen_ai.client.") for name in names):
        yield (
            "otlp: clients count their own tokens: with the server's counters beside them, tokens "
            "count twice."
        )
