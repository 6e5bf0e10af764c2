"""What is said and drawn of a measured ledger that is laid over a simulated one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from tree6g.calibrate.overlay import Overlay
from tree6g.calibrate.overlay_rows import ErrorRow
from tree6g.calibrate.result import Curve, Plot
from tree6g.report import numerals
from tree6g.report.canvas import Drawing
from tree6g.report.figures import validation
from tree6g.report.frame import Section, figure
from tree6g.report.markup import tag
from tree6g.report.tables import Cell, Column, Missing, Table, to_html

_NAMES: Final = {
    "energy": "energy", "power": "mean power", "power_peak": "highest power",
    "token_in": "prompt tokens", "token_in_cached": "cached prompt tokens",
    "token_out": "output tokens", "token_reasoning": "reasoning tokens",
    "j_per_tok": "energy per output token", "bit": "bits", "j_per_bit": "energy per bit",
    "request": "requests", "request_lost": "lost requests", "tree": "TREE", "ee": "EE",
    "bit_ul": "bits up", "bit_dl": "bits down", "bit_late": "late bits",
    "token_late": "late tokens",
}  # fmt: skip
_WAITS: Final = {"ttft": "first token", "tpot": "time per token", "e2e": "whole answer"}
_POINTS: Final = {"mean": "mean", "p50": "median", "p95": "95 %", "p99": "99 %"}
_SHORT: Final = ("mean", "p99")  # left out where a table is to be short


def sentences(overlay: Overlay) -> list[str]:
    """What is laid over what, how, and how far off the whole is."""
    return [_headline(overlay), _basis(overlay), *(f"Note: {n}." for n in _plain(overlay.notes))]


def error_table(overlay: Overlay, *, short: bool = False) -> Table:
    """Quantities of both ledgers with their errors.

    Args:
        overlay: What was found.
        short: Leave out means and 99th percentiles of waiting times, for a terminal.
    """
    rows = [_cells(r) for r in overlay.rows if not (short and r.quantity.endswith(_SHORT))]
    columns = (
        Column(key="quantity", head="quantity"),
        Column(key="of", head="of"),
        Column(key="reference", head=overlay.reference),
        Column(key="other", head=overlay.other),
        Column(key="error_frac", head="error", unit="frac"),
        Column(key="mape_frac", head="by window", unit="frac"),
    )
    return Table(name="errors", title="Errors by quantity", columns=columns, rows=tuple(rows))


def section(overlay: Overlay, drawings: Sequence[Drawing]) -> Section:
    """The part of the comparison's page that shows the errors."""
    body: list[object] = [tag("p", s) for s in sentences(overlay)]
    caption = (
        f"Dashed: {overlay.reference}. Line: {overlay.other}. Windows of {overlay.window_s:g} s."
    )
    body += [figure(d, caption) for d in drawings]
    body += [
        tag("p", "Error: how far the second is above the first (+) or below (-). By window: mean "
                 "of the errors of single windows without their signs."),
        to_html(error_table(overlay), limit=200),
    ]  # fmt: skip
    return Section(id="errors", short="Errors", title="One over the other", body=body)


def drawings(overlay: Overlay, stamp: str) -> list[Drawing]:
    """Power and output of both over time; none where there are no windows."""
    panels = [("power", "Power (W)"), ("token_out", "Output tokens per second"),
              ("bit", "Bits per second")]  # fmt: skip
    curves = [
        _curve(overlay, row, panel)
        for name, panel in panels
        for row in overlay.rows
        if row.quantity == name and not row.of and len(row.series) > 1
    ]
    if not curves:
        return []
    plot = Plot(
        name="overlay",
        title=f"{overlay.other} over {overlay.reference}",
        reads="Where both lines meet, both worlds agree.",
        x_label="Time from the start (h)",
        y_label="",
        curves=tuple(curves),
        reference=overlay.reference,
    )
    return validation.drawings([plot], stamp=stamp)


def _curve(overlay: Overlay, row: ErrorRow, panel: str) -> Curve:
    length_s = 1.0 if row.unit == "w" else overlay.window_s
    first = row.series[0][0]
    number, one, two = (np.array(column, dtype=float) for column in zip(*row.series, strict=True))
    return Curve(
        panel=panel,
        name=overlay.other,
        x=(number - first) * overlay.window_s / 3600.0,
        y=two / length_s,
        reference=one / length_s,
    )


def _headline(overlay: Overlay) -> str:
    """Energy, tokens and bits: how far the other is from the reference."""
    said = []
    for name, words in (("energy", "energy"), ("token_out", "output tokens"), ("bit", "bits")):
        error = next((r.error_frac for r in overlay.rows if (r.quantity, r.of) == (name, "")), None)
        if error is not None:
            share = numerals.percent(abs(error))
            said.append(f"{words} {share} {'above' if error >= 0 else 'below'}")
    one, two = (
        f"{name} ({'measured' if measured else 'simulated'})"
        for name, measured in zip((overlay.reference, overlay.other), overlay.measured, strict=True)
    )
    if not said:
        return f"{two} and {one} have no quantity in common."
    return f"{two} against {one}: {numerals.listing(said)}."


def _basis(overlay: Overlay) -> str:
    length = numerals.quantity(overlay.reference_s / 3600.0, "", 4)
    if overlay.basis == "whole":
        other = numerals.quantity(overlay.other_s / 3600.0, "", 4)
        return (
            f"{overlay.alignment.words} {length} h of {overlay.reference} and {other} h of "
            f"{overlay.other}, boundary {overlay.boundary}."
        )
    return (
        f"{overlay.alignment.words} {length} h that both cover, boundary {overlay.boundary}, "
        f"windows of {overlay.window_s:g} s."
    )


def _plain(notes: Sequence[str]) -> list[str]:
    return [note.removesuffix(".") for note in notes]


def _cells(row: ErrorRow) -> tuple[Cell, ...]:
    values = (_shown(v, row) for v in (row.reference, row.other))
    error: Cell = row.error_frac if row.error_frac is not None else Missing(reason=row.reason)
    mape: Cell = row.mape_frac
    if mape is None:
        mape = Missing(reason=row.reason or "not known")
    return (_named(row.quantity), row.of or "all", *values, error, mape)


def _shown(value: float | None, row: ErrorRow) -> Cell:
    """A value with its unit: each row has another."""
    if value is None:
        return Missing(reason=row.reason)
    if row.unit in _COUNTS:
        return numerals.plain(value, 4)
    return numerals.quantity(value, row.unit, 4)


_COUNTS: Final = ("tok", "request")


def _named(quantity: str) -> str:
    what, _, point = quantity.rpartition("_")
    if what in _WAITS and point in _POINTS:
        return f"{_WAITS[what]}, {_POINTS[point]}"
    return _NAMES.get(quantity, quantity.replace("_", " "))
