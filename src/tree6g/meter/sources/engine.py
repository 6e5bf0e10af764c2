"""Inference servers that speak Prometheus: from a table of names to readings.

A server is a record: which series mean which kind, old and new names. Of several names of one kind
the first that is there counts, so that no token counts twice. Counters of a server count from its
start: `_created` of the series, else `process_start_time_seconds`.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from tree6g.meter.exposition import Layout, Scrape
from tree6g.meter.exposition_line import Series
from tree6g.meter.reading import Form, Found, Reading, known, unit_of

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
        names: Names of the series, the preferred one first; of a histogram without `_bucket`.
        read: Form of the reading. `_sum` and `_count` of a histogram may be read as counters.
        scale: Factor to SI.
        labels: Only series with these labels.
        without: Not those with these labels.
    """

    kind: str
    names: tuple[str, ...]
    read: Literal["counter", "gauge", "histogram"] = "counter"
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
    if not scrape.layout.has(engine.marks):
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


class Owner(NamedTuple):
    """Whose a series is."""

    node: str
    model: str
    tenant: str


@dataclasses.dataclass(frozen=True, slots=True)
class _Place:
    """Where a series stands in a scrape, and all of it that is the same every time."""

    series: Series
    text: str
    owner: Owner
    value: int | None
    created: int | None
    count: int | None = None
    total: int | None = None
    buckets: tuple[tuple[float, int], ...] = ()

    def start_s(self, scrape: Scrape, started: float | None) -> float | None:
        """Since when it counts."""
        if self.created is not None:
            value = scrape.values[self.created]
            if math.isfinite(value) and value > 0.0:
                return value
        return started


def _picked(pick: Pick, scrape: Scrape, started: float | None) -> list[Reading]:
    for name in pick.names:
        if pick.read == "histogram":
            places = _placed(scrape.layout, name, _histogram_places)
            found = [_histogram(pick, p, scrape, started) for p in places]
        else:
            places = _placed(scrape.layout, name, _number_places)
            places = [place for place in places if _matches(pick, place.series)]
            found = [_number(pick, p, scrape, started) for p in places]
        if found:
            return found
    return []


def _placed(layout: Layout, name: str, find: Callable[[Layout, str], list[_Place]]) -> list[_Place]:
    """Places of a name, found once for as long as the layout stays."""
    key = (find, name)
    if key not in layout.memo:
        layout.memo[key] = find(layout, name)
    return list(layout.memo[key])


def _number_places(layout: Layout, name: str) -> list[_Place]:
    base = name.removesuffix("_total").removesuffix("_sum").removesuffix("_count")
    return [
        _Place(
            series=layout.series[at],
            text=layout.series[at].text,
            owner=owner(layout.series[at]),
            value=at,
            created=_at(layout, f"{base}_created", layout.series[at].labels),
        )
        for at in layout.places.get(name, ())
    ]


def _histogram_places(layout: Layout, name: str) -> list[_Place]:
    """Histograms of one name, one per set of labels."""
    buckets: dict[tuple[tuple[str, str], ...], list[tuple[float, int]]] = {}
    for at in layout.places.get(f"{name}_bucket", ()):
        edge = _edge(layout.series[at].label("le"))
        if edge is not None:
            buckets.setdefault(layout.series[at].without("le"), []).append((edge, at))
    return [
        _Place(
            series=Series(name, labels),
            text=Series(name, labels).text,
            owner=owner(Series(name, labels)),
            value=None,
            created=_at(layout, f"{name}_created", labels),
            count=_at(layout, f"{name}_count", labels),
            total=_at(layout, f"{name}_sum", labels),
            buckets=tuple(sorted(pairs)),
        )
        for labels, pairs in buckets.items()
    ]


def _at(layout: Layout, name: str, labels: tuple[tuple[str, str], ...]) -> int | None:
    found = [at for at in layout.places.get(name, ()) if layout.series[at].labels == labels]
    return found[0] if found else None


def _number(pick: Pick, place: _Place, scrape: Scrape, started: float | None) -> Reading:
    form: Form = "gauge" if pick.read == "gauge" else "counter"
    at = place.value or 0
    value, why = known(scrape.values[at] * pick.scale)
    states = pick.kind in {"running", "waiting"}
    return Reading(
        name=place.text,
        kind=pick.kind,
        form=form,
        value_si=value,
        why=why,
        unit="request" if states else unit_of(pick.kind, form),
        t1_s=scrape.times_s.get(at),
        start_s=place.start_s(scrape, started) if form == "counter" else None,
        node=place.owner.node,
        model=place.owner.model,
        tenant=place.owner.tenant,
    )


def _histogram(pick: Pick, place: _Place, scrape: Scrape, started: float | None) -> Reading:
    pairs = tuple((edge * pick.scale, scrape.values[at]) for edge, at in place.buckets)
    count, why = known(pairs[-1][1] if place.count is None else scrape.values[place.count])
    if not all(a[1] <= b[1] for a, b in pairwise(pairs)):  # also where one is no number
        count, why = None, "its buckets fall; cumulated counts cannot"
    total = None if place.total is None else known(scrape.values[place.total] * pick.scale)[0]
    return Reading(
        name=place.text,
        kind=pick.kind,
        form="histogram",
        value_si=count,
        why=why,
        unit=unit_of(pick.kind, "histogram"),
        buckets=pairs if count is not None else (),
        sum_si=total,
        start_s=place.start_s(scrape, started),
        node=place.owner.node,
        model=place.owner.model,
        tenant=place.owner.tenant,
    )


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


def owner(series: Series) -> Owner:
    """Whose a series is, by the usual labels."""
    labels = (series.label(*names) or "" for names in (NODE, MODEL, TENANT))
    return Owner(*labels)


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
