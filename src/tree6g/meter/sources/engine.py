"""Inference servers that speak Prometheus: from a table of names to readings.

A server is a record: which series mean which kind, old and new names. Of several names of one kind
the first that is there counts, so that no token counts twice. Counters of a server count from its
start: `_created` of the series, else `process_start_time_seconds`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final, Literal

from tree6g.meter.exposition import Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, known, reading

MODEL: Final = ("model_name", "model", "requested_model", "Model")
TENANT: Final = (
    "tenant", "api_key_alias", "team_alias", "team", "end_user", "user", "lora_name", "adapter",
)  # fmt: skip
NODE: Final = ("instance", "node", "Hostname", "hostname")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pick:
    """Series that mean one kind of work.

    Attributes:
        kind: A key of `reading.UNITS`.
        names: Names of the series, the preferred one first, without `_bucket`, `_sum`, `_count`.
        read: `counter`, `gauge`, `histogram`; `sum` or `count`: that of a histogram, as a counter.
        scale: Factor to SI.
        labels: Only series with these labels.
        without: Not those with these labels.
    """

    kind: str
    names: tuple[str, ...]
    read: Literal["counter", "gauge", "histogram", "sum", "count"] = "counter"
    scale: float = 1.0
    labels: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An inference server and the names it uses.

    Attributes:
        name: Its name, as `format`.
        marks: Starts of names by which it is known.
        picks: What is read.
        cached_inside: Whether `token_in` of the source holds the cached tokens.
        notes: Traps of this source that a person should know.
    """

    name: str
    marks: tuple[str, ...]
    picks: tuple[Pick, ...]
    cached_inside: bool = True
    notes: tuple[str, ...] = ()


def read_engine(engine: Engine, scrape: Scrape) -> Found:
    """What one server says; an empty `Found` if it is not this server's text."""
    names = scrape.layout.places
    if not any(name.startswith(engine.marks) for name in names):
        return Found(format="")
    started = start_of(scrape)
    readings: list[Reading] = []
    for pick in engine.picks:
        readings += _picked(pick, scrape, started)
    if engine.cached_inside:
        readings = _apart(readings)
    problems = (*_missing(engine, readings), *_unknown(readings))
    return Found(format=engine.name, readings=tuple(readings), problems=problems)


def start_of(scrape: Scrape) -> float | None:
    """When the process of the source started, UNIX time, if it says so."""
    for _, value in scrape.named("process_start_time_seconds"):
        if math.isfinite(value) and value > 0.0:
            return value
    return None


def created_of(scrape: Scrape, base: str, labels: tuple[tuple[str, str], ...]) -> float | None:
    """The `_created` of a series, if there is one."""
    for series, value in scrape.named(f"{base}_created"):
        if series.labels == labels and math.isfinite(value) and value > 0.0:
            return value
    return None


def _picked(pick: Pick, scrape: Scrape, started: float | None) -> list[Reading]:
    for name in pick.names:
        if pick.read == "histogram":
            found = list(_histograms(pick, name, scrape, started))
        else:
            found = list(_numbers(pick, name, scrape, started))
        if found:
            return found
    return []


def _numbers(pick: Pick, name: str, scrape: Scrape, started: float | None) -> Iterator[Reading]:
    full = name if pick.read in {"counter", "gauge"} else f"{name}_{pick.read}"
    form: Form = "gauge" if pick.read == "gauge" else "counter"
    for place in scrape.layout.places.get(full, ()):
        series = scrape.layout.series[place]
        if _matches(pick, series):
            start = created_of(scrape, name.removesuffix("_total"), series.labels) or started
            made = reading(
                series.text,
                pick.kind,
                form,
                scrape.values[place],
                scale=pick.scale,
                **owner(series),
            )
            yield dataclasses.replace(
                made,
                t1_s=scrape.times_s.get(place),
                start_s=start if form == "counter" else None,
                unit="request" if pick.kind in {"running", "waiting"} else made.unit,
            )


