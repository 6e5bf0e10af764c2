"""Two looks at one source: amounts over the time between them, and gaps with their reasons.

| what is seen | what it is |
|---|---|
| a counter rose | the difference |
| its start changed, or it fell and its start lies between the looks | it counts from 0 since then; what came between the first look and the start is a gap |
| it fell, and wraps at a known value | the way up to there and on from 0 |
| its start is another one than before, and not between the looks | a gap: another process answers, such as the next of several behind one address |
| it fell, and nothing says when it started | a gap, for a fall says nothing of how much came before and after |
| it is new, and it or its process started between the looks | it counts from 0 since then |
| it is new, and its process was there at the look before | it counts from 0 since that look: of a series that is not there yet nothing has happened |
| it is new, and nothing says since when it counts; or gone, or not known | a gap |
| a gauge | the mean of both looks, marked estimated: what lay between was not seen |

Nothing is extrapolated. Only differences of the same series are taken, never of sums: a restart of
one process in a sum would hide.
"""  # noqa: E501  # rows of a table

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from tree6g.meter.reading import Reading

SAME_START_S: Final = 1.0  # clocks of `_created` and of process starts are coarse


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Readings of one source at one time, UNIX time of the reader."""

    time_s: float
    readings: Sequence[Reading]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """What came between two looks.

    Attributes:
        reading: The later reading.
        t0_s: Start.
        t1_s: End.
        value_si: Amount; of a gauge its mean; of a histogram the number of observations.
        buckets: Upper edges and the observations in each bucket alone.
        sum_si: Sum of the observations of a histogram.
        origin: That of the reading, or estimated.
    """

    reading: Reading
    t0_s: float
    t1_s: float
    value_si: float
    buckets: tuple[tuple[float, float], ...] = ()
    sum_si: float | None = None
    origin: str = "measured"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time for which a series gives nothing, and why."""

    name: str
    kind: str
    t0_s: float
    t1_s: float
    reason: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deltas:
    """Amounts and gaps between two looks."""

    amounts: tuple[Amount, ...]
    gaps: tuple[Gap, ...]


_Key = tuple[str, str, float | None]


@dataclasses.dataclass(frozen=True, slots=True)
class _Span:
    t0_s: float
    t1_s: float


def deltas(before: Look, after: Look) -> Deltas:
    """What each series gave between two looks; intervals stand for themselves."""
    if not after.time_s > before.time_s:
        reason = f"the clock went from {before.time_s:.3f} to {after.time_s:.3f}"
        return Deltas(amounts=(), gaps=tuple(_all(before, after, reason)))
    span = _Span(before.time_s, after.time_s)
    old = _unique(before.readings)
    new = _unique(after.readings)
    found: list[Amount | Gap] = []
    for name, reading in new.items():
        found += _between(old.get(name), reading, span)
    gone = [r for name, r in old.items() if name not in new and r.form != "interval"]
    found += [_gap(r, span, "the series is no longer there") for r in gone]
    return Deltas(
        amounts=tuple(f for f in found if isinstance(f, Amount)),
        gaps=tuple(f for f in found if isinstance(f, Gap)),
    )


def _unique(readings: Sequence[Reading]) -> Mapping[_Key, Reading]:
    """Readings by kind and name; intervals also by their end."""
    return {(r.kind, r.name, r.t1_s if r.form == "interval" else None): r for r in readings}


def _all(before: Look, after: Look, reason: str) -> Iterator[Gap]:
    t0, t1 = sorted((before.time_s, after.time_s))
    for r in after.readings:
        if r.form != "interval":
            yield _gap(r, _Span(t0, t1), reason)


def _between(old: Reading | None, new: Reading, span: _Span) -> Iterator[Amount | Gap]:
    if new.value_si is None:
        yield _gap(new, span, new.why or "not known")
    elif new.form == "interval":
        if new != old:  # the same file looked at again
            yield from _interval(new, span)
    elif new.form == "gauge":
        yield _gauge(old, new, span)
    elif old is not None and old.value_si is None:
        yield _gap(new, span, f"not known at the look before: {old.why}")
    else:
        yield from _counter(old, new, span)


def _interval(new: Reading, span: _Span) -> Iterator[Amount | Gap]:
    if new.t0_s is None or new.t1_s is None or not new.t1_s > new.t0_s:
        yield _gap(new, span, "its source says no time for it")
    else:
        yield Amount(
            reading=new, t0_s=new.t0_s, t1_s=new.t1_s, value_si=_net(new), origin=new.origin
        )


