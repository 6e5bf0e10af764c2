"""Drawing: one drawing of a figure becomes an SVG file, a PNG file and SVG inside the page."""

from __future__ import annotations

import dataclasses
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from tree6g.report import palette
from tree6g.report.markup import Markup, visible
from tree6g.report.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

# Narrow enough that its text stays legible when a phone shrinks it to 330 pixels.
WIDTH_IN: Final = 4.5
STAMP_IN: Final = 0.22

_STYLE: Final[Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "tree6g",
    "text.parse_math": False,
    "text.color": palette.light("ink"),
    "axes.edgecolor": palette.light("muted"),
    "axes.labelcolor": palette.light("ink"),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "figure.facecolor": palette.light("paper"),
    "grid.color": palette.light("rule"),
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "xtick.color": palette.light("muted"),
    "ytick.color": palette.light("muted"),
    "xtick.labelcolor": palette.light("ink"),
    "ytick.labelcolor": palette.light("ink"),
    "hatch.linewidth": 0.8,
    "hatch.color": palette.light("paper"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A figure in all its written forms.

    Attributes:
        name: Stem of its files.
        title: What it shows, as a heading.
        description: What can be read off it, in words, for those who cannot see it.
        table: Its data.
        svg: The SVG file.
        png: The PNG file.
        inline: SVG for the page, its colours CSS variables, its text in the page's font.
    """

    name: str
    title: str
    description: str
    table: Table
    svg: bytes
    png: bytes
    inline: Markup


def draw(
    table: Table,
    paint: Callable[[Canvas], None],
    *,
    description: str,
    stamp: str,
    height_in: float,
) -> Drawing:
    """Draw a figure of a table and write it in all forms, stamped and without any date."""
    title, description = visible(table.title), visible(description)
    with _styled():
        from matplotlib.figure import Figure as Canvas

        canvas = Canvas(figsize=(WIDTH_IN, height_in + STAMP_IN))
        paint(canvas)
        _write_stamp(canvas, stamp)
        words = {"Title": title, "Description": f"{description} [{stamp}]"}
        svg = _saved(canvas, "svg", {**words, "Creator": "tree6g", "Date": None})
        png = _saved(canvas, "png", {**words, "Software": "tree6g"})
    return Drawing(
        name=table.name,
        title=title,
        description=description,
        table=table,
        svg=svg,
        png=png,
        inline=inline_svg(svg, name=table.name, title=title, description=description),
    )


def axes(
    canvas: Canvas, *, left: float, right: float, top: float = 0.12, bottom: float = 0.5
) -> Axes:
    """Axes with margins in inches, above the stamp."""
    width, height = canvas.get_size_inches()
    foot = bottom + STAMP_IN
    box = (left / width, foot / height, (width - left - right) / width, 0.0)
    return canvas.add_axes((box[0], box[1], box[2], (height - foot - top) / height))


def spread(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Positions as near to the wanted ones as can be with `gap` between neighbours.

    Between `low` and `high` if they fit there; the order is kept.
    """
    count = len(wanted)
    order = sorted(range(count), key=lambda i: (wanted[i], i))
    gap = min(gap, (high - low) / max(count - 1, 1))
    # Without the gaps the task is the nearest rising sequence: neighbours that fall are averaged.
    blocks: list[tuple[float, int]] = []
    for place, i in enumerate(order):
        mean, size = wanted[i] - gap * place, 1
        while blocks and blocks[-1][0] >= mean:
            before, members = blocks.pop()
            mean, size = (mean * size + before * members) / (size + members), size + members
        blocks.append((mean, size))
    means = [mean for mean, size in blocks for _ in range(size)]
    placed = [0.0] * count
    for place, (i, mean) in enumerate(zip(order, means, strict=True)):
        placed[i] = min(max(mean, low), high - gap * (count - 1)) + gap * place
    return placed


def inline_svg(svg: bytes, *, name: str, title: str, description: str) -> Markup:
    """The SVG as an element of a page: own ids, roles for readers, colours by variable."""
    root = ET.fromstring(svg)  # noqa: S314 - written by ourselves a moment ago
    for element in root.iter():
        _plain_element(element, name)
    _drop(root, {"metadata", "title", "style"})
    _describe(root, name, title, description)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=False))


@contextmanager
def _styled() -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # A name in a script that the drawing font lacks still shows in the page's own font.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        yield


def _write_stamp(canvas: Canvas, stamp: str) -> None:
    canvas.text(
        0.99, 0.012, visible(stamp), ha="right", va="bottom", size=6, color=palette.light("muted")
    )


def _saved(canvas: Canvas, form: str, metadata: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    canvas.savefig(out, format=form, metadata=metadata, dpi=200)
    return out.getvalue()


def _describe(root: ET.Element, name: str, title: str, description: str) -> None:
    texts = (("desc", description), ("title", title))
    for kind, text in texts:
        element = ET.Element(kind, {"id": f"{name}-{kind}"})
        element.text = text
        root.insert(0, element)
    root.set("role", "img")
    root.set("aria-labelledby", f"{name}-title {name}-desc")


def _plain_element(element: ET.Element, name: str) -> None:
    element.tag = _local(element.tag)
    attributes = {_local(k): v for k, v in element.attrib.items() if k != "style"}
    attributes |= _presentation(element.attrib.get("style", ""))
    if "id" in attributes:
        attributes["id"] = f"{name}-{attributes['id']}"
    if "href" in attributes:
        attributes["href"] = attributes["href"].replace("#", f"#{name}-", 1)
    if element.tag == "g":
        attributes.pop("id", None)
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    element.attrib.clear()
    element.attrib.update({k: _value(v, name) for k, v in attributes.items()})
    element.tail = None
    if element.tag != "text":
        element.text = None


def _drop(root: ET.Element, tags: set[str]) -> None:
    """Remove elements: file metadata, and a style sheet that the page's policy would refuse."""
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in tags]:
            parent.remove(child)


def _local(qualified: str) -> str:
    return qualified.rpartition("}")[2]


def _presentation(style: str) -> dict[str, str]:
    """The declarations of a style attribute as attributes; the font is the page's."""
    pairs = (d.partition(":") for d in style.split(";"))
    found = {k.strip(): v.strip() for k, _, v in pairs if k.strip()}
    size = re.search(r"([\d.]+)px", found.pop("font", ""))
    if size:
        found.setdefault("font-size", size[1])
    for unused in ("font-family", "white-space", "font-stretch"):
        found.pop(unused, None)
    return found


def _value(value: str, name: str) -> str:
    role = palette.role_of(value)
    return f"var(--{role})" if role else value.replace("url(#", f"url(#{name}-")
