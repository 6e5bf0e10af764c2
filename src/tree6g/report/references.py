"""What a ledger rests on: the metric's paper, the models' equations, rows of packaged tables."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tree6g import data
from tree6g.ledger.reading import Ledger, named_sql
from tree6g.report.tables import latex

_TITLE: Final = (
    "TREE: Token-Responsive Energy Efficiency Framework For Green AI-Integrated 6G Networks"
)
EQUATION: Final = "equation "  # before the name of a source that wrote rows
# Fields of a scenario that name a row, and the tables that it may be in.
_NAMING: Final[Mapping[str, tuple[str, ...]]] = {
    "accelerator": ("accelerators",),
    "model": ("models", "base_stations"),
    "token_class": ("token_classes",),
    "lengths": ("request_lengths",),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One thing to cite.

    Attributes:
        what: `software`, `metric`, `equation <source>` or `<table>/<row>`.
        text: The reference as its author wrote it down.
        licence: Licence of the data, empty for an equation.
        status: `read`, `measured` or `typical` for rows of tables, else empty.
        title: Title of a publication, empty where there is none.
    """

    what: str
    text: str
    licence: str = ""
    status: str = ""
    title: str = ""


METRIC_PAPER: Final = Reference(
    what="metric",
    text=f"{_TITLE}, 2025, arXiv:2509.02250, https://arxiv.org/abs/2509.02250",
    title=_TITLE,
)


def references(ledger: Ledger) -> tuple[Reference, ...]:
    """Everything that the figures of a ledger rest on, each once, the metric first."""
    found = [METRIC_PAPER]
    used = ledger.query(named_sql("report", "sources_used")).to_pylist()
    for source in (row["source"] for row in used):
        text = ledger.meta.sources.get(source, "not described in the header of the ledger")
        found.append(Reference(what=f"{EQUATION}{source}", text=text))
    rows = set(_rows_named(ledger.meta.scenario or {}))
    rows |= set(_rows_named({"services": dict(ledger.meta.services)}))
    for table, key in sorted(rows):
        row = data.row(table, key)
        found.append(
            Reference(
                what=f"{table}/{key}",
                text=data.text(row, "source"),
                licence=data.text(row, "licence"),
                status=data.text(row, "status"),
            )
        )
    return tuple(found)


def bibtex(reference: Reference) -> str:
    """A reference as a BibTeX entry; its text stands in `note`, links in `url`."""
    key = re.sub(r"[^a-z0-9]+", "-", f"tree6g {reference.what}".lower()).strip("-")
    url = re.search(r"https?://[^\s,;)]+", reference.text)
    eprint = re.search(r"arXiv[: ](\d{4}\.\d{4,5})", reference.text)
    year = re.search(r"\b(?:19|20)\d{2}\b(?!\.)", reference.text) if reference.title else None
    doi = re.search(r"\b10\.\d{4,9}/[^\s,;)]+", reference.text)
    fields = {
        "title": latex(reference.title or reference.what),
        "year": year[0] if year else "",
        "note": latex(reference.text),
        "url": url[0] if url else "",
        "doi": doi[0] if doi else "",
        "eprint": eprint[1] if eprint else "",
        "archiveprefix": "arXiv" if eprint else "",
    }
    lines = [f"  {name} = {{{value}}}" for name, value in fields.items() if value]
    return f"@misc{{{key},\n" + ",\n".join(lines) + "\n}"


def _rows_named(value: Any) -> Iterator[tuple[str, str]]:
    """Table and row of every name in plain data that names one."""
    if isinstance(value, Mapping):
        for field, inner in value.items():
            for table in _NAMING.get(field, ()):
                if isinstance(inner, str) and inner in data.table(table):
                    yield table, inner
            yield from _rows_named(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _rows_named(inner)
