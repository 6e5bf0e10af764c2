"""From rows to cells: the covered rows of a ledger on the attribution grid, one connection a query.

The heavy part of every figure is here, two scans of the ledger; all that follows works on cells.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from tree6g.errors import LedgerError
from tree6g.ledger import footer, schema
from tree6g.ledger.reading import Ledger, named_sql
from tree6g.metric import coverage
from tree6g.metric.coverage import Span
from tree6g.metric.figure import Query
from tree6g.metric.profile import Service, from_meta, reweighted


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A ledger opened for one query.

    Attributes:
        ledger: The ledger.
        query: What was asked, with the header's words in place of None.
        connection: Database with the tables `inside`, `energy_cells`, `work_cells`.
        services: Services with the query's weights and slopes.
        inside: Nodes inside the boundary.
        outside: Nodes outside it.
        cover: Covered time of the whole ledger, disjoint spans in order.
        clipped: Whether some rows lie outside the covered time.
        t0_s: Start of the window.
        t1_s: End of the window.
        grid_s: Attribution interval.
    """

    ledger: Ledger
    query: Query
    connection: duckdb.DuckDBPyConnection
    services: dict[str, Service]
    inside: tuple[str, ...]
    outside: tuple[str, ...]
    cover: tuple[Span, ...]
    clipped: bool
    t0_s: float
    t1_s: float
    grid_s: float

    def script(self, name: str, **values: object) -> None:
        """Run a named SQL file with `$name` replaced by literals."""
        text = named_sql("metric", name)
        for key, value in {"grid_s": self.grid_s, **values}.items():
            text = re.sub(rf"\${key}\b", literal(value), text)
        self.connection.execute(text)

    def store(self, name: str, columns: Mapping[str, tuple[str, Sequence[Any]]]) -> None:
        """Create a table of ours: the type and the values of each column.

        Lists, because registering Arrow or NumPy data makes the database import pandas.
        """
        parts = ", ".join(
            f"unnest(${n}::{sql_type}[]) AS {column}"
            for n, (column, (sql_type, _)) in enumerate(columns.items(), 1)
        )
        values = [list(v) for _, v in columns.values()]
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {parts}", values)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a small result."""
        return self.connection.execute(sql).fetchall()


def literal(value: object) -> str:
    """A SQL literal of a number, truth value or one of our own words."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return f"{float(value)!r}::DOUBLE"
    if not re.fullmatch(r"[a-z_|]+", str(value)):
        raise LedgerError(f"expected a plain word; got {value!r}.")
    return f"'{value}'"


def open_book(ledger: Ledger, query: Query, *, cells: bool = True) -> Book:
    """Open a ledger for a query and cut its rows to covered time and grid cells.

    Args:
        ledger: The ledger.
        query: What is asked.
        cells: Whether grid cells are needed; without, the views `covered_energy` and `covered_work`
            and the table `inside` are there, with words as text.

    Raises:
        LedgerError: A node without an `entity` row, or a service that the header does not know.
    """
    asked = dataclasses.replace(
        query,
        boundary=query.boundary or ledger.meta.boundary,
        rule=query.rule or ledger.meta.attribution,
        idle=query.idle or ledger.meta.idle_rule,
    )
    services = reweighted(from_meta(ledger.meta), query.weights, query.alphas)
    connection = ledger.connect(threads=query.threads, memory=query.memory)
    inside, outside = _boundary(connection, str(asked.boundary))
    told = {table: _told(ledger, connection, table) for table in ("energy", "work")}
    extent = _extent(told, connection)
    cover = coverage.covered(_statements(connection), set(inside))
    t0_s, t1_s = _window(asked, cover, extent)
    # Cells are cut whole and shared by time afterwards, so that windows tile (METRIC rule 2).
    by_model = _by_model(ledger, services.values())
    clipped = _cut(connection, cover, extent, by_model=by_model)
    book = Book(
        ledger=ledger,
        query=asked,
        connection=connection,
        services=services,
        inside=inside,
        outside=outside,
        cover=tuple(cover),
        clipped=clipped,
        t0_s=t0_s,
        t1_s=t1_s,
        grid_s=ledger.meta.attribution_interval_s,
    )
    if not cells:
        _check_names(book, "energy", "work")
        return book
    _code_words(book, by_model=by_model)
    try:
        _fill_cells(book, labelled="service" not in told["energy"].empty, by_model=by_model)
    except duckdb.ConversionException:  # a word that no table describes
        _check_names(book, "energy", "work")
        raise
    book.connection.execute(
        "CREATE TEMP TABLE deed AS SELECT DISTINCT node, service, kind, model FROM work_cells"
    )
    _check_names(book, "energy_cells", "deed")
    return book


def _fill_cells(book: Book, *, labelled: bool, by_model: bool) -> None:
    book.script("energy_cells", keys="node|component|state" + "|service" * labelled)
    book.script("work_cells", keys="node|service|kind" + "|model" * by_model)


def _by_model(ledger: Ledger, services: Iterable[Service]) -> bool:
    """Whether any factor of the header goes by model; else rows need not be told apart by it."""
    return any(s.quality or s.tokenizer for s in services) or any(
        row.get("model") is not None for row in ledger.meta.phase_weights
    )


def _code_words(book: Book, *, by_model: bool) -> None:
    """Type `word`: all words of this book as small integers, by which cells join and group.

    The vocabulary of the schema is in it, so that SQL may compare with any of its words; order is
    that of the alphabet, so that sorted output is.
    """
    words = {w for known in schema.VOCABULARY.values() for w in known} | set(book.services)
    words |= {"standby", "no_demand", "shared_idle"}  # why energy is of no service
    sources = ["SELECT node FROM entity", "SELECT site FROM inside"]
    if by_model:
        sources += ["SELECT model FROM work", "SELECT model FROM request"]
    found = book.rows(" UNION ".join(sources))
    words.update(w for (w,) in found if w is not None)
    book.store("words", {"word": ("VARCHAR", sorted(words))})
    book.connection.execute("CREATE TYPE word AS ENUM (SELECT word FROM words)")
    book.connection.execute(
        "CREATE OR REPLACE TEMP TABLE inside AS"
        " SELECT node::word AS node, tier::word AS tier, site::word AS site FROM inside"
    )


def _boundary(
    connection: duckdb.DuckDBPyConnection, boundary: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Table `inside` (node, tier, site) and the names of nodes inside and outside."""
    connection.execute(
        "CREATE TEMP TABLE inside AS SELECT node, any_value(tier) AS tier,"
        " coalesce(any_value(site), node) AS site FROM entity"
        f" WHERE list_contains(string_split(boundaries, ' '), '{boundary}') GROUP BY node"
    )
    names = connection.execute(
        "SELECT DISTINCT e.node, i.node IS NOT NULL FROM entity e LEFT JOIN inside i"
        " ON i.node = e.node ORDER BY 1"
    ).fetchall()
    return tuple(n for n, yes in names if yes), tuple(n for n, yes in names if not yes)


