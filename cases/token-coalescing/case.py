"""Tokens per chunk, sleeping phones and a sleeping cell as one decision."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from charts import Scale, lines
from study import Bench, Design, Found, verdict

import tree6g
from tree6g.ledger.reading import Ledger
from tree6g.report.canvas import Drawing

FILE: Final = str(Path(__file__).parent / "coalescing.yaml")
CHUNKS: Final = (1, 4, 16, 64)
STATION: Final = "sites.corner.base_station"
TERMINAL: Final = "population.terminal"
DRX: Final = {
    "phone always listens": (f"{TERMINAL}.drx_cycle=null",),
    "phone sleeps after 100 ms": (),
    "phone sleeps after 10 ms": (f"{TERMINAL}.drx_cycle=40 ms", f"{TERMINAL}.drx_inactivity=10 ms"),
}
SLEEP: Final = {
    "cell stays awake": (f"{STATION}.sleep=none",),
    "cell sleeps lightly": (),
    "cell sleeps deeply": (
        f"{STATION}.sleep=deep", f"{STATION}.ssb_period=160 ms", f"{STATION}.rach_period=160 ms",
    ),
}  # fmt: skip
QUICK: Final = ("duration=30 s", "drain=30 s", "ledger_interval=30 s")


def run(bench: Bench) -> Found:
    """All combinations of chunk, DRX and sleep; joules by part, and the waits."""
    grid = list(itertools.product(SLEEP, DRX, CHUNKS))
    if bench.quick:
        grid = [cell for cell in grid if cell[1] == "phone sleeps after 100 ms" and cell[2] != 4][
            :4
        ]
    designs = {
        _name(*cell): Design(
            FILE,
            (*SLEEP[cell[0]], *DRX[cell[1]], f"services.assistant.tokens_per_chunk={cell[2]}"),
        )
        for cell in grid
    }
    ledgers = bench.ledgers(designs, quick=QUICK)
    rows = [
        {"sleep": sleep, "drx": drx, "chunk_tok": chunk, **_parts(ledger)}
        for (sleep, drx, chunk), ledger in zip(grid, ledgers.values(), strict=True)
    ]
    said = verdict(ledgers)
    gain = _gain(rows)
    return {
        "rows": rows,
        "verdict": said,
        "first": rows[0],
        "best": rows[list(designs).index(said["tree_best"])],
        "by_ee": rows[list(designs).index(said["ee_best"])],
        "gain": gain,
        "last": gain[-1],
        "light_frac": _saved(rows, "cell sleeps lightly", "radio_j_per_tok"),
    }


def _name(sleep: str, drx: str, chunk: int) -> str:
    return f"{chunk} token{'s' if chunk > 1 else ''} per chunk, {drx}, {sleep}"


def _parts(ledger: Ledger) -> Found:
    """Energy of radio, phones and computing per answer token, bits, and the waits of users."""
    f = tree6g.figure(ledger)
    joules = ledger.query(
        "SELECT CASE WHEN tier = 'ran' THEN 'radio' WHEN tier = 'device' THEN 'phone' ELSE 'gpu' "
        "END AS part, sum(energy_j) AS j FROM energy GROUP BY ALL"
    ).to_pylist()
    (wait,) = ledger.query(
        "SELECT avg(ttft_s) AS ttft_s, quantile_cont(ttft_s, 0.95) AS p95_s, sum(token_late) / "
        "sum(token_out) AS late_frac FROM request"
    ).to_pylist()
    tok = f.tokens_out_tok
    return {
        **{f"{row['part']}_j_per_tok": row["j"] / tok for row in joules},
        **wait,
        "bit_per_tok": f.service("assistant").bits_bit / tok,
        "tree_beq_per_j": f.tree_beq_per_j,
        "ee_bit_per_j": f.ee_bit_per_j,
    }


def _gain(rows: Sequence[Found]) -> list[Found]:
    """Per chunk, at deep sleep and the usual DRX: what radio and phone save, and the wait."""
    own = [r for r in rows if r["sleep"] == "cell sleeps deeply" and "100 ms" in r["drx"]]
    own = own or list(rows)
    first = own[0]
    return [
        {
            "chunk_tok": row["chunk_tok"],
            "radio_frac": 1.0 - row["radio_j_per_tok"] / first["radio_j_per_tok"],
            "phone_frac": 1.0 - row["phone_j_per_tok"] / first["phone_j_per_tok"],
            "ttft_s": row["ttft_s"],
            "bit_per_tok": row["bit_per_tok"],
            "tree_frac": row["tree_beq_per_j"] / first["tree_beq_per_j"] - 1.0,
            "ee_frac": row["ee_bit_per_j"] / first["ee_bit_per_j"] - 1.0,
        }
        for row in own
    ]


def _saved(rows: Sequence[Found], sleep: str, field: str) -> float:
    """What the largest chunk saves against the smallest, with the usual DRX."""
    own = [row[field] for row in rows if row["sleep"] == sleep and "100 ms" in row["drx"]]
    return float(1.0 - own[-1] / own[0])


def draw(found: Found, stamp: str) -> Sequence[Drawing]:
    """Radio energy by sleep depth, phone energy by DRX, and the wait, over the chunk."""
    rows = found["rows"]
    at = sorted({row["chunk_tok"] for row in rows})
    x = Scale(key="chunk_tok", label="tokens per chunk (log scale)", log=True)
    return [
        _over_chunk(
            rows, at, x, stamp, name="radio", by="sleep", field="radio_j_per_tok",
            title="Energy of the cell per answer token", unit="j_per_tok",
        ),
        _over_chunk(
            rows, at, x, stamp, name="phone", by="drx", field="phone_j_per_tok",
            title="Energy of the phone's radio per answer token", unit="j_per_tok",
        ),
        _over_chunk(
            rows, at, x, stamp, name="wait", by="drx", field="ttft_s",
            title="Mean time to the first token at the user", unit="s",
        ),
    ]  # fmt: skip


def _over_chunk(  # a chart is all of them
    rows: Sequence[Found], at: Sequence[int], x: Scale, stamp: str, *, name: str, by: str,
    field: str, title: str, unit: str,
) -> Drawing:  # fmt: skip
    """A line per sleep depth or DRX, with the other at its middle setting."""
    other, middle = ("drx", "100 ms") if by == "sleep" else ("sleep", "deeply")
    own = [row for row in rows if middle in row[other]]
    names = list(dict.fromkeys(row[by] for row in own))
    found = {(row[by], row["chunk_tok"]): row[field] for row in own}
    series = {words: [found.get((words, chunk)) for chunk in at] for words in names}
    return lines(
        name, title, f"{title} over the tokens per chunk.", stamp, x=x, at=at,
        y=Scale(key=field, label=title.lower(), unit=unit, zero=True), series=series,
    )  # fmt: skip
