"""Malformed ledgers from a seed: whatever is wrong with one, only errors of tree6g may come out.

    python tests/fuzz/fuzz_ledgers.py --count 5000 --seed 1

Each ledger starts sound and is damaged in one to three places: its header, its parts, its CSV form.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import random
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tree6g.errors import Tree6gError
from tree6g.ledger import meta as header
from tree6g.ledger import schema
from tree6g.ledger.check import check
from tree6g.ledger.interchange import from_csv, to_csv
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.kpi import kpis

ODD_VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1e308, 2**70, "", "x", "\ud800", [], [1], {}, {"a": 1}, [[]], {"n": None},
)  # fmt: skip
ODD_CELLS = (
    "", "-1", "nan", "inf", "1e999", "x", "1,2", '"', '"a', "a\nb", "\0", "\ufeff", "1_0", "0x1",
    "9" * 400, "é", "\uff15", " ", "token_out", "-0", "1e-400", "None", "true",
)  # fmt: skip
ODD_TYPES = (pa.string(), pa.int8(), pa.bool_(), pa.date32(), pa.list_(pa.int64()), pa.float32())


# What damage raises where earlier damage left nothing of the kind, or nothing that can be read.
GONE = (LookupError, TypeError, ValueError, OSError, RecursionError, pa.ArrowException)


def sound_ledger(path: Path, rng: random.Random) -> None:
    """A small sound ledger."""
    t0 = [float(i) for i in range(rng.randint(1, 6))]
    base = {"t0_s": t0, "t1_s": [t + 1 for t in t0], "node": "n", "tier": "edge"}
    made = {"origin": "modelled", "source": "model"}
    joules = [rng.random() for _ in t0]
    meta = Meta(services={"chat": {"kind": "ai"}}, control={"energy_j": {"n": sum(joules)}})
    with LedgerWriter(path, meta) as writer:
        writer.append(
            "energy", {**base, **made, "component": "gpu", "state": "idle", "energy_j": joules}
        )
        writer.append(
            "work", {**base, **made, "service": "chat", "kind": "token_out", "amount": 5.0}
        )
        for table, columns in _histograms(t0).items():
            writer.append(table, columns)
        writer.append("entity", {"node": "n", "tier": "edge", "boundaries": "ran operator full"})


def _histograms(t0: list[float]) -> dict[str, dict[str, Any]]:
    """What the radio counts, by table."""
    span = {"t0_s": t0, "t1_s": [t + 1 for t in t0], "node": "n"}
    of = span | {"service": "chat", "count": 3.0}
    sums = {"volume_bit": 3e6, "time_s": 3.0}
    return {
        "latency": of | {"kind": "packet_dl", "le_s": 0.1, "sum_s": 0.25},
        "throughput": of | {"kind": "dl", "le_bps": 1e6, **sums},
        "prb": span | {"kind": "dl", "used_s": 0.5, "available_s": 0.75},
    }


def damage_header(path: Path, rng: random.Random) -> None:
    """A header that is cut, garbled, or has an odd value somewhere."""
    file = path / header.FILE
    text = file.read_bytes()
    way = rng.choice([0, 1, 2, 3, 3, 3, 3])
    if way == 0:
        text = _cut(text, rng)
    elif way == 1:
        text = _garble(text, rng)
    elif way == 2:
        text = rng.choice([b"", b"null", b"[]", b"{}", b"\xff", b"[" * 5000, b'"\\ud800"'])
    else:
        body = json.loads(text)
        _plant(body, rng)
        text = json.dumps(body).encode("utf-8", "surrogatepass")
    file.write_bytes(text)


def damage_part(path: Path, rng: random.Random) -> None:
    """A part that is cut, garbled, of other types, or full of odd values."""
    file = rng.choice(sorted(path.glob("*/*.parquet")))
    way = rng.choice([0, 1, 1, 2, 3, 3, 3, 3])
    content = file.read_bytes()
    if way == 0:
        file.write_bytes(_cut(content, rng))
    elif way == 1:
        file.write_bytes(_garble(content, rng))
    elif way == 2:
        file.unlink()
        file.mkdir()
    else:
        _rewrite(file, rng)


def damage_folder(path: Path, rng: random.Random) -> None:
    """Files and folders that do not belong there, or are missing."""
    way = rng.randrange(4)
    table = rng.choice(sorted(schema.TABLES))
    if way == 0:
        shutil.rmtree(path / table, ignore_errors=True)
        (path / table).write_text("not a folder")
    elif way == 1:
        (path / header.FILE).unlink(missing_ok=True)
    elif way == 2:
        (path / table).mkdir(exist_ok=True)
        (path / table / "part-000077.parquet.tmp").write_bytes(b"half")
    else:
        (path / table).mkdir(exist_ok=True)
        (path / table / "part-000078.parquet").write_bytes(rng.randbytes(rng.randrange(64)))


def damage_csv(folder: Path, rng: random.Random) -> None:
    """A CSV file with odd cells, lines, headers or bytes."""
    file = rng.choice(sorted(folder.glob("*.csv")))
    text = file.read_bytes()
    way = rng.choice([0, 0, 1, 2, 2, 2, 2, 3])
    if way == 0:
        text = _garble(text, rng)
    elif way == 1:
        text = _cut(text, rng)
    else:
        lines = [line.split(b",") for line in text.split(b"\n")]
        cells = rng.choice(lines)
        odd = rng.choice(ODD_CELLS).encode()
        if way == 2:
            cells[rng.randrange(len(cells))] = odd
        else:
            cells.insert(rng.randrange(len(cells) + 1), odd)
        text = b"\n".join(b",".join(line) for line in lines)
    file.write_bytes(text)


def read_damaged(rng: random.Random, base: Path) -> Tree6gError | None:
    """Damage one ledger in its folder and read all of it; the error that came, if one did."""
    path = base / "ledger"
    sound_ledger(path, rng)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        with contextlib.suppress(*GONE):
            rng.choice((damage_header, damage_part, damage_part, damage_folder))(path, rng)
    try:
        ledger = open_ledger(path)
        header.dump(ledger.meta)
        for table in schema.TABLES:
            ledger.table(table)
        ledger.query("SELECT node, sum(energy_j) FROM energy GROUP BY node")
        check(ledger)
        kpis(ledger).to_dict()
        LedgerWriter(path, ledger.meta).close()
    except Tree6gError as error:
        return error
    return None


def read_damaged_csv(rng: random.Random, base: Path) -> Tree6gError | None:
    """Damage the CSV form of one ledger and import it; the error that came, if one did."""
    (base / "csv").mkdir()
    for name, text in _sound_csv(rng.randrange(8)).items():
        (base / "csv" / name).write_bytes(text)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        damage_csv(base / "csv", rng)
    try:
        from_csv(base / "csv", base / "out")
    except Tree6gError as error:
        return error
    return None


def read_damaged_header(rng: random.Random, base: Path) -> Tree6gError | None:
    """Damage one header alone and parse it; the error that came, if one did."""
    meta = Meta(services={"chat": {"kind": "ai"}}, notes=("a note",), control={"energy_j": {}})
    (base / header.FILE).write_text(header.dump(meta), "utf-8")
    damage_header(base, rng)
    try:
        open_ledger(base)
    except Tree6gError as error:
        return error
    return None


PARSERS: dict[str, Callable[[random.Random, Path], Tree6gError | None]] = {
    "ledger": read_damaged,
    "csv": read_damaged_csv,
    "header": read_damaged_header,
}


def read(parser: str, index: int, seed: int) -> Tree6gError | None:
    """Damage and read input `index`, which depends on the seed and its number alone."""
    rng = random.Random(f"{parser} {seed} {index}")
    with tempfile.TemporaryDirectory(prefix="fuzz-ledger-") as folder:
        return PARSERS[parser](rng, Path(folder))


def main(count: int, seed: int) -> int:
    """Read `count` damaged inputs per parser; the number that raised anything but our errors."""
    failures = 0
    for parser in PARSERS:
        refused = 0
        for index in range(count):
            try:
                refused += read(parser, index, seed) is not None
            except Exception:  # noqa: BLE001 - what is looked for
                failures += 1
                sys.stderr.write(f"{parser} {index} of seed {seed}:\n{traceback.format_exc()}\n")
        sys.stdout.write(f"{parser}: {count} inputs, {refused} refused\n")
    sys.stdout.write(f"{failures} failures\n")
    return failures


@functools.cache
def _sound_csv(variant: int) -> dict[str, bytes]:
    """The files of the CSV form of a sound ledger."""
    with tempfile.TemporaryDirectory(prefix="fuzz-ledger-") as folder:
        base = Path(folder)
        sound_ledger(base / "ledger", random.Random(variant))
        to_csv(open_ledger(base / "ledger"), base / "csv")
        return {p.name: p.read_bytes() for p in sorted((base / "csv").iterdir())}


def _cut(text: bytes, rng: random.Random) -> bytes:
    return text[: rng.randrange(len(text) + 1)]


def _garble(text: bytes, rng: random.Random) -> bytes:
    """Some bytes replaced, mostly by printable ones, which get past the decoder."""
    garbled = bytearray(text or b" ")
    low, high = rng.choice([(32, 127), (32, 127), (0, 256)])
    for _ in range(rng.randint(1, 4)):
        garbled[rng.randrange(len(garbled))] = rng.randrange(low, high)
    return bytes(garbled)


def _plant(body: Any, rng: random.Random) -> None:
    """Put an odd value at a random place of a JSON document."""
    spots: list[tuple[Any, Any]] = []
    todo = [body]
    while todo:
        at = todo.pop()
        keys = list(at) if isinstance(at, dict) else list(range(len(at)))
        spots += [(at, key) for key in keys]
        todo += [at[k] for k in keys if isinstance(at[k], dict | list)]
    at, key = rng.choice(spots)
    at[key] = rng.choice(ODD_VALUES)


def _rewrite(file: Path, rng: random.Random) -> None:
    """Rewrite a part with a column dropped, retyped, nulled, doubled or renamed."""
    rows = pq.read_table(file)
    column = rng.randrange(rows.num_columns)
    name = rows.column_names[column]
    way = rng.randrange(4)
    if way == 0:
        rows = rows.drop_columns([name])
    elif way == 1:
        rows = rows.set_column(column, name, pa.nulls(rows.num_rows, rng.choice(ODD_TYPES)))
    elif way == 2:
        rows = rows.set_column(column, name, pa.nulls(rows.num_rows, rows.field(column).type))
    elif pa.types.is_floating(rows.field(column).type):
        odd = rng.choice([float("nan"), float("inf"), -1.0, 1e308, 5e-324])
        rows = rows.set_column(column, name, pa.array([odd] * rows.num_rows))
    else:
        odd_word = rng.choice(["", "\0", "x", "a\nb", "é" * 1000])
        words = pa.array([odd_word] * rows.num_rows, pa.string())
        rows = rows.set_column(column, name, words)
    pq.write_table(rows, file)


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=5_000)
    arguments.add_argument("--seed", type=int, default=1)
    given = arguments.parse_args()
    raise SystemExit(main(given.count, given.seed) > 0)