def _gauge(old: Reading | None, new: Reading, span: _Span) -> Amount | Gap:
    if old is None or old.value_si is None:
        return _gap(new, span, "no value at the look before")
    mean = (_net(old) + _net(new)) / 2.0
    return Amount(reading=new, t0_s=span.t0_s, t1_s=span.t1_s, value_si=mean, origin="estimated")


def _counter(old: Reading | None, new: Reading, span: _Span) -> Iterator[Amount | Gap]:
    started = _started(old, new, span)
    if started is not None:
        if old is not None:
            lost = f"it started anew at {started:.3f}; what it counted before that is lost"
            yield _gap(new, _Span(span.t0_s, started), lost)
        yield _amount(None, new, _Span(started, span.t1_s))
    elif old is None and new.start_s is not None and new.start_s <= span.t0_s:
        yield _amount(None, new, span)
    elif old is None:
        yield _gap(new, span, "first seen, and nothing says since when it counts")
    elif not is_same_process(old, new):
        yield _gap(new, span, "another process answers than at the look before")
    elif not _fell(old, new):
        yield _amount(old, new, span)
    elif new.wraps_si and old.value_si is not None and old.value_si <= new.wraps_si:
        yield _wrapped(old, new, new.wraps_si, span)
    else:
        yield _gap(new, span, _fall(old, new))


def _started(old: Reading | None, new: Reading, span: _Span) -> float | None:
    """When the counter started anew, if that was between the looks."""
    start = new.start_s
    if start is None or not span.t0_s < start <= span.t1_s:
        return None
    if old is not None and old.start_s is not None and start - old.start_s < SAME_START_S:
        return None
    return start


def is_same_process(old: Reading, new: Reading) -> bool:
    """Whether two readings of a counter are of one process, as far as their starts say."""
    if old.start_s is None or new.start_s is None:
        return True
    return abs(new.start_s - old.start_s) < SAME_START_S


def _fell(old: Reading, new: Reading) -> bool:
    if (new.value_si or 0.0) < (old.value_si or 0.0):
        return True
    edges = [edge for edge, _ in old.buckets]
    if edges != [edge for edge, _ in new.buckets]:
        return True
    return any(b < a for (_, a), (_, b) in zip(old.buckets, new.buckets, strict=True))


def _fall(old: Reading, new: Reading) -> str:
    if [edge for edge, _ in old.buckets] != [edge for edge, _ in new.buckets]:
        return "its buckets are others than before"
    if (new.value_si or 0.0) >= (old.value_si or 0.0):
        return "one of its buckets fell, and nothing says when it started"
    return (
        f"it fell from {old.value_si:.10g} to {new.value_si:.10g}, and nothing says when it "
        "started; neither what came before the fall nor after it is known"
    )


def _wrapped(old: Reading, new: Reading, wraps_si: float, span: _Span) -> Amount:
    value = (wraps_si - (old.value_si or 0.0)) + (new.value_si or 0.0)
    return Amount(reading=new, t0_s=span.t0_s, t1_s=span.t1_s, value_si=value, origin=new.origin)


def _amount(old: Reading | None, new: Reading, span: _Span) -> Amount:
    """The difference; tokens that a cache gave are taken off on both sides."""
    counts = (
        [count for _, count in old.buckets] if old and old.buckets else [0.0] * len(new.buckets)
    )
    rises = [now - then for (_, now), then in zip(new.buckets, counts, strict=True)]
    alone = [b - a for a, b in zip([0.0, *rises], rises, strict=False)]
    sum_before = 0.0 if old is None else old.sum_si
    both = new.sum_si is not None and sum_before is not None
    return Amount(
        reading=new,
        t0_s=span.t0_s,
        t1_s=span.t1_s,
        value_si=max(_net(new) - (0.0 if old is None else _net(old)), 0.0),
        buckets=tuple(
            (edge, n) for (edge, _), n in zip(new.buckets, alone, strict=True) if n > 0.0
        ),
        sum_si=(new.sum_si or 0.0) - (sum_before or 0.0) if both else None,
        origin=new.origin,
    )


def _net(r: Reading) -> float:
    net = r.net_si
    return math.nan if net is None else net


def _gap(r: Reading, span: _Span, reason: str) -> Gap:
    return Gap(name=r.name, kind=r.kind, t0_s=span.t0_s, t1_s=span.t1_s, reason=reason)