def _histograms(pick: Pick, name: str, scrape: Scrape, started: float | None) -> Iterator[Reading]:
    """Histograms of one name, one per set of labels."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = {}
    for series, value in scrape.named(f"{name}_bucket"):
        edge = _edge(series.label("le"))
        if _matches(pick, series) and edge is not None:
            buckets.setdefault(series.without("le"), []).append((edge * pick.scale, value))
    for labels, pairs in buckets.items():
        own = Series(name, labels)
        ordered = tuple(sorted(pairs))
        count = _of(scrape, f"{name}_count", labels)
        count = ordered[-1][1] if count is None else count
        known_count, why = known(count)
        if not all(a[1] <= b[1] for a, b in pairwise(ordered)):  # also where one is no number
            known_count, why = None, "its buckets fall; cumulated counts cannot"
        total = _of(scrape, f"{name}_sum", labels)
        yield dataclasses.replace(
            reading(own.text, pick.kind, "histogram", 0.0),
            **owner(own),
            value_si=known_count,
            why=why,
            buckets=ordered if known_count is not None else (),
            sum_si=None if total is None else known(total * pick.scale)[0],
            start_s=created_of(scrape, name, labels) or started,
        )


def _of(scrape: Scrape, name: str, labels: tuple[tuple[str, str], ...]) -> float | None:
    found = [value for series, value in scrape.named(name) if series.labels == labels]
    return found[0] if found else None


def _edge(text: str | None) -> float | None:
    try:
        edge = float(text or "")
    except ValueError:
        return None
    return None if math.isnan(edge) else edge


def _matches(pick: Pick, series: Series) -> bool:
    if not pick.labels and not pick.without:
        return True
    labels = dict(series.labels)
    wanted = all(labels.get(name) in values for name, values in pick.labels.items())
    return wanted and not any(labels.get(n) in values for n, values in pick.without.items())


def owner(series: Series) -> dict[str, Any]:
    """Whose a series is: node, model and tenant by the usual labels."""
    return {
        "node": series.label(*NODE) or "",
        "model": series.label(*MODEL) or "",
        "tenant": series.label(*TENANT) or "",
    }


def _apart(readings: list[Reading]) -> list[Reading]:
    """Prompt tokens without those that came from a cache, which are a reading of their own."""
    cached: dict[tuple[str, str, str, str], float] = {}
    for r in readings:
        if r.kind == "token_in_cached" and r.value_si is not None:
            key = _key(r)
            cached[key] = cached.get(key, 0.0) + r.value_si
    made = [_net(r, cached) if r.kind == "token_in" else r for r in readings]
    for at, r in enumerate(made):
        over = cached.get(_key(r), 0.0) if r.kind == "token_in" else 0.0
        if over > 0.0:
            why = f"{over:g} more cached tokens than prompt tokens"
            made[at] = dataclasses.replace(r, value_si=None, less_si=0.0, why=why)
    return made


def _net(r: Reading, cached: dict[tuple[str, str, str, str], float]) -> Reading:
    """A reading with its cached tokens apart; takes them from what is left of its owner's."""
    key = _key(r)
    less = min(cached.get(key, 0.0), r.value_si or 0.0)
    if less:
        cached[key] -= less
    return dataclasses.replace(r, less_si=less)


def _key(r: Reading) -> tuple[str, str, str, str]:
    """What tells engines, models and tenants apart: all labels that both series have."""
    engine = r.name.partition('engine="')[2].partition('"')[0]
    return r.node, r.model, r.tenant, engine


def _missing(engine: Engine, readings: list[Reading]) -> Iterator[str]:
    kinds = {r.kind for r in readings}
    yield from (f"{engine.name}: {note}" for note in engine.notes)
    wanted = {p.kind for p in engine.picks if p.kind.startswith("token_")}
    for kind in ("token_in", "token_out"):
        if kind in wanted and kind not in kinds:
            names = [name for p in engine.picks if p.kind == kind for name in p.names]
            yield f"{engine.name}: no series of {kind}; expected {' or '.join(names)}."
    if "token_in_cached" not in kinds and "token_in" in kinds and engine.cached_inside:
        yield (
            f"{engine.name}: cached prompt tokens are not told apart; they are inside token_in, "
            "so energy of the prompt phase is attributed too high."
        )


def _unknown(readings: list[Reading]) -> Iterator[str]:
    for r in readings:
        if r.value_si is None:
            yield f"{r.name}: not known: {r.why}."
        elif r.suspect:
            yield f"{r.name}: {r.suspect}."
