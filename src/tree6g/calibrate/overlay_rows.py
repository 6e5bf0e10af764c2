"""The quantities of two ledgers over each other, row by row."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tree6g.ledger import schema
from tree6g.metric import coverage
from tree6g.metric.amounts import Piece, amounts
from tree6g.metric.cells import Book
from tree6g.metric.coverage import Span
from tree6g.metric.delay import Delay, Delays, delays_of
from tree6g.metric.figure import Figure, Query
from tree6g.metric.tree import figure

Windows = Mapping[int, float]
Pair = tuple[float | None, float | None]
_UNITS: Final = {"token": "tok", "bit": "bit", "request": "request"}
QUIET_FRAC: Final = 0.01  # of the mean window; windows with less are left out of mean errors
_LATENCIES: Final = ("ttft", "tpot", "e2e")
_POINTS: Final = ("mean_s", "p50_s", "p95_s", "p99_s")
_OPPOSITE: Final = ("the reference", "the other")
_NO_WINDOWS: Final = "it is taken over the whole time, not by window"
_ONE_WINDOW: Final = "there is one window only"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two ledgers.

    Attributes:
        book: The ledger, opened without cells.
        pieces: The time that counts, cut at the windows, in its own clock.
        spans: The same time uncut.
        services: Names of its services that the reference calls otherwise.
    """

    book: Book
    pieces: Sequence[Piece]
    spans: Sequence[Span]
    services: Mapping[str, str]

    @property
    def length_s(self) -> float:
        """The time that counts."""
        return coverage.length_s(self.spans)

    @property
    def hull(self) -> Span:
        """From its start to its end."""
        return self.spans[0][0], self.spans[-1][1]

    def name_of(self, service: str) -> str:
        """What the reference calls a service."""
        return self.services.get(service, service)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """One quantity of both ledgers.

    Attributes:
        quantity: What: `energy`, `token_out`, `ttft_p95`, ...
        of: Of which tier and component, or of which service; empty for all.
        unit: Its unit.
        reference: Value of the reference; None if unknown.
        other: Value of the other.
        error_frac: (other - reference) / reference; of amounts per second where times differ.
        mape_frac: Mean of the absolute error over windows; None if not known.
        windows: How many windows it rests on.
        reason: Why a value or an error is not known; empty if all are.
        note: What to know of the values.
        series: Values by window, of the reference and of the other, where they are known.
    """

    quantity: str
    of: str = ""
    unit: str
    reference: float | None
    other: float | None
    error_frac: float | None
    mape_frac: float | None = None
    windows: int = 0
    reason: str = ""
    note: str = ""
    series: tuple[tuple[int, float, float], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain data, without the series."""
        fields = [f.name for f in dataclasses.fields(self) if f.name != "series"]
        return {name: getattr(self, name) for name in fields}


@dataclasses.dataclass(frozen=True, slots=True)
class _Frame:
    """What all rows share: lengths of both times, and the time in each window that tells enough."""

    lengths_s: tuple[float, float]
    full: Mapping[int, float]

    def amount(
        self, quantity: str, of: str, unit: str, pair: tuple[Windows | None, Windows | None]
    ) -> ErrorRow:
        """A row of amounts: totals by the time they took, and window by window."""
        totals = tuple(None if w is None else math.fsum(w.values()) for w in pair)
        rates = [
            None if value is None else value / length
            for value, length in zip(totals, self.lengths_s, strict=True)
        ]
        series = self._series(*pair)
        row = compared(quantity, of, unit, (rates[0], rates[1]), by_window=series)
        return dataclasses.replace(row, reference=totals[0], other=totals[1])

    def ratio(
        self,
        quantity: str,
        unit: str,
        over: Sequence[Windows | None],
        under: Sequence[Windows | None],
    ) -> ErrorRow:
        """A row of a quotient of two amounts, window by window and over all."""
        pair = tuple(_quotient(a, b) for a, b in zip(over, under, strict=True))
        series = [_quotients(a, b) for a, b in zip(over, under, strict=True)]
        by_window = self._series(series[0], series[1], absent=None)
        return compared(quantity, "", unit, (pair[0], pair[1]), by_window=by_window)

    def _series(
        self, one: Windows | None, two: Windows | None, absent: float | None = 0.0
    ) -> tuple[tuple[int, float, float], ...]:
        if one is None or two is None or len(self.full) < 2:
            return ()
        found = ((w, one.get(w, absent), two.get(w, absent)) for w in sorted(self.full))
        return tuple((w, a, b) for w, a, b in found if a is not None and b is not None)


def compared(
    quantity: str,
    of: str,
    unit: str,
    pair: Pair,
    *,
    by_window: tuple[tuple[int, float, float], ...] | None = None,
    why: str = "",
    note: str = "",
) -> ErrorRow:
    """One row: error of the whole, mean error of the windows, and why one is not known."""
    reference, other = pair
    error, reason = None, why
    if reference is None or other is None:
        absent = [name for name, value in zip(_OPPOSITE, pair, strict=True) if value is None]
        reason = reason or f"{' and '.join(absent)} does not have it"
    elif reference == 0.0:
        reason = "the reference is 0"
        error = 0.0 if other == 0.0 else None
    else:
        error = (other - reference) / reference
    apes = _apes(by_window or ())
    if error is not None and not apes:
        reason = _NO_WINDOWS if by_window is None else reason or _ONE_WINDOW
    return ErrorRow(
        quantity=quantity,
        of=of,
        unit=unit,
        reference=reference,
        other=other,
        error_frac=error,
        mape_frac=math.fsum(apes) / len(apes) if apes else None,
        windows=len(apes),
        reason=reason,
        note=note,
        series=by_window or (),
    )


def _apes(by_window: Sequence[tuple[int, float, float]]) -> list[float]:
    """Errors of windows without their signs; next to nothing is no measure of an error."""
    if not by_window:
        return []
    least = QUIET_FRAC * math.fsum(a for _, a, _ in by_window) / len(by_window)
    return [abs(b - a) / a for _, a, b in by_window if a > least]


def rows_of(
    sides: tuple[Side, Side], query: Query, window_s: float, *, by_window: bool
) -> tuple[tuple[ErrorRow, ...], tuple[str, ...]]:
    """All rows of two ledgers, and what is to be said of them."""
    frame = _Frame(
        (sides[0].length_s, sides[1].length_s),
        _full(sides[0].pieces, window_s) if by_window else {},
    )
    energy = [amounts(s.book, s.pieces, "energy", ("tier", "component")) for s in sides]
    work = [_work(s) for s in sides]
    figures = [_figure(s, query) for s in sides]
    delays = [_delays(s) for s in sides]
    rows = [
        *_totals(frame, energy, work, window_s),
        *_headline(figures),
        *_energy(frame, energy),
        *_services(frame, work, figures, sides, delays),
    ]
    notes = [
        f"{name} covers {f.covered_s:,.6g} s between the ends of the common time and not only the "
        f"{s.length_s:,.6g} s in it: TREE, EE and the energy of services are of the longer time."
        for name, f, s in zip(("the reference", "the other"), figures, sides, strict=True)
        if abs(f.covered_s - s.length_s) > 1e-6 * s.length_s
    ]
    return tuple(rows), tuple(notes)


def _full(pieces: Sequence[Piece], window_s: float) -> dict[int, float]:
    """Time that counts in windows of which at least half does: thin slices tell little."""
    length: dict[int, float] = {}
    for a, b, number in pieces:
        length[number] = length.get(number, 0.0) + (b - a)
    return {n: s for n, s in length.items() if s >= 0.5 * window_s}


def _work(side: Side) -> dict[tuple[str, ...], dict[int, float]]:
    found: dict[tuple[str, ...], dict[int, float]] = {}
    for (service, kind), windows in amounts(
        side.book, side.pieces, "work", ("service", "kind")
    ).items():
        kept = found.setdefault((side.name_of(service), kind), {})
        for window, amount in windows.items():
            kept[window] = kept.get(window, 0.0) + amount
    return found


def _figure(side: Side, query: Query) -> Figure:
    t0_s, t1_s = side.hull
    known = {*side.book.services}
    own = {name: side.name_of(name) for name in known}
    asked = dataclasses.replace(
        query,
        t0_s=t0_s,
        t1_s=t1_s,
        weights={n: query.weights[own[n]] for n in known if own[n] in query.weights},
        alphas={n: query.alphas[own[n]] for n in known if own[n] in query.alphas},
    )
    return figure(side.book.ledger, asked)


def _delays(side: Side) -> Delays:
    found = delays_of(side.book.ledger, side.hull)
    return {(side.name_of(service), kind): delay for (service, kind), delay in found.items()}


def _totals(
    frame: _Frame,
    energy: Sequence[Mapping[tuple[str, ...], Windows]],
    work: Sequence[Mapping[tuple[str, ...], Windows]],
    window_s: float,
) -> Iterator[ErrorRow]:
    joules = [_sum(list(e.values())) for e in energy]
    row = frame.amount("energy", "", "j", (joules[0], joules[1]))
    yield row
    watts = [
        None if w is None else math.fsum(w.values()) / length
        for w, length in zip(joules, frame.lengths_s, strict=True)
    ]
    scaled = tuple((n, a / frame.full[n], b / frame.full[n]) for n, a, b in row.series)
    yield compared("power", "", "w", (watts[0], watts[1]), by_window=scaled)
    if len(scaled) > 1:
        peak = max(a for _, a, _ in scaled), max(b for _, _, b in scaled)
        note = f"highest mean of a window of {window_s:g} s"
        yield compared("power_peak", "", "w", peak, note=note)
    for kinds, name, unit in _SUMS:
        sums = [_sum(_picked(w, 1, kinds)) for w in work]
        if any(s is not None for s in sums):
            yield frame.amount(name, "", unit, (sums[0], sums[1]))
            if name in _PER:
                yield frame.ratio(_PER[name], _PER[name], joules, sums)


_SUMS: Final = (
    (("token_in", "token_in_cached"), "token_in", "tok"),
    (("token_out",), "token_out", "tok"),
    (("bit_ul", "bit_dl"), "bit", "bit"),
    (("request",), "request", "request"),
)
_PER: Final = {"token_out": "j_per_tok", "bit": "j_per_bit"}


def _headline(figures: Sequence[Figure]) -> Iterator[ErrorRow]:
    for name, unit in (("tree_beq_per_j", "beq_per_j"), ("ee_bit_per_j", "bit_per_j")):
        values = [getattr(f, name) for f in figures]
        if any(v is not None for v in values):
            why = next((f.reasons[name] for f in figures if name in f.reasons), "")
            yield compared(name.partition("_")[0], "", unit, (values[0], values[1]), why=why)


def _energy(
    frame: _Frame, energy: Sequence[Mapping[tuple[str, ...], Windows]]
) -> Iterator[ErrorRow]:
    """By tier where one has several components, then by tier and component."""
    for tier in (t for t in schema.TIERS if any(k[0] == t for e in energy for k in e)):
        parts = list(dict.fromkeys(k[1] for e in energy for k in e if k[0] == tier))
        if len(parts) > 1:
            whole = [_sum(_picked(e, 0, (tier,))) for e in energy]
            yield frame.amount("energy", tier, "j", (whole[0], whole[1]))
        for part in parts:
            one = [e.get((tier, part)) for e in energy]
            yield frame.amount("energy", f"{tier}/{part}", "j", (one[0], one[1]))


def _services(
    frame: _Frame,
    work: Sequence[Mapping[tuple[str, ...], Windows]],
    figures: Sequence[Figure],
    sides: Sequence[Side],
    delays: Sequence[Delays],
) -> Iterator[ErrorRow]:
    attributed = [
        {side.name_of(s.name): s for s in f.services}
        for f, side in zip(figures, sides, strict=True)
    ]
    for service in dict.fromkeys(name for own in attributed for name in own):
        for kind in schema.WORK_KINDS:
            pair = [w.get((service, kind)) for w in work]
            if any(p is not None for p in pair):
                unit = _UNITS[kind.partition("_")[0]]
                yield frame.amount(kind, service, unit, (pair[0], pair[1]))
        yield from _attributed(service, attributed, figures)
        for kind in _LATENCIES:
            found = [d.get((service, kind)) for d in delays]
            if any(f is not None for f in found):
                yield from _waits(service, kind, found)


def _attributed(
    service: str, attributed: Sequence[Mapping[str, Any]], figures: Sequence[Figure]
) -> Iterator[ErrorRow]:
    """Energy of a service by the rule of the figure, per second of the time it is of."""
    own = [a.get(service) for a in attributed]
    joules = [None if s is None else s.energy_j for s in own]
    watts = [
        None if j is None or not f.covered_s else j / f.covered_s
        for j, f in zip(joules, figures, strict=True)
    ]
    row = compared(
        "energy", service, "j", (watts[0], watts[1]), note=f"attributed, rule {figures[0].rule}"
    )
    yield dataclasses.replace(row, reference=joules[0], other=joules[1])
    per = [None if s is None else s.j_per_tok for s in own]
    if any(p is not None for p in per):
        yield compared("j_per_tok", service, "j_per_tok", (per[0], per[1]))


def _waits(service: str, kind: str, found: Sequence[Delay | None]) -> Iterator[ErrorRow]:
    origins = [None if f is None else f.origin for f in found]
    note = ""
    if "histogram" in origins:
        whose = [n for n, o in zip(_OPPOSITE, origins, strict=True) if o == "histogram"]
        note = f"percentiles of {' and '.join(whose)} are upper edges of histogram buckets"
    for point in _POINTS:
        values = [None if f is None else getattr(f, point) for f in found]
        why = next((f.reasons[point] for f in found if f and point in f.reasons), "")
        if any(v is not None for v in values):
            name = f"{kind}_{point.removesuffix('_s')}"
            said = "" if point == "mean_s" else note
            yield compared(name, service, "s", (values[0], values[1]), why=why, note=said)


def _picked(
    by_key: Mapping[tuple[str, ...], Windows], place: int, words: Sequence[str]
) -> list[Windows]:
    return [windows for key, windows in by_key.items() if key[place] in words]


def _sum(parts: Sequence[Windows]) -> dict[int, float] | None:
    """Windows added up; None if there is nothing to add."""
    total: dict[int, float] = {}
    for windows in parts:
        for window, amount in windows.items():
            total[window] = total.get(window, 0.0) + amount
    return total if parts else None


def _quotient(over: Windows | None, under: Windows | None) -> float | None:
    if over is None or under is None:
        return None
    below = math.fsum(under.values())
    return math.fsum(over.values()) / below if below > 0.0 else None


def _quotients(over: Windows | None, under: Windows | None) -> dict[int, float] | None:
    if over is None or under is None:
        return None
    return {w: over.get(w, 0.0) / n for w, n in under.items() if n > 0.0}
