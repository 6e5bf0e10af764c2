"""Random small ledgers: several nodes, sources, row lengths, gaps and kinds of work."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from tree6g.ledger import schema
from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger, open_ledger
from tree6g.ledger.writer import LedgerWriter
from tree6g.metric.profile import Profile, data_profile, service_meta
from tree6g.metric.utility import Curve

Rows = list[dict[str, Any]]

NODES = {
    "cell": ("ran", "corner", "ran network operator full", "radio_unit"),
    "mast": ("ran", "hill", "ran network operator full", "radio_unit"),
    "link": ("transport", None, "network operator full", "link"),
    "edge": ("edge", "corner", "operator full", "gpu"),
    "phone": ("device", None, "full", "terminal"),
}
STEPS = 4  # row ends lie on quarters of a cell of the attribution grid
FAMILIES = (
    ("log", None),
    ("saturating", None),
    ("power", 0.5),
    ("alpha_fair", 2.0),
    ("sigmoid", 4.0),
)


@dataclass(frozen=True)
class Small:
    """A small ledger before it is written."""

    meta: Meta
    tables: Mapping[str, Rows]
    end_s: float

    @property
    def grid_s(self) -> float:
        return self.meta.attribution_interval_s

    def with_rows(self, **tables: Rows) -> Small:
        return replace(self, tables={**self.tables, **tables})


@contextmanager
def written(small: Small, *, rows_per_part: int = 500_000) -> Iterator[Ledger]:
    """The ledger in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger"
        with LedgerWriter(path, small.meta, rows_per_part=rows_per_part) as writer:
            for table, rows in small.tables.items():
                if rows:
                    writer.append(table, columns(table, rows))
        yield open_ledger(path)


