"""Tables of the ledger: columns, their types, and the words that its categories may hold."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from tree6g.errors import LedgerError, nearest

SCHEMA: Final = "tree6g-ledger-1"

TIERS: Final = ("device", "edge", "cloud", "ran", "transport", "core")
ORIGINS: Final = ("measured", "modelled", "estimated")
BOUNDARIES: Final = ("ran", "network", "operator", "full")
SERVICE_KINDS: Final = ("ai", "data", "internal")

# Energy states by how attribution treats them (METRIC rule 9): energy that a service caused, and
# energy that is there because the node is switched on.
IDLE_STATES: Final = ("sleep", "broadcast", "idle_bare", "idle", "transition")
DYNAMIC_STATES: Final = ("active", "prefill", "decode", "train")
STATES: Final = IDLE_STATES + DYNAMIC_STATES
# Components that follow the IT joules of their site instead of work on their own node.
OVERHEAD_COMPONENTS: Final = ("cooling", "power_supply")
COMPONENTS: Final = (
    "radio_unit", "baseband", "gpu", "cpu", "npu", "memory", "link", "switch", "host", "terminal",
    *OVERHEAD_COMPONENTS,
)  # fmt: skip

# `*_late` and `*_lost` are not kinds of work beside the others: `token_late` is part of
# `token_out`, `token_in_late` part of `token_in` + `token_in_cached`, `bit_late` part of `bit_ul`
# + `bit_dl`; `token_lost`, `token_in_lost` and `bit_lost` were offered and never delivered.
TOKEN_KINDS: Final = (
    "token_in", "token_in_cached", "token_out", "token_reasoning", "token_draft_rejected",
    "token_late", "token_in_late", "token_lost", "token_in_lost",
)  # fmt: skip
BIT_KINDS: Final = ("bit_ul", "bit_dl", "bit_carried", "bit_late", "bit_lost")
REQUEST_KINDS: Final = ("request", "request_lost")
WORK_KINDS: Final = TOKEN_KINDS + BIT_KINDS + REQUEST_KINDS
# Waiting times of requests, and of packets on the air from their sender's buffer to the receiver.
LATENCY_KINDS: Final = ("ttft", "tpot", "e2e", "packet_dl", "packet_ul")
DIRECTIONS: Final = ("dl", "ul")

_S: Final = pa.dictionary(pa.int32(), pa.string())
_F: Final = pa.float64()


def _schema(required: str, optional: str = "") -> pa.Schema:
    """Columns in order; a name with `:s` is text, `:i` an integer, else a float."""
    types = {"s": _S, "i": pa.int64(), "": _F}
    fields = []
    for words, null in ((required, False), (optional, True)):
        for word in words.split():
            name, _, kind = word.partition(":")
            fields.append(pa.field(name, types[kind], nullable=null))
    return pa.schema(fields)


TABLES: Final[dict[str, pa.Schema]] = {
    "energy": _schema(
        "t0_s t1_s node:s tier:s component:s state:s energy_j origin:s source:s",
        "service:s u95_frac",
    ),
    "work": _schema(
        "t0_s t1_s node:s tier:s service:s kind:s amount origin:s source:s",
        "model:s sessions demand demand_unit:s u95_frac",
    ),
    "request": _schema(
        "id:i service:s arrival_s node:s token_in token_out token_late",
        "ue:i model:s cut_layer:i token_in_late ttft_s tpot_s e2e_s energy_j",
    ),
    "service": _schema("service:s kind:s", "slice:s qos:i token_class:s profile:s profile_hash:s"),
    "entity": _schema("node:s tier:s boundaries:s", "site:s what:s record:s"),
    "coverage": _schema("t0_s t1_s source:s quantity:s status:s", "node:s reason:s"),
    # Histograms: a row is one bucket, `count` are the events in it alone, `le_s` or `le_bps` is its
    # upper edge; a bucket without a row holds none. Mean values need the optional sums.
    "latency": _schema("t0_s t1_s node:s service:s kind:s le_s count", "sum_s"),
    "throughput": _schema("t0_s t1_s node:s service:s kind:s le_bps count", "volume_bit time_s"),
    # Time of a cell's whole carrier in one direction: share of its physical resource blocks x time.
    "prb": _schema("t0_s t1_s node:s kind:s used_s available_s"),
    "impact": _schema("t0_s t1_s kind:s amount source:s", "node:s service:s low high"),
}

# Words that a column may hold; a column that is not named here is free.
VOCABULARY: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("energy", "tier"): TIERS,
    ("energy", "component"): COMPONENTS,
    ("energy", "state"): STATES,
    ("energy", "origin"): ORIGINS,
    ("work", "tier"): TIERS,
    ("work", "kind"): WORK_KINDS,
    ("work", "origin"): ORIGINS,
    ("service", "kind"): SERVICE_KINDS,
    ("entity", "tier"): TIERS,
    ("coverage", "quantity"): ("energy", "work"),
    ("coverage", "status"): ("ok", "gap"),
    ("latency", "kind"): LATENCY_KINDS,
    ("throughput", "kind"): DIRECTIONS,
    ("prb", "kind"): DIRECTIONS,
}
# Quantities that may not be negative (METRIC rule 8: storage and export are rows of their own).
NON_NEGATIVE: Final[dict[str, tuple[str, ...]]] = {
    "energy": ("energy_j", "u95_frac"),
    "work": ("amount", "sessions", "demand", "u95_frac"),
    "request": ("token_in", "token_out", "token_late", "ttft_s", "tpot_s", "e2e_s", "energy_j"),
    "latency": ("count", "sum_s"),
    "throughput": ("le_bps", "count", "volume_bit", "time_s"),
    "prb": ("used_s", "available_s"),
}


def columns_of(table: str) -> pa.Schema:
    """The Arrow schema of a table.

    Raises:
        LedgerError: No such table.
    """
    if table not in TABLES:
        raise LedgerError(
            f"expected a table of the ledger; got {table!r}. {nearest(table, TABLES)}"
        )
    return TABLES[table]
