"""A day of a city as a ledger of 20 million rows: servers by the second, cells by the quarter hour.

Ten million energy rows and ten million work rows, the same bytes every time. 39 GPU servers write
three states and three kinds of work a second and their late tokens once a minute; 20 cells write
energy, cooling and work as counters of 900 s.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tree6g.ledger.meta import Meta
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import Profile, data_profile, service_meta
from tree6g.metric.utility import Curve

DAY_S = 86_400
CHUNK_S = 3_600
SERVERS = [f"edge-{n:02d}.gpu" for n in range(39)]
CELLS = [f"site-{n:02d}.cell" for n in range(20)]
STATES = ["idle", "prefill", "decode"]
RADIO = ["idle", "broadcast", "active"]
WORK = [("assistant", "token_in"), ("assistant", "token_out"), ("agent", "token_out")]
DATA = ["upload", "download"]
RADIO_WORK = [("assistant", "bit_dl"), ("upload", "bit_ul"), ("download", "bit_dl")]


def main(out: Path) -> None:
    random = np.random.default_rng(20_260_101)
    with LedgerWriter(out, header()) as ledger:
        standing(ledger)
        for start in range(0, DAY_S, CHUNK_S):
            servers(ledger, random, np.arange(start, start + CHUNK_S, dtype=np.float64))
            cells(ledger, random, start)


def header() -> Meta:
    linear = Curve(family="linear", alpha_bit_per_tok=1e4)
    ai = {name: Profile(id=name, curve=linear, k_in=0.2) for name in ("assistant", "agent")}
    return Meta(
        services={
            **{name: service_meta("ai", profile) for name, profile in ai.items()},
            **{name: service_meta("data", data_profile()) for name in DATA},
        },
        attribution_interval_s=60.0,
        phase_weights=(
            {"kind": "token_in", "weight": 0.0004},
            {"kind": "token_out", "weight": 0.012},
        ),
        producer="benchmark",
    )


def standing(ledger: LedgerWriter) -> None:
    everywhere = "network operator full"
    ledger.append(
        "entity",
        {
            "node": [*SERVERS, *CELLS],
            "tier": ["edge"] * len(SERVERS) + ["ran"] * len(CELLS),
            "site": [n.partition(".")[0] for n in (*SERVERS, *CELLS)],
            "boundaries": ["operator full"] * len(SERVERS) + [f"ran {everywhere}"] * len(CELLS),
        },
    )
    for source, quantity in (
        ("nvml", "energy"),
        ("pm", "energy"),
        ("vllm", "work"),
        ("pm", "work"),
    ):
        ledger.append(
            "coverage",
            {
                "t0_s": 0.0,
                "t1_s": float(DAY_S),
                "source": source,
                "quantity": quantity,
                "status": "ok",
            },
        )


def servers(ledger: LedgerWriter, random: np.random.Generator, t0: np.ndarray) -> None:
    """Rows of 1 s: three states of energy and three kinds of work, server by server each second."""
    shape = (len(t0), len(SERVERS), len(STATES))
    time = np.repeat(t0, shape[1] * shape[2])
    row = {"t0_s": time, "t1_s": time + 1.0, "tier": "edge", "origin": "measured"}
    energy = random.gamma(2.0, 50.0, shape).ravel()
    node = np.tile(np.repeat(np.arange(shape[1]), shape[2]), shape[0])
    names = texts(SERVERS, node)
    ledger.append(
        "energy",
        row
        | {
            "node": names,
            "component": "gpu",
            "state": texts(STATES, np.tile(np.arange(3), shape[0] * shape[1])),
            "energy_j": energy,
            "source": "nvml",
            "u95_frac": 0.05,
        },
    )
    # Servers rest now and then, so that some minutes are standby.
    busy = np.repeat(random.random((len(t0) // 60, shape[1])) > 0.05, 60, axis=0)
    tokens = random.poisson((200.0, 60.0, 20.0), shape).astype(np.float64) * busy[:, :, None]
    which = np.tile(np.arange(3), shape[0] * shape[1])
    ledger.append(
        "work",
        row
        | {
            "node": names,
            "service": texts([s for s, _ in WORK], which),
            "model": "reference",
            "kind": texts([k for _, k in WORK], which),
            "amount": tokens.ravel(),
            "demand": tokens.ravel(),
            "demand_unit": "tok",
            "source": "vllm",
        },
    )
    late(ledger, tokens, t0)


def late(ledger: LedgerWriter, tokens: np.ndarray, t0: np.ndarray) -> None:
    """One late token of twenty, in rows of a minute."""
    minutes = tokens[:, :, 1].reshape(-1, 60, len(SERVERS)).sum(axis=1)
    start = np.repeat(t0[::60], len(SERVERS))
    ledger.append(
        "work",
        {
            "t0_s": start, "t1_s": start + 60.0, "tier": "edge", "origin": "measured",
            "node": texts(SERVERS, np.tile(np.arange(len(SERVERS)), len(minutes))),
            "service": "assistant", "model": "reference", "kind": "token_late",
            "amount": minutes.ravel() / 20.0, "source": "vllm",
        },
    )  # fmt: skip


def cells(ledger: LedgerWriter, random: np.random.Generator, start: int) -> None:
    """Energy, cooling, bits and PRB-time in rows of 900 s."""
    for quarter in range(start, start + CHUNK_S, 900):
        joules = random.gamma(4.0, 1e5, (len(CELLS), 4))
        span = {"t0_s": float(quarter), "t1_s": quarter + 900.0, "tier": "ran"}
        span |= {"node": CELLS, "origin": "measured", "source": "pm", "u95_frac": 0.1}
        for column, state in enumerate(RADIO):
            own = {"component": "radio_unit", "state": state, "energy_j": joules[:, column]}
            ledger.append("energy", span | own)
        own = {"component": "cooling", "state": "active", "energy_j": joules[:, 3]}
        ledger.append("energy", span | own)
        use_s = random.uniform(0.0, 300.0, (len(CELLS), len(RADIO_WORK)))
        for column, (service, kind) in enumerate(RADIO_WORK):
            own = {"demand": use_s[:, column], "amount": use_s[:, column] * 2e7}
            own |= {"service": service, "kind": kind, "demand_unit": "s"}
            ledger.append("work", {n: v for n, v in span.items() if n != "u95_frac"} | own)


def texts(words: list[str], index: np.ndarray) -> object:
    import pyarrow as pa

    return pa.DictionaryArray.from_arrays(pa.array(index, pa.int32()), pa.array(words))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
