"""Views over the parts, and what is said when a ledger is not one."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import threading

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger_rows import META, coverage, energy, work, write
from tree6g.errors import LedgerError
from tree6g.ledger import meta as header
from tree6g.ledger import schema
from tree6g.ledger.check import check
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import named_sql, open_ledger, reopen, sql_errors
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.tree import figure


def part(ledger, table="energy"):
    return ledger.parts[table][0]


def test_every_table_is_a_view_and_empty_ones_are_typed(tmp_path):
    ledger = write(tmp_path / "l", energy=energy())
    with ledger.connect() as db:
        for table, columns in schema.TABLES.items():
            described = db.sql(f"DESCRIBE {table}").fetchall()
            assert [row[0] for row in described] == columns.names
        kinds = {row[0]: row[1] for row in db.sql("DESCRIBE request").fetchall()}
    assert (kinds["id"], kinds["token_in"], kinds["node"]) == ("BIGINT", "DOUBLE", "VARCHAR")


def test_a_query_takes_parameters_by_position_and_by_name(tmp_path):
    ledger = write(tmp_path / "l", energy=energy(t0_s=[0, 1], t1_s=[1, 2], energy_j=[3, 4]))
    by_position = ledger.query("SELECT energy_j FROM energy WHERE t0_s >= ?", [1.0])
    by_name = ledger.query("SELECT energy_j FROM energy WHERE t0_s >= $t", {"t": 1.0})
    assert by_position["energy_j"].to_pylist() == by_name["energy_j"].to_pylist() == [4.0]


def test_an_open_ledger_does_not_see_later_parts(tmp_path):
    early = write(tmp_path / "l", energy=energy())
    (tmp_path / "l" / "energy" / "part-000002.parquet").write_bytes(part(early).read_bytes())
    assert early.query("SELECT count(*) AS n FROM energy")["n"].to_pylist() == [1]
    assert open_ledger(tmp_path / "l").rows()["energy"] == 2


def test_a_ledger_opens_again_with_the_parts_that_came_since(tmp_path):
    early = write(tmp_path / "l", energy=energy())
    assert reopen(early) is early
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", energy(t0_s=1.0, t1_s=2.0))
        writer.update_meta(dataclasses.replace(META, notes=("new",)))
    now = reopen(early)
    assert now == open_ledger(tmp_path / "l")
    assert (now.rows()["energy"], now.meta.notes) == (2, ("new",))


def test_parts_that_vanished_are_not_counted_when_a_ledger_opens_again(tmp_path):
    early = write(tmp_path / "l", energy=energy())
    early.parts["energy"][0].rename(tmp_path / "l" / "energy" / "part-000009.parquet")
    now = reopen(early)
    assert now.rows()["energy"] == 1
    assert now == open_ledger(tmp_path / "l")


def test_covered_time_of_a_growing_ledger_always_has_its_energy(tmp_path):
    """Or a reader between two renames of a flush would see time without the joules in it."""
    done = threading.Event()

    def grow():
        with LedgerWriter(tmp_path / "l", META) as writer:
            for t in range(60):
                writer.append("energy", energy(t0_s=float(t), t1_s=t + 1.0))
                writer.append("coverage", coverage(t0_s=float(t), t1_s=t + 1.0, quantity="energy"))
                writer.flush()
        done.set()

    write(tmp_path / "l")
    thread = threading.Thread(target=grow)
    thread.start()
    looks = 0
    ledger = open_ledger(tmp_path / "l")
    while not done.is_set():
        ledger = reopen(ledger) if looks % 2 else open_ledger(tmp_path / "l")
        rows = ledger.rows()
        assert rows["energy"] >= rows["coverage"] - 2  # two from the beginning
        looks += 1
    thread.join()
    assert looks > 1


def test_a_view_reads_only_the_row_groups_of_the_window(tmp_path):
    t0 = [float(i) for i in range(3 * 122_880)]
    ledger = write(tmp_path / "l", energy=energy(t0_s=t0, t1_s=[t + 1 for t in t0]))
    groups = pq.ParquetFile(part(ledger)).metadata
    assert groups.num_row_groups == 3
    assert groups.row_group(1).column(0).statistics.min == 122_880.0
    with ledger.connect() as db:
        plan = db.sql("EXPLAIN SELECT sum(energy_j) FROM energy WHERE t0_s < 10").fetchall()
    assert "t0_s" in str(plan)
    assert "Filter" in str(plan)


def test_the_database_may_not_fetch_extensions(tmp_path):
    with write(tmp_path / "l").connect() as db:
        names = ("autoinstall_known_extensions", "autoload_known_extensions", "threads")
        values = [db.sql(f"SELECT current_setting('{n}')").fetchall()[0][0] for n in names]
    assert [str(v).lower() for v in values] == ["false", "false", "1"]


def test_a_path_with_a_quote_is_read(tmp_path):
    ledger = write(tmp_path / "it's", energy=energy())
    assert ledger.query("SELECT count(*) AS n FROM energy")["n"].to_pylist() == [1]


def test_a_folder_without_header_is_no_ledger(tmp_path):
    with pytest.raises(LedgerError, match="expected a ledger"):
        open_ledger(tmp_path)
    with pytest.raises(LedgerError, match="cannot read"):
        open_ledger("nul\0byte")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "expected JSON"),
        ("[1]", "expected a header with schema"),
        ('{"schema": "other"}', "tree6g-ledger-1"),
        ('{"schema": "tree6g-ledger-1", "boundry": "full"}', "Did you mean 'boundary'?"),
        ('{"schema": "tree6g-ledger-1", "boundary": "all"}', "boundary of a ledger"),
        ('{"schema": "tree6g-ledger-1", "notes": [1]}', "'notes'"),
        ('{"schema": "tree6g-ledger-1", "services": {"a": 1}}', "'services'"),
        ('{"schema": "tree6g-ledger-1", "attribution_interval_s": true}', "attribution_interval_s"),
        ('{"schema": "tree6g-ledger-1", "attribution_interval_s": 0}', "must be > 0 s"),
        ('{"schema": "tree6g-ledger-1", "control": {"x": 1e999}}', "finite"),
        ('{"schema": "tree6g-ledger-1", "control": {"x": NaN}}', "finite"),
        ("[" * 100_000, "expected JSON"),
    ],
)
def test_a_broken_header_is_a_ledger_error(tmp_path, text, says):
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(LedgerError) as caught:
        open_ledger(tmp_path)
    assert says in str(caught.value)


def test_a_header_that_is_not_text_is_a_ledger_error(tmp_path):
    (tmp_path / "meta.json").write_bytes(b"\xff\xfe{")
    with pytest.raises(LedgerError, match="UTF-8"):
        open_ledger(tmp_path)
    shutil.rmtree(tmp_path)
    (tmp_path / "meta.json").mkdir(parents=True)
    with pytest.raises(LedgerError, match="cannot read"):
        open_ledger(tmp_path)


def test_a_header_comes_back_as_it_was_written():
    meta = Meta(services={"a": {"kind": "ai"}}, notes=("n",), merged=({"ledger": "x"},))
    assert header.load(header.dump(meta)) == meta
    assert json.loads(header.dump(meta))["schema"] == schema.SCHEMA


def test_a_header_of_what_json_has_not_is_refused():
    deep = {}
    for _ in range(5_000):
        deep = {"a": deep}
    for odd in (float("nan"), object(), deep):
        with pytest.raises(LedgerError, match="plain JSON"):
            header.dump(Meta(control={"x": odd}))


@pytest.mark.parametrize("keep", [0, 10, 500])
def test_a_truncated_part_is_a_ledger_error_with_its_path(tmp_path, keep):
    file = part(write(tmp_path / "l", energy=energy()))
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(LedgerError, match="part-000001"):
        open_ledger(tmp_path / "l")


def test_a_part_with_damaged_pages_is_a_ledger_error_when_it_is_read(tmp_path):
    ledger = write(tmp_path / "l", energy=energy())
    damaged = bytearray(part(ledger).read_bytes())
    damaged[4:300] = bytes(296)
    part(ledger).write_bytes(damaged)
    with pytest.raises(LedgerError):
        ledger.query("SELECT sum(energy_j), count(DISTINCT node) FROM energy")
    with pytest.raises(LedgerError):
        ledger.table("energy")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda rows: rows.drop_columns(["energy_j"]), "expected column 'energy_j'"),
        (
            lambda rows: rows.set_column(0, "t0_s", pa.array([0])),
            "expected DOUBLE in column 't0_s'",
        ),
        (lambda rows: rows.set_column(2, "node", pa.array([7])), "expected VARCHAR"),
    ],
)
def test_a_part_of_another_schema_is_a_ledger_error(tmp_path, change, says):
    file = part(write(tmp_path / "l", energy=energy()))
    pq.write_table(change(pq.read_table(file)), file)
    with pytest.raises(LedgerError, match=says):
        open_ledger(tmp_path / "l")


def test_a_part_of_another_tool_with_the_same_columns_is_read(tmp_path):
    ledger = write(tmp_path / "l", energy=energy())
    with ledger.connect() as db:
        file = tmp_path / "l" / "energy" / "part-000002.parquet"
        db.execute(f"COPY (SELECT * FROM energy) TO '{file}' (FORMAT parquet)")
    again = open_ledger(tmp_path / "l")
    assert again.rows()["energy"] == 2
    assert again.table("energy")["node"].to_pylist() == ["n", "n"]


def test_a_wrong_query_is_a_ledger_error(tmp_path):
    ledger = write(tmp_path / "l")
    with pytest.raises(LedgerError, match="energi"):
        ledger.query("SELECT * FROM energi")
    with pytest.raises(LedgerError, match="with a result"):
        ledger.query("-- nothing")
    with ledger.connect() as db, pytest.raises(LedgerError), sql_errors(ledger.path):
        db.sql("SELECT")


def test_rows_of_a_table_are_those_of_the_query(tmp_path):
    ledger = write(tmp_path / "l", work=work(kind=["token_out", "bit_dl"], amount=[1.5, 2.5]))
    assert ledger.table("work")["amount"].to_pylist() == [1.5, 2.5]
    assert ledger.table("request").schema == schema.TABLES["request"]
    with pytest.raises(LedgerError, match="Did you mean 'work'"):
        ledger.table("works")


def test_a_missing_sql_file_is_named_with_its_nearest():
    assert "SELECT" in named_sql("ledger", "node_energy")
    with pytest.raises(LedgerError, match="Did you mean 'node_energy'"):
        named_sql("ledger", "node_energies")


def test_the_header_of_a_new_ledger_is_the_given_one(tmp_path):
    assert write(tmp_path / "l").meta == META


@pytest.mark.parametrize("word", [b"energy_j", b"t0_s", b"service"])
def test_a_damaged_name_in_a_footer_is_a_ledger_error_or_no_harm(tmp_path, word):
    ledger = write(tmp_path / "l", energy=energy())
    path = part(ledger)
    head, _, tail = path.read_bytes().rpartition(word)
    path.write_bytes(head + b"\xc6" * len(word) + tail)
    with contextlib.suppress(LedgerError):
        check(open_ledger(tmp_path / "l"))
    with contextlib.suppress(LedgerError):
        figure(open_ledger(tmp_path / "l"))