def _extent(
    footers: Mapping[str, footer.Footer], connection: duckdb.DuckDBPyConnection
) -> Span | None:
    """First start and last end of all rows, None for an empty ledger; from footers if they tell."""
    spans: list[Span] = []
    for table, told in footers.items():
        start, end = told.start_s, told.end_s
        if told.rows and (start is None or end is None):
            found = connection.execute(f"SELECT min(t0_s), max(t1_s) FROM {table}").fetchall()
            start, end = found[0]
        if start is not None and end is not None:
            spans.append((start, end))
    return (min(a for a, _ in spans), max(b for _, b in spans)) if spans else None


def _told(ledger: Ledger, connection: duckdb.DuckDBPyConnection, table: str) -> footer.Footer:
    return footer.of_parts(connection, table, ledger.parts[table], ledger.part_rows[table])


def _statements(connection: duckdb.DuckDBPyConnection) -> list[coverage.Statement]:
    return connection.execute(
        "SELECT t0_s, t1_s, source, quantity, node, status FROM coverage ORDER BY ALL"
    ).fetchall()


def _window(query: Query, cover: Sequence[Span], extent: Span | None) -> Span:
    ends = [*cover, *([extent] if extent else [])]
    start = min((a for a, _ in ends), default=0.0) if query.t0_s is None else query.t0_s
    end = max((b for _, b in ends), default=0.0) if query.t1_s is None else query.t1_s
    if end < start:
        raise LedgerError(f"expected t1_s >= t0_s; got the window [{start} s, {end} s).")
    return start, end


def _cut(
    connection: duckdb.DuckDBPyConnection,
    cover: Sequence[Span],
    extent: Span | None,
    *,
    by_model: bool,
) -> bool:
    """Views `covered_energy` and `covered_work`, prorated, and `listed_request`.

    Returns:
        Whether coverage cut any row.
    """
    whole = extent is None or (
        len(cover) == 1 and cover[0][0] <= extent[0] and extent[1] <= cover[0][1]
    )
    connection.execute("CREATE TEMP TABLE covered_time (a_s DOUBLE, b_s DOUBLE)")
    if cover and not whole:
        connection.executemany("INSERT INTO covered_time VALUES (?, ?)", [list(c) for c in cover])
    amounts = {"energy": ("energy_j",), "work": ("amount", "demand")}
    for table, columns in amounts.items():
        source = f"SELECT * FROM {table}" if whole else _prorated(table, columns)
        if table == "work" and not by_model:
            source = f"SELECT * REPLACE (NULL::VARCHAR AS model) FROM ({source})"
        connection.execute(f"CREATE TEMP VIEW covered_{table} AS {source}")
    model = "model" if by_model else "NULL::VARCHAR"
    connection.execute(
        f"CREATE TEMP VIEW listed_request AS SELECT * REPLACE ({model} AS model) FROM request"
    )
    return not whole


def _prorated(table: str, columns: Sequence[str]) -> str:
    start, end = "greatest(t0_s, a_s)", "least(t1_s, b_s)"
    part = f"({end} - {start}) / (t1_s - t0_s)"
    scaled = ", ".join(f"{c} * {part} AS {c}" for c in columns)
    return (
        f"SELECT * EXCLUDE (a_s, b_s) REPLACE ({start} AS t0_s, {end} AS t1_s, {scaled})"
        f" FROM {table} JOIN covered_time ON t1_s > a_s AND t0_s < b_s"
    )


def _check_names(book: Book, energy: str, work: str) -> None:
    """Refuse nodes without an entity and services without a profile in two tables."""
    sql = f"SELECT DISTINCT node, service FROM {energy} UNION SELECT node, service FROM {work}"
    pairs = sorted(book.rows(sql), key=str)
    described = {*book.inside, *book.outside}
    for node, service in pairs:
        if node not in described:
            raise LedgerError(
                f"node '{node}' of {book.ledger.path} has rows but no row in table 'entity'."
                " Add one with its tier and boundaries, or it would count nowhere."
            )
        if service is not None and service not in book.services:
            raise LedgerError(
                f"service '{service}' of {book.ledger.path} has rows but no entry in meta.json."
                " Add its kind and profile under 'services'."
            )
