"""Reading a ledger: SQL views over its parts, and nothing that could change or fetch anything."""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tree6g.errors import LedgerError, nearest
from tree6g.ledger import meta as header
from tree6g.ledger import parts, schema
from tree6g.ledger.meta import Meta

if TYPE_CHECKING:
    import duckdb

ROWS_PER_BATCH: Final = 1 << 18
ROWS_PER_LEAN_BATCH: Final = 1 << 13
_LOOKS: Final = 5
_SQL_TYPES: Final = {pa.string(): "VARCHAR", pa.float64(): "DOUBLE", pa.int64(): "BIGINT"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A ledger as it stood when it was opened; parts written later are not seen.

    Attributes:
        path: Its folder.
        meta: Its header.
        parts: Parts of each table, in the order in which they were written.
        part_rows: Rows of each table.
    """

    path: Path
    meta: Meta
    parts: Mapping[str, tuple[Path, ...]]
    part_rows: Mapping[str, int]

    def connect(self, *, threads: int = 1, memory: str | None = None) -> duckdb.DuckDBPyConnection:
        """A fresh in-memory database with one view per table.

        Tables without a part are empty views of the right types. One thread (the default) sums in
        a fixed order: the same ledger gives the same result to the last bit. Wrap your use of the
        connection in `sql_errors` to get LedgerError instead of the database's own errors.

        Args:
            threads: Threads of the database.
            memory: Memory limit such as `"1GB"`; larger work spills to the temporary folder.
        """
        import duckdb  # writers never get here, and it is half of the memory of one

        spill = os.path.join(tempfile.gettempdir(), f"tree6g-spill-{os.getpid()}")  # noqa: PTH118
        config: dict[str, Any] = {
            "threads": threads,
            "temp_directory": spill,
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
        }
        if memory is not None:
            config["memory_limit"] = memory
        with sql_errors(self.path):
            connection = duckdb.connect(config=config)
            for table in schema.TABLES:
                connection.execute(f'CREATE VIEW "{table}" AS {self._view(table)}')
        return connection

    def query(
        self, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = (), *, threads: int = 1
    ) -> pa.Table:
        """Rows of one SQL query over the views.

        Raises:
            LedgerError: The query is wrong or a part cannot be read.
        """
        with self.connect(threads=threads) as connection, sql_errors(self.path):
            values = parameters if isinstance(parameters, Mapping) else list(parameters)
            relation = connection.sql(sql, params=values or None)
            if relation is None:
                raise LedgerError(f"expected a query with a result; got {sql!r}.")
            return relation.to_arrow_table()

    def table(self, name: str) -> pa.Table:
        """All rows of a table in the order in which they were written, text as dictionaries."""
        wanted = schema.columns_of(name)
        return pa.Table.from_batches(self.batches(name), wanted).unify_dictionaries()

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """The rows of a table in order, a few at a time, in the types of the schema."""
        for path in self.parts[name]:
            yield from part_batches(path, name)

    def rows(self) -> dict[str, int]:
        """Number of rows of each table."""
        return dict(self.part_rows)

    def _view(self, table: str) -> str:
        wanted = schema.TABLES[table]
        names = ", ".join(f'"{f.name}"' for f in wanted)
        if self.parts[table]:
            files = ", ".join("'" + str(p).replace("'", "''") + "'" for p in self.parts[table])
            return f"SELECT {names} FROM read_parquet([{files}], hive_partitioning = false)"
        columns = (f'CAST(NULL AS {sql_type(f)}) AS "{f.name}"' for f in wanted)
        return f"SELECT {', '.join(columns)} WHERE false"


def part_batches(
    path: Path, table: str, columns: Sequence[str] | None = None, *, lean: bool = False
) -> Iterator[pa.RecordBatch]:
    """Rows of one part in order, a few at a time, in the types of the schema.

    Args:
        path: The part.
        table: Its table.
        columns: Names of the columns to read, None for all.
        lean: Few rows at a time and one column after the other, for little memory.
    """
    wanted = schema.columns_of(table)
    if columns is not None:
        wanted = pa.schema([wanted.field(name) for name in columns])
    text = [f.name for f in wanted if pa.types.is_dictionary(f.type)]
    with part_errors(path), pq.ParquetFile(path, read_dictionary=text) as part:
        size = ROWS_PER_LEAN_BATCH if lean else ROWS_PER_BATCH
        for rows in part.iter_batches(size, columns=wanted.names, use_threads=not lean):
            # Column by column: a null where none may be is for `check` to report.
            arrays = [rows.column(f.name).cast(f.type) for f in wanted]
            yield pa.RecordBatch.from_arrays(arrays, schema=wanted)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """What the footer of a part says of its rows.

    Attributes:
        rows: Number of rows.
        start_s: Least start, infinity without rows, minus infinity where it does not tell.
        end_s: Greatest end, likewise with the other signs.
    """

    rows: int
    start_s: float
    end_s: float


def stated(path: Path, table: str) -> Stated:
    """The footer of a part; a table without times has the bounds of no rows."""
    names = schema.TABLES[table].names
    times = ("t0_s", "t1_s") if "t0_s" in names else ("arrival_s", "arrival_s")
    with part_errors(path), pq.ParquetFile(path) as part:
        rows = part.metadata.num_rows
        if times[0] not in names:
            return Stated(rows=rows, start_s=math.inf, end_s=-math.inf)
        low, high = (_statistics(part, column) for column in times)
    return Stated(
        rows=rows,
        start_s=min((s.min if s and s.has_min_max else -math.inf for s in low), default=math.inf),
        end_s=max((s.max if s and s.has_min_max else math.inf for s in high), default=-math.inf),
    )


def _statistics(part: pq.ParquetFile, column: str) -> list[Any]:
    at = part.schema_arrow.get_field_index(column)
    groups = range(part.metadata.num_row_groups)
    return [part.metadata.row_group(i).column(at).statistics for i in groups]


def open_ledger(path: str | Path) -> Ledger:
    """Open a ledger for reading: its header and the footers of its parts, no rows.

    A ledger that is being written opens as some flush left it: whatever time `coverage` states, the
    energy and work of that time are there.

    Raises:
        LedgerError: No ledger there, a broken header or part, or columns of another schema.
    """
    folder = Path(path)
    return _opened_as_it_changes(folder, read_meta(folder), {}, {})


def reopen(ledger: Ledger) -> Ledger:
    """The ledger as it stands now; `ledger` itself where nothing was added.

    Only footers of parts that `ledger` does not know are read, so this is the way to follow a
    ledger that grows.

    Raises:
        LedgerError: As `open_ledger`.
    """
    known = ledger.parts, ledger.part_rows
    now = _opened_as_it_changes(ledger.path, read_meta(ledger.path), *known)
    return ledger if now == ledger else now


def _opened_as_it_changes(
    folder: Path, meta: Meta, known: Mapping[str, tuple[Path, ...]], known_rows: Mapping[str, int]
) -> Ledger:
    """As `_opened`; parts that go between being listed and being read are listed anew."""
    for _ in range(_LOOKS - 1):
        try:
            return _opened(folder, meta, known, known_rows)
        except LedgerError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
    return _opened(folder, meta, known, known_rows)


def _opened(
    folder: Path, meta: Meta, known: Mapping[str, tuple[Path, ...]], known_rows: Mapping[str, int]
) -> Ledger:
    rows = {}
    with parts.disk_errors(folder, "read"):
        # The reverse of the order in which a flush gives names: a table that is listed later holds
        # at least what those listed before rest on.
        listed = {t: tuple(parts.list_parts(folder, t)) for t in reversed(schema.TABLES)}
        found = {table: listed[table] for table in schema.TABLES}
        for table, paths in found.items():
            old = known.get(table, ())
            seen = len(old) if paths[: len(old)] == old else 0
            before = known_rows[table] if seen else 0
            rows[table] = before + sum(_checked_rows(p, table) for p in paths[seen:])
    return Ledger(path=folder, meta=meta, parts=found, part_rows=rows)


def read_meta(folder: Path) -> Meta:
    """The header of the ledger in a folder.

    Raises:
        LedgerError: There is none, or it is broken.
    """
    path = folder / header.FILE
    try:
        return header.load(path.read_text("utf-8"), str(path))
    except FileNotFoundError as error:
        raise LedgerError(
            f"expected a ledger (a folder with {header.FILE}); found none at {folder}. "
            "`tree6g run` writes one, `<run>/ledger`."
        ) from error
    except UnicodeDecodeError as error:
        raise LedgerError(f"expected UTF-8 text in {path}; got: {error}.") from error
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        raise LedgerError(f"cannot read {path}: {error}.") from error


@contextmanager
def sql_errors(path: Path) -> Iterator[None]:
    """Turn the database's errors into LedgerError that names the ledger."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise LedgerError(f"query on ledger {path} failed: {error}") from error


def named_sql(package: str, name: str) -> str:
    """Text of the file `tree6g/<package>/sql/<name>.sql`.

    Raises:
        LedgerError: No such file.
    """
    folder = resources.files("tree6g").joinpath(package, "sql")
    file = folder.joinpath(f"{name}.sql")
    if not file.is_file():
        known = [f.name.removesuffix(".sql") for f in folder.iterdir()] if folder.is_dir() else []
        raise LedgerError(f"no SQL file '{name}' in package {package}. {nearest(name, known)}")
    return file.read_text("utf-8")


def sql_type(field: pa.Field) -> str:
    """SQL type of a column of the schema."""
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    return _SQL_TYPES[kind]


def _checked_rows(path: Path, table: str) -> int:
    """Rows of a part whose columns are those of the schema."""
    with part_errors(path), pq.ParquetFile(path) as part:
        got, count = part.schema_arrow, part.metadata.num_rows
    for field in schema.TABLES[table]:
        if field.name not in got.names:
            raise LedgerError(f"expected column '{field.name}' in {path}; got {got.names}.")
        kind = got.field(field.name).type
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if sql_type(field) != _SQL_TYPES.get(plain):
            raise LedgerError(
                f"expected {sql_type(field)} in column '{field.name}' of {path}; got {kind}. "
                "Import foreign files with tree6g.ledger.interchange instead of copying them in."
            )
    return int(count)


@contextmanager
def part_errors(path: Path) -> Iterator[None]:
    """Turn the errors of reading a Parquet file into LedgerError that names it."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).partition("\n")[0]
        raise LedgerError(
            f"expected a whole Parquet part at {path}; got: {first}. Parts are never half-written "
            "by tree6g: restore the file, or remove it and lose its rows."
        ) from error
