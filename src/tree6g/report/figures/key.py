"""What the markers and lines of a figure mean, above it, where nothing crosses the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from tree6g.report import numerals, palette
from tree6g.report.markup import visible

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

LINE_IN: Final = 0.2


def markers(canvas: Canvas, entries: Sequence[tuple[str, str]]) -> None:
    """One line per (marker, meaning)."""
    for place, (marker, text) in enumerate(entries):
        _entry(canvas, place, text, {"marker": marker, "color": palette.light("ink")})


def series(canvas: Canvas, names: Sequence[str]) -> None:
    """One line per series, in the style that `style` gives its number."""
    for place, name in enumerate(names):
        _entry(canvas, place, name, style(place))


def entries(
    canvas: Canvas, styles: Sequence[tuple[str, dict[str, Any]]], *, below_in: float = 0.0
) -> None:
    """One line per (meaning, style of its line), for lines that are no series."""
    for place, (text, own) in enumerate(styles):
        _entry(canvas, place, text, own, below_in)


def style(number: int) -> dict[str, Any]:
    """Colour, dashes and marker of a series: three ways to tell it from the others."""
    return {
        "color": palette.light(palette.SERIES[number % 8]),
        "ls": palette.DASHES[number % 8],
        "marker": palette.MARKERS[number % 8],
    }


def _entry(
    canvas: Canvas, place: int, text: str, own: dict[str, Any], below_in: float = 0.0
) -> None:
    width, height = canvas.get_size_inches()
    y = 1 - (0.12 + below_in + LINE_IN * place) / height
    box = canvas.add_axes((0.15 / width, y - 0.06 / height, 0.42 / width, 0.12 / height))
    box.set_axis_off()
    box.plot([0, 1, 2], [0, 0, 0], markevery=[1], ms=6, **{"ls": "", **own})
    canvas.text(0.68 / width, y, numerals.shorten(visible(text), 46), size=9.5, va="center")
