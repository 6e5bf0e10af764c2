"""Plain data of OTLP as points of the metrics that are known here. A pure function.

| metric | what it is here |
|---|---|
| `gen_ai.client.inference.usage.*` | tokens in, of them cached; tokens out, of them reasoning |
| `gen_ai.client.token.usage` | tokens in or out by `gen_ai.token.type`: the sum of the histogram |
| `gen_ai.server.time_to_first_token`, `.time_per_output_token` | ttft, tpot |
| `gen_ai.server.request.duration`, `gen_ai.client.operation.duration` | e2e and requests |
| `hw.energy`, `hw.power`, `hw.host.energy`, `hw.host.power` | energy and power |

All other metrics are left alone. What is wrong in a point is told, and the point left out.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from tree6g.meter.sources.fields import mappings, number

Shape = Literal["sum", "gauge", "histogram"]
_NS_PER_S: Final = 1e9
_DELTA: Final = {1, "1", "AGGREGATION_TEMPORALITY_DELTA"}
_CUMULATIVE: Final = {2, "2", "AGGREGATION_TEMPORALITY_CUMULATIVE"}
_NO_VALUE: Final = 1  # flag of a point
MAX_TEXT: Final = 200
MOST_SI: Final = 1e30  # more is no measurement, and sums of such would be no numbers
MAX_BUCKETS: Final = 1000
_USAGE: Final = "gen_ai.client.inference.usage."
NAMES: Final[Mapping[str, tuple[Shape, ...]]] = {
    f"{_USAGE}input_tokens": ("sum",),
    f"{_USAGE}cache_read.input_tokens": ("sum",),
    f"{_USAGE}output_tokens": ("sum",),
    f"{_USAGE}reasoning.output_tokens": ("sum",),
    "gen_ai.client.token.usage": ("histogram",),
    "gen_ai.server.time_to_first_token": ("histogram",),
    "gen_ai.server.time_per_output_token": ("histogram",),
    "gen_ai.server.request.duration": ("histogram",),
    "gen_ai.client.operation.duration": ("histogram",),
    "hw.energy": ("sum",),
    "hw.host.energy": ("sum",),
    "hw.power": ("gauge",),
    "hw.host.power": ("gauge",),
}
# To SI; what is not here is not known.
SCALES: Final[Mapping[str, float]] = {
    "": 1.0, "{token}": 1.0, "token": 1.0, "tokens": 1.0, "{tokens}": 1.0, "1": 1.0,
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "J": 1.0, "mJ": 1e-3, "kJ": 1e3, "W": 1.0, "mW": 1e-3,
    "kW": 1e3, "W.h": 3600.0, "kW.h": 3.6e6, "Wh": 3600.0, "kWh": 3.6e6,
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One data point, in SI.

    Attributes:
        metric: Name of the metric.
        attributes: Attributes of the resource and, above them, of the point.
        shape: What it is.
        delta: It counts since the point before it, not since its start.
        start_s: Since when, UNIX time; None: it does not say.
        time_s: Until when.
        value_si: Value of a sum or gauge; sum of a histogram.
        count: Observations of a histogram.
        buckets: Upper edges and the observations up to there.
    """

    metric: str
    attributes: Mapping[str, str]
    shape: Shape
    delta: bool
    start_s: float | None
    time_s: float
    value_si: float
    count: float = 0.0
    buckets: tuple[tuple[float, float], ...] = ()

    @property
    def stream(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What tells it from points of other streams."""
        return self.metric, tuple(sorted(self.attributes.items()))


class _WrongError(ValueError):
    """A point that cannot be read, and why."""


def points_of(request: Mapping[str, Any]) -> tuple[list[Point], list[str]]:
    """Points of a request, and what of it cannot be read, a sentence each."""
    points: list[Point] = []
    problems: list[str] = []
    for resource, metric in _metrics(request):
        name = metric.get("name")
        shapes = NAMES.get(name) if isinstance(name, str) else None
        for shape in shapes or ():
            body = metric.get(shape)
            if not isinstance(body, Mapping):
                got = ", ".join(k for k in metric if k not in {"name", "unit", "description"})
                problems.append(f"{name}: expected a {shape}; got {got[:80] or 'nothing'}.")
                continue
            for raw in mappings(body.get("dataPoints")):
                try:
                    found = _point(str(name), shape, metric.get("unit"), body, raw, resource)
                except _WrongError as error:
                    problems.append(f"{name}: {error}.")
                else:
                    points += [] if found is None else [found]
    return points, problems


def _metrics(request: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], Mapping[str, Any]]]:
    """Every metric with the attributes of its resource."""
    for group in mappings(request.get("resourceMetrics")):
        resource = group.get("resource")
        about = attributes_of(resource) if isinstance(resource, Mapping) else {}
        for scope in mappings(group.get("scopeMetrics")):
            for metric in mappings(scope.get("metrics")):
                yield about, metric


def attributes_of(holder: Mapping[str, Any]) -> dict[str, str]:
    """Attributes that are texts, numbers or yes and no, as texts of bounded length."""
    found: dict[str, str] = {}
    for pair in mappings(holder.get("attributes")):
        value = pair.get("value")
        if isinstance(value, Mapping) and isinstance(pair.get("key"), str):
            plain = next((value[k] for k in _VALUES if k in value), None)
            if isinstance(plain, str | int | float):
                found[pair["key"][:MAX_TEXT]] = str(plain)[:MAX_TEXT]
    return found


_VALUES: Final = ("stringValue", "intValue", "doubleValue", "boolValue")


def _point(  # what a point is stands in four places
    name: str,
    shape: Shape,
    unit: object,
    body: Mapping[str, Any],
    raw: Mapping[str, Any],
    resource: Mapping[str, str],
) -> Point | None:
    flags = raw.get("flags")
    if isinstance(flags, int) and flags & _NO_VALUE:
        return None
    scale = SCALES.get(unit if isinstance(unit, str) else "")
    if scale is None:
        raise _WrongError(f"expected a unit as the conventions have it; got {str(unit)[:40]!r}")
    time_s = _positive(number(raw, "timeUnixNano"))
    if time_s is None:
        raise _WrongError("expected timeUnixNano of a point")
    start_s = _positive(number(raw, "startTimeUnixNano"))
    delta = shape != "gauge" and _is_delta(body)
    if delta and (start_s is None or start_s > time_s):
        raise _WrongError("expected startTimeUnixNano of a delta, not after its time")
    if shape == "sum" and body.get("isMonotonic") is not True:
        raise _WrongError("expected a sum that is monotonic; one that may fall is no count")
    histogram = shape == "histogram"
    value, count = number(raw, "sum") if histogram else _value(raw), number(raw, "count")
    given = [value, count] if histogram else [value]
    if any(v is None or not 0.0 <= v <= MOST_SI for v in given) or value is None:
        raise _WrongError(f"expected a value from 0 to {MOST_SI:g}")
    return Point(
        metric=name,
        attributes={**resource, **attributes_of(raw)},
        shape=shape,
        delta=delta,
        start_s=start_s,
        time_s=time_s,
        value_si=value * scale,
        count=count or 0.0 if histogram else 0.0,
        buckets=_buckets(raw, scale, count or 0.0) if histogram else (),
    )


def _positive(time_ns: float | None) -> float | None:
    return None if time_ns is None or time_ns <= 0.0 else time_ns / _NS_PER_S


def _is_delta(body: Mapping[str, Any]) -> bool:
    temporality = body.get("aggregationTemporality")
    known = isinstance(temporality, int | str)
    if known and temporality in _DELTA:
        return True
    if known and temporality in _CUMULATIVE:
        return False
    raise _WrongError(f"expected a temporality, delta or cumulative; got {temporality!r:.40}")


def _value(raw: Mapping[str, Any]) -> float | None:
    found = number(raw, "asDouble")
    return number(raw, "asInt") if found is None else found


def _buckets(raw: Mapping[str, Any], scale: float, count: float) -> tuple[tuple[float, float], ...]:
    """Cumulated buckets; none where they do not fit the count or one another."""
    edges, counts = raw.get("explicitBounds") or [], raw.get("bucketCounts") or []
    if not isinstance(edges, list) or not isinstance(counts, list) or not counts:
        return ()
    uppers = [number({"edge": edge}, "edge") for edge in edges[:MAX_BUCKETS]]
    alone = [number({"n": n}, "n") for n in counts[: MAX_BUCKETS + 1]]
    known = [n for n in alone if n is not None and n >= 0.0]
    rising = [e * scale for e in uppers if e is not None]
    if len(known) != len(counts) or len(rising) != len(edges) or len(known) != len(rising) + 1:
        raise _WrongError("expected one more count than bounds, all of them numbers")
    if sorted(set(rising)) != rising or sum(known) != count:
        raise _WrongError("expected bounds that rise and counts that add up to the count")
    sums = [sum(known[: i + 1]) for i in range(len(known))]
    return tuple(zip([*rising, math.inf], sums, strict=True))