def columns(table: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = schema.columns_of(table).names
    return {n: [r.get(n) for r in rows] for n in names if any(n in r for r in rows)}


def linear(**fields: Any) -> dict[str, Any]:
    """Header entry of an AI service under a linear profile."""
    curve = Curve(alpha_bit_per_tok=fields.pop("alpha_bit_per_tok", 100.0))
    return service_meta("ai", Profile(id="linear", curve=curve, **fields))


def curved(curve: Curve, unit: str, interval_s: float, **fields: Any) -> dict[str, Any]:
    """Header entry of an AI service under a profile that is not linear."""
    return service_meta(
        "ai", Profile(id="curved", curve=curve, unit=unit, interval_s=interval_s, **fields)
    )


def entities() -> Rows:
    return [{"node": n, "tier": t, "site": s, "boundaries": b} for n, (t, s, b, _) in NODES.items()]


def statement(t0_s: float, t1_s: float, source: str, quantity: str, **more: Any) -> dict[str, Any]:
    row = {"t0_s": t0_s, "t1_s": t1_s, "source": source, "quantity": quantity, "status": "ok"}
    return row | more


@st.composite
def small_ledgers(
    draw: st.DrawFn,
    *,
    kinds: Sequence[str] = ("chat", "think", "upload", "rounds"),
    gaps: bool = True,
) -> Small:
    """A ledger of a few cells of the attribution grid."""
    grid_s = draw(st.sampled_from([1.0, 2.0, 60.0]))
    cells = draw(st.integers(1, 4))
    services = {name: draw(_services(grid_s)[name]) for name in kinds}
    ends = st.lists(st.integers(0, STEPS * cells), min_size=2, max_size=2, unique=True).map(sorted)
    span = ends.map(lambda ab: (ab[0] * grid_s / STEPS, ab[1] * grid_s / STEPS))
    energy = draw(st.lists(_energy(span), min_size=0, max_size=8))
    work = [r for rows in draw(st.lists(_work(span, list(services)), max_size=6)) for r in rows]
    end_s = cells * grid_s
    sources = sorted(
        {(r["source"], "energy") for r in energy} | {(r["source"], "work") for r in work}
    )
    coverage = [statement(0.0, end_s, s, q) for s, q in sources]
    if gaps and sources and draw(st.booleans()):
        source, quantity = draw(st.sampled_from(sources))
        a, b = draw(span)
        node = draw(st.sampled_from([None, "phone", "cell"]))
        coverage.append(statement(a, b, source, quantity, node=node, status="gap"))
    meta = Meta(
        services=services,
        attribution_interval_s=grid_s,
        phase_weights=draw(st.sampled_from([(), PHASE_WEIGHTS])),
        producer="random",
    )
    tables = {"energy": energy, "work": work, "entity": entities(), "coverage": coverage}
    return Small(meta=meta, tables=tables, end_s=end_s)


PHASE_WEIGHTS = (
    {"kind": "token_in", "weight": 0.25},
    {"kind": "token_out", "weight": 2.0},
    {"kind": "token_out", "node": "edge", "weight": 3.0},
)
_weights = st.sampled_from([1.0, 0.0, 0.5, 3.0])


def _services(grid_s: float) -> dict[str, st.SearchStrategy[dict[str, Any]]]:
    worth = {"k_in": st.sampled_from([0.2, 0.0, 1.0]), "late_frac": st.sampled_from([0.0, 0.5])}
    chat = st.builds(linear, k_reasoning=st.sampled_from([0.0, 0.5]), **worth)
    curve = st.sampled_from(FAMILIES).map(
        lambda f: Curve(family=f[0], alpha_bit_per_tok=100.0, t0_tps=10.0, order=f[1])
    )
    think = st.builds(
        curved,
        curve,
        st.sampled_from(["service", "cell", "session"]),
        st.sampled_from([grid_s, grid_s / 2, 2 * grid_s, 0.75 * grid_s]),
        **worth,
    )
    found = {
        "chat": chat,
        "think": think,
        "upload": st.just(service_meta("data", data_profile())),
        "rounds": st.just(service_meta("internal", data_profile())),
    }
    weighted = lambda body, w: body | {"weight": w}  # noqa: E731
    models = lambda body, q: body | {"quality": {"small": q}, "tokenizer": {"small": 0.5}}  # noqa: E731
    out = {name: st.builds(weighted, body, _weights) for name, body in found.items()}
    return out | {
        n: st.builds(models, out[n], st.sampled_from([1.0, 0.25])) for n in ("chat", "think")
    }


@st.composite
def _energy(draw: st.DrawFn, span: st.SearchStrategy[tuple[float, float]]) -> dict[str, Any]:
    node = draw(st.sampled_from(list(NODES)))
    tier, _, _, part = NODES[node]
    component = draw(st.sampled_from([part, part, "cpu", "cooling"]))
    t0_s, t1_s = draw(span)
    states = ["idle", "active", "idle", "sleep", "decode", "transition"]
    return {
        "t0_s": t0_s,
        "t1_s": t1_s,
        "node": node,
        "tier": tier,
        "component": component,
        "state": draw(st.sampled_from(states)),
        "service": draw(st.sampled_from([None, None, None, "upload"])),
        "energy_j": float(draw(st.integers(0, 100))),
        "origin": "measured",
        "source": f"meter-{component}",
        "u95_frac": 0.1,
    }


@st.composite
def _work(
    draw: st.DrawFn, span: st.SearchStrategy[tuple[float, float]], services: list[str]
) -> Rows:
    """Rows of one service, node and interval: the whole and what of it was late or lost."""
    service = draw(st.sampled_from(services))
    node = draw(st.sampled_from(list(NODES)))
    t0_s, t1_s = draw(span)
    tokens = service in {"chat", "think"}
    amount = float(draw(st.integers(0, 50)))
    late = float(draw(st.integers(0, int(amount))))
    if tokens:
        kinds = {
            "token_out": amount,
            "token_late": late,
            "token_lost": float(draw(st.integers(0, 9))),
        }
        kinds |= draw(st.sampled_from([{}, _PROMPT]))
        if node in {"cell", "mast"}:
            kinds |= {"bit_dl": 40.0, "bit_late": 4.0}
    elif node in {"link", "edge"}:
        kinds = {"bit_carried": amount}
    else:
        kinds = {"bit_ul": amount, "bit_late": late, "bit_lost": 3.0}
    model = draw(st.sampled_from([None, "small"])) if tokens else None
    demand = draw(st.sampled_from([None, 0.0, 1.0, 2.0, 5.0]))
    common = {"t0_s": t0_s, "t1_s": t1_s, "node": node, "tier": NODES[node][0], "service": service}
    common |= {"model": model, "origin": "measured", "source": "counter"}
    rows = [common | {"kind": kind, "amount": n} for kind, n in kinds.items()]
    rows[0] |= {"demand": demand, "demand_unit": "s"}
    if tokens:
        rows[0]["sessions"] = float(draw(st.integers(1, 4)))
    return rows


_PROMPT = {
    "token_in": 100.0,
    "token_in_cached": 20.0,
    "token_in_late": 30.0,
    "token_in_lost": 10.0,
    "token_reasoning": 15.0,
    "token_draft_rejected": 5.0,
}
