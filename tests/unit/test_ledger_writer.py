"""What enters a ledger, what is refused and how that is said."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from ledger_rows import META, energy, entity, request, work, write
from tree6g.errors import LedgerError
from tree6g.ledger import parts
from tree6g.ledger.meta import FILE, Meta
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter


def refused(tmp_path, table, columns):
    with LedgerWriter(tmp_path / "refused", META) as writer:
        with pytest.raises(LedgerError) as caught:
            writer.append(table, columns)
        writer.flush()
    assert open_ledger(tmp_path / "refused").rows()[table] == 0
    return str(caught.value)


def test_scalars_broadcast_and_absent_optional_columns_are_null(tmp_path):
    ledger = write(tmp_path / "l", energy=energy(t0_s=[0, 1], t1_s=[1, 2], energy_j=[1.5, 2.5]))
    rows = ledger.table("energy").to_pylist()
    assert [r["energy_j"] for r in rows] == [1.5, 2.5]
    assert {r["node"] for r in rows} == {"n"}
    assert {r["service"] for r in rows} == {None}


@pytest.mark.parametrize(
    "values",
    [
        [1, 2],
        (1.0, 2.0),
        np.array([1, 2], np.int32),
        np.array([1.0, 2.0], object),
        pa.array([1, 2]),
        pa.chunked_array([[1], [2]]),
    ],
)
def test_numbers_may_come_in_any_array(tmp_path, values):
    ledger = write(tmp_path / "l", energy=energy(energy_j=values, state=["idle", "active"]))
    assert ledger.table("energy")["energy_j"].to_pylist() == [1.0, 2.0]


@pytest.mark.parametrize(
    "words",
    [
        ["a", "b"],
        np.array(["a", "b"]),
        np.array(["a", "b"], object),
        pa.array(["a", "b"], pa.large_string()),
        pa.array(["a", "b"]).dictionary_encode(),
        pa.chunked_array([pa.array([w]).dictionary_encode() for w in ("a", "b")]),
    ],
)
def test_text_may_come_in_any_array(tmp_path, words):
    ledger = write(tmp_path / "l", energy=energy(node=words))
    assert ledger.table("energy")["node"].to_pylist() == ["a", "b"]


def test_all_faults_of_a_batch_are_named_at_once_with_column_row_and_value(tmp_path):
    columns = energy(
        energy_j=[1.0, float("nan"), "x"], state=["ide", "idle", "idle"], tier=["edge", None, "ran"]
    )
    text = refused(tmp_path, "energy", {**columns, "nod": 1})
    assert "unknown column 'nod'. Did you mean 'node'?" in text
    assert "energy_j must hold numbers; got 'x' (row 2)" in text
    assert "got 'ide'. Did you mean 'idle'? (row 0)" in text
    assert "tier must be given; got None" in text


@pytest.mark.parametrize(
    ("table", "columns", "says"),
    [
        ("energy", energy(energy_j=-5.0), "energy_j must be >= 0; got -5.0 J. Every joule"),
        ("energy", energy(energy_j=float("nan")), "must be finite; got nan J"),
        ("energy", energy(t1_s=float("inf")), "t1_s must be finite; got inf s"),
        ("energy", energy(t1_s=0.0), "t0_s must be before t1_s; got 0.0 s and 0.0 s"),
        ("energy", energy(energy_j=True), "must hold numbers; got True"),
        ("energy", energy(energy_j="5 J"), "must hold numbers; got '5 J'"),
        ("energy", energy(node=5), "node must hold text; got 5"),
        ("energy", energy(node=""), "one line of printable text"),
        ("energy", energy(node="a\nb"), "one line of printable text"),
        ("energy", energy(node=None), "column 'node' is required"),
        ("energy", energy(t0_s=[0, 0], t1_s=[1, 1, 1]), "one length; got t0_s 2, t1_s 3"),
        ("work", work(kind="tokens_out"), "Did you mean 'token_out'?"),
        ("work", work(sessions=float("nan")), "Leave the cell empty (None)"),
        ("work", work(amount=[1, 2**63]), "amount must hold numbers"),
        ("request", request(token_late=6), "token_late must be no more than token_out"),
        ("request", request(id=1.5), "id must hold whole numbers"),
        ("entity", entity(boundaries="operator ful"), "Did you mean 'full'?"),
        ("entity", entity(boundaries=""), "printable"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_do(tmp_path, table, columns, says):
    assert says in refused(tmp_path, table, columns)


def test_the_list_of_faults_is_bounded(tmp_path):
    text = refused(tmp_path, "energy", energy(energy_j=[-1.0] * 1000))
    assert "1000 problems" in text
    assert "... and 980 more" in text


def test_an_unknown_table_is_named_with_its_nearest(tmp_path):
    writer = LedgerWriter(tmp_path / "l", META)
    with writer, pytest.raises(LedgerError, match="Did you mean 'energy'"):
        writer.append("energies", energy())


def test_no_rows_make_no_part(tmp_path):
    ledger = write(tmp_path / "l", energy=energy(t0_s=[], t1_s=[]))
    assert ledger.rows()["energy"] == 0
    assert not (tmp_path / "l" / "energy").exists()


def test_a_full_buffer_is_flushed_into_parts_of_the_stated_size(tmp_path):
    t0 = np.arange(25.0)
    with LedgerWriter(tmp_path / "l", META, rows_per_part=10) as writer:
        writer.append("energy", energy(t0_s=t0, t1_s=t0 + 1))
        assert open_ledger(tmp_path / "l").rows()["energy"] == 25
        writer.append("energy", energy(t0_s=[25.0], t1_s=[26.0]))
        assert open_ledger(tmp_path / "l").rows()["energy"] == 25
    names = [p.name for p in open_ledger(tmp_path / "l").parts["energy"]]
    assert names == [f"part-00000{i}.parquet" for i in (1, 2, 3, 4)]


def test_equal_calls_write_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, energy=energy(energy_j=[0.1, 0.2]), work=work())
    for file in sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*")):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_second_writer_is_refused_while_the_first_is_open(tmp_path):
    with LedgerWriter(tmp_path / "l", META), pytest.raises(LedgerError, match="only writer"):
        LedgerWriter(tmp_path / "l", META)
    LedgerWriter(tmp_path / "l", META).close()


def test_a_ledger_grows_by_a_later_writer_with_the_same_header(tmp_path):
    write(tmp_path / "l", energy=energy())
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.append("energy", energy(t0_s=1.0, t1_s=2.0))
    assert open_ledger(tmp_path / "l").rows()["energy"] == 2


def test_another_header_is_refused_until_it_is_updated(tmp_path):
    other = Meta(services=SERVICES_OTHER)
    write(tmp_path / "l")
    with pytest.raises(LedgerError, match="another 'services'"):
        LedgerWriter(tmp_path / "l", other)
    with LedgerWriter(tmp_path / "l", META) as writer:
        writer.update_meta(other)
    LedgerWriter(tmp_path / "l", other).close()


SERVICES_OTHER = {"chat": {"kind": "internal"}}


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(LedgerError, match=r"got 'thesis.tex'"):
        LedgerWriter(tmp_path, META)
    assert not (tmp_path / FILE).exists()


def test_a_file_in_place_of_the_folder_is_a_ledger_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="cannot open for writing"):
        LedgerWriter(tmp_path / "file" / "l", META)


def test_temporary_files_of_a_crashed_writer_are_removed_by_the_next(tmp_path):
    ledger = write(tmp_path / "l", energy=energy())
    stale = tmp_path / "l" / "energy" / "part-000002.parquet.tmp"
    stale.write_bytes(b"half a part")
    assert open_ledger(tmp_path / "l").rows() == ledger.rows()
    LedgerWriter(tmp_path / "l", META).close()
    assert not stale.exists()
    assert parts.list_stale(tmp_path / "l") == []


def test_after_an_error_in_the_block_unflushed_rows_are_dropped(tmp_path):
    def run():
        with LedgerWriter(tmp_path / "l", META) as writer:
            writer.append("energy", energy())
            writer.flush()
            writer.append("energy", energy(t0_s=1.0, t1_s=2.0))
            raise RuntimeError("engine")

    with pytest.raises(RuntimeError, match="engine"):
        run()
    assert open_ledger(tmp_path / "l").rows()["energy"] == 1


def test_a_closed_writer_says_so(tmp_path):
    writer = LedgerWriter(tmp_path / "l", META)
    writer.close()
    writer.close()
    with pytest.raises(LedgerError, match="closed"):
        writer.append("energy", energy())


def test_a_disk_that_refuses_is_a_ledger_error_and_leaves_no_half_part(tmp_path):
    write(tmp_path / "l", energy=energy())
    writer = LedgerWriter(tmp_path / "l", META)
    writer.append("energy", energy(t0_s=1.0, t1_s=2.0))
    writer.append("work", work())
    (tmp_path / "l" / "work").write_text("a file where the folder of the table belongs")
    with pytest.raises(LedgerError, match="cannot write"):
        writer.flush()
    with pytest.raises(LedgerError, match="unusable after an error"):
        writer.append("work", work())
    writer.close()
    assert parts.list_stale(tmp_path / "l") == []
    assert len(parts.list_parts(tmp_path / "l", "energy")) == 1
