"""Ways in and out, and what is said about bad files."""

from __future__ import annotations

import sys

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger_rows import META, coverage, energy, entity, request, same_rows, work, write
from tree6g.errors import LedgerError
from tree6g.ledger import meta as header
from tree6g.ledger.check import check
from tree6g.ledger.interchange import (
    from_arrow,
    from_csv,
    from_frame,
    from_parquet,
    to_arrow,
    to_csv,
    to_pandas,
    to_parquet,
    to_polars,
)


@pytest.fixture
def ledger(tmp_path):
    return write(
        tmp_path / "ledger",
        energy=energy(
            t0_s=[0.0, 0.1 + 0.2, 2.0],
            t1_s=[0.1 + 0.2, 1.0, 1e300],
            energy_j=[5e-324, 1 / 3, -0.0],
            service=[None, "chat", "chat"],
            node=["n", 'cell "3", left', " n "],
            u95_frac=[None, 0.1, 0.0],
        ),
        entity=entity(node=["n", 'cell "3", left', " n "]),
        work=work(sessions=[None, 1.5], kind=["token_out", "token_in"]),
        request=request(id=[2**62 + 1, -1], ue=[None, 2**62 + 1], ttft_s=[0.25, None]),
    )


WAYS = {
    "csv": lambda ledger, at: (to_csv(ledger, at), from_csv(at, at / "in"))[1],
    "parquet": lambda ledger, at: (to_parquet(ledger, at), from_parquet(at, at / "in"))[1],
    "arrow": lambda ledger, at: from_arrow(to_arrow(ledger), ledger.meta, at / "in"),
    "pandas": lambda ledger, at: from_frame(to_pandas(ledger), ledger.meta, at / "in"),
    "polars": lambda ledger, at: from_frame(to_polars(ledger), ledger.meta, at / "in"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_ledger_comes_back_the_same(tmp_path, ledger, way):
    at = tmp_path / "way"
    if way not in ("csv", "parquet"):
        at.mkdir()
    again = WAYS[way](ledger, at)
    assert same_rows(again, ledger)
    assert again.meta == ledger.meta
    assert check(again).problems == check(ledger).problems == ()


def test_csv_is_plain_where_no_word_needs_quotes(tmp_path):
    to_csv(write(tmp_path / "l", work=work(amount=0.1)), tmp_path / "csv")
    lines = (tmp_path / "csv" / "work.csv").read_text().splitlines()
    assert lines[0].startswith("t0_s,t1_s,node,tier,service,kind,amount")
    assert lines[1] == "0,1,n,edge,chat,token_out,0.1,modelled,model,,,,,"


def csv_folder(tmp_path, **files):
    folder = tmp_path / "csv"
    folder.mkdir()
    (folder / header.FILE).write_text(header.dump(META))
    for name, text in files.items():
        (folder / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


HEAD = "t0_s,t1_s,node,tier,component,state,energy_j,origin,source\n"


def test_all_problems_of_all_csv_files_are_named_with_file_and_line(tmp_path):
    folder = csv_folder(
        tmp_path,
        energy=HEAD
        + "0,1,n,edge,gpu,active,1,modelled,m\n"
        + "0,1,n,edge,gpu,active,much,modelled,m\n"
        + "\n"
        + "1,2,n,edge,gpu,active,-3,modelled,m\n"
        + "1,2,n,edge,gpu,activ,3,modelled,m\n"
        + "1,2,n,edge\n"
        + "2,3,n,edge,gpu,active,1_0,modelled,,\n",
        entity="node,tier,boundaries,sight\nn,edge,full,x\n",
    )
    with pytest.raises(LedgerError) as caught:
        from_csv(folder, tmp_path / "out")
    text = str(caught.value)
    assert f"{folder}/energy.csv:3: energy_j must hold numbers; got 'much'" in text
    assert f"{folder}/energy.csv:6: state must be one of" in text
    assert f"{folder}/energy.csv:7: expected 9 cells; got 4" in text
    assert f"{folder}/energy.csv:8: expected 9 cells; got 10" in text
    assert f"{folder}/entity.csv: unknown column 'sight'. Did you mean 'site'?" in text
    assert not (tmp_path / "out").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["csv"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "energy.csv:1: expected a header row"),
        ("t0_s,t0_s\n", "names each column once"),
        ("t0_s,t1_s\n", "column 'node' is required"),
        (b"t0_s\n\xff\n", "expected UTF-8 text"),
        (HEAD + '0,1,"n"x,edge,gpu,active,1,modelled,m\n', "energy.csv:2: not CSV"),
        (HEAD + "0,1," + "n" * 200_000 + ",edge\n", "not CSV: field larger"),
        (HEAD + "0,1,n,edge,gpu,active,nan,modelled,m\n", "energy.csv:2: energy_j must be finite"),
        (HEAD + "0,1,n,edge,gpu,active,-3,modelled,m\n", "energy.csv:2: energy_j must be >= 0"),
        (HEAD + "0,1,n,edge,gpu,active,,modelled,m\n", "energy.csv:2: energy_j must be given"),
        (
            HEAD + "".join(f"0,1,n,edge,gpu,active,1,modelled,{s}\n" for s in "ab"),
            "energy.csv: energy of a node and component must come from one source",
        ),
    ],
)
def test_a_bad_csv_file_is_a_ledger_error(tmp_path, text, says):
    with pytest.raises(LedgerError) as caught:
        from_csv(csv_folder(tmp_path, energy=text), tmp_path / "out")
    assert says in str(caught.value)


def test_csv_columns_may_come_in_any_order_with_a_byte_order_mark(tmp_path):
    text = "\ufeffboundaries,tier,node\r\noperator full,edge,n\r\n"
    again = from_csv(csv_folder(tmp_path, entity=text), tmp_path / "out")
    assert again.table("entity")["node"].to_pylist() == ["n"]


def test_a_csv_file_that_is_named_like_no_table_is_refused(tmp_path):
    with pytest.raises(LedgerError, match="Did you mean 'energy'"):
        from_csv(csv_folder(tmp_path, enrgy=HEAD), tmp_path / "out")


def test_nothing_is_written_over(tmp_path, ledger):
    with pytest.raises(LedgerError, match="expected an empty folder"):
        to_csv(ledger, ledger.path)
    to_csv(ledger, tmp_path / "csv")
    with pytest.raises(LedgerError, match="no file or an empty folder"):
        from_csv(tmp_path / "csv", ledger.path)


def test_a_foreign_parquet_file_is_converted_or_refused_with_its_row(tmp_path):
    folder = csv_folder(tmp_path)
    columns = {name: [value] * 2 for name, value in energy(energy_j=3).items()}
    columns |= {"t0_s": [0, 1], "t1_s": [1, 2]}
    pq.write_table(pa.table(columns), folder / "energy.parquet")
    again = from_parquet(folder, tmp_path / "out")
    assert again.table("energy")["energy_j"].to_pylist() == [3.0, 3.0]
    columns["energy_j"] = [1, -1]
    pq.write_table(pa.table(columns), folder / "energy.parquet")
    with pytest.raises(LedgerError, match=r"energy.parquet, row 1: energy_j must be >= 0"):
        from_parquet(folder, tmp_path / "out2")
    (folder / "energy.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(LedgerError, match="whole Parquet"):
        from_parquet(folder, tmp_path / "out3")


def test_a_frame_may_hold_plain_columns_and_nan_for_unknown(tmp_path):
    frame = pd.DataFrame({**energy(), "u95_frac": [float("nan"), 0.5], "state": ["idle", "active"]})
    frame.index = [7, 9]
    again = from_frame({"energy": frame}, META, tmp_path / "pandas")
    assert again.table("energy")["u95_frac"].to_pylist() == [None, 0.5]
    frames = {"coverage": pl.DataFrame(coverage())}
    assert from_frame(frames, META, tmp_path / "polars").rows()["coverage"] == 2


def test_what_is_no_frame_is_a_ledger_error(tmp_path):
    with pytest.raises(LedgerError, match="pandas or Polars frame"):
        from_frame({"energy": object()}, META, tmp_path / "out")
    with pytest.raises(LedgerError, match="Did you mean 'energy'"):
        from_frame({"energi": pd.DataFrame({"a": [1]})}, META, tmp_path / "out")


@pytest.mark.parametrize(("package", "export"), [("pandas", to_pandas), ("polars", to_polars)])
def test_a_missing_package_is_said_with_how_to_install_it(ledger, monkeypatch, package, export):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(LedgerError, match=rf"pip install 'tree6g\[{package}\]'"):
        export(ledger)
