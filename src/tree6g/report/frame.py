"""The frame that all pages share: head, contents, sections, figures with their data."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Sequence

from tree6g.report import style, tables
from tree6g.report.canvas import Drawing
from tree6g.report.markup import Markup, join, tag
from tree6g.report.tables import Missing, Table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A section of a page; `short` is its name in the contents."""

    id: str
    short: str
    title: str
    body: Sequence[object]


def page(
    *, title: str, header: Sequence[object], sections: Sequence[Section], footer: Sequence[object]
) -> str:
    """A whole page that loads nothing and runs nothing."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=style.policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        Markup(f"<style>{style.SHEET}</style>"),
    )
    body = tag(
        "body",
        tag("a", "Skip to the results", class_="skip", href="#results"),
        tag(
            "div",
            tag("header", *header),
            _contents(sections),
            tag("main", *(_section(s) for s in sections), id="results"),
            tag("footer", *blocks(footer)),
            class_="page",
        ),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def blocks(parts: Sequence[object]) -> list[Markup]:
    """Each part as a paragraph, unless it is markup already."""
    return [p if isinstance(p, Markup) else tag("p", p) for p in parts]


def paragraphs(*texts: str) -> Markup:
    """Sentences as paragraphs; empty ones are left out."""
    return join(tag("p", t) for t in texts if t)


def figure(drawing: Drawing | Missing, caption: str) -> Markup:
    """A drawing with its caption and its data to take along, or why there is none."""
    if isinstance(drawing, Missing):
        return tag("p", f"This figure is not drawn: {drawing.reason}.", class_="note")
    under = tag("figcaption", caption, " ", take_along(drawing.table))
    return tag("figure", drawing.inline, under)


def take_along(table: Table) -> Markup:
    """A link that saves a table as CSV, straight out of the page."""
    body = base64.b64encode(tables.to_csv(table).encode()).decode()
    return tag(
        "a",
        "Data (CSV)",
        class_="data",
        download=f"{table.name}.csv",
        href=f"data:text/csv;charset=utf-8;base64,{body}",
    )


def definitions(pairs: Sequence[tuple[str, object]]) -> Markup:
    """Short facts as names and values."""
    items = (join([tag("dt", name), tag("dd", value)]) for name, value in pairs)
    return tag("dl", *items, class_="facts")


def folded(summary: str, body: Markup) -> Markup:
    """A part that opens on request."""
    return tag("details", tag("summary", summary), body)


def _contents(sections: Sequence[Section]) -> Markup:
    items = (tag("li", tag("a", s.short, href=f"#{s.id}")) for s in sections)
    return tag("nav", tag("h2", "In this report"), tag("ol", *items), aria_label="Contents")


def _section(section: Section) -> Markup:
    heading = tag("h2", section.title, id=f"{section.id}-title")
    body = blocks(section.body)
    return tag("section", heading, *body, id=section.id, aria_labelledby=f"{section.id}-title")
