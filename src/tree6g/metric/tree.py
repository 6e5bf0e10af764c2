"""TREE of a ledger: the headline (`figure`), groupings (`series`) and energy flows (`flows`)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tree6g.errors import LedgerError, nearest
from tree6g.ledger.reading import Ledger
from tree6g.metric import coverage, uncertainty, value
from tree6g.metric.asymmetry import gini
from tree6g.metric.cells import Book, open_book
from tree6g.metric.figure import Figure, Query, ServiceFigure
from tree6g.metric.profile import Service, profile_set

KEYS = ("window", "service", "node", "site", "tier", "slice")
SUMS = (
    "utility_beq", "offered_beq", "bits_bit", "effective_tok", "in_tok", "out_tok", "late_tok",
    "request", "request_lost", "lost", "energy_j",
)  # fmt: skip
Sums = Mapping[str, float]


def figure(ledger: Ledger, query: Query | None = None) -> Figure:
    """TREE, EE and all that must stand beside them (METRIC).

    TREE = sum_s w_s U_s / E over the covered time of the window; utility and energy are both from
    inside the boundary.

    Args:
        ledger: Simulated or measured.
        query: Boundary, rule, weights, window; None takes the header's.

    Returns:
        The figure; what is not defined is None with its reason.

    Raises:
        LedgerError: Rows of nodes or services that the ledger does not describe.
    """
    book = open_book(ledger, query or Query())
    marks = _account(book, [book.t0_s, book.t1_s])
    totals = _sums(book, "")[()]
    by_service = {k[0]: v for k, v in _sums(book, "service").items()}
    loose = _sums(book, "reason", "service IS NULL")
    reasons = _reasons(book, totals, marks)
    metered = _conservation(book)
    margin = _marginal(book)
    services = tuple(
        _service_figure(s, by_service.get(s.name), margin.get(s.name, 0.0), by_service, marks)
        for s in book.services.values()
    )
    covered_s = coverage.length_s(coverage.intersection(book.cover, [(book.t0_s, book.t1_s)]))
    headline = _headline(totals, _ran_energy_j(book), reasons)
    u95, unknown = uncertainty.of_tree(book)
    shares = [(s.energy_share_frac, s.utility_share_frac) for s in services]
    known = [(e, u) for e, u in shares if e is not None and u is not None]
    beside: dict[str, Any] = {
        "coverage_frac": _ratio(covered_s, book.t1_s - book.t0_s),
        "u95_frac": None if "tree_beq_per_j" in reasons else u95,
        "u95_unknown_frac": unknown,
        "gini": gini(known) if any(u for _, u in known) else None,
    }
    for name, value_ in beside.items():
        if value_ is None:
            reasons[name] = reasons.get("tree_beq_per_j") or _BESIDE_WHY[name]
    return Figure(
        **headline,
        unattributed_j={k[0]: v["energy_j"] for k, v in loose.items()},
        t0_s=book.t0_s,
        t1_s=book.t1_s,
        covered_s=covered_s,
        **beside,
        boundary=str(book.query.boundary),
        inside=book.inside,
        outside=book.outside,
        rule=str(book.query.rule),
        idle=str(book.query.idle),
        attribution_interval_s=book.grid_s,
        profile_set=profile_set(book.services.values()),
        marks=tuple(sorted({m for m in marks if ":" not in m})),
        services=services,
        conservation_error_frac=metered,
        reasons=reasons,
    )


def series(
    ledger: Ledger,
    query: Query | None = None,
    *,
    by: Sequence[str] = ("service", "window"),
    window_s: float = 60.0,
) -> pa.Table:
    """Utility, work and energy by any of window, service, node, site, tier, slice.

    Every grouping sums both sides first and divides then; the rows of a whole sum to it. Energy
    that no service answers for stands under service null. Windows are [k, k + 1) `window_s`.

    Args:
        ledger: Simulated or measured.
        query: As in `figure`.
        by: Keys, in the order of the result's columns and rows.
        window_s: Length of a window.

    Returns:
        Columns: the keys (`window` as its start `t0_s`), utility_beq, bits_bit, tokens_out_tok,
        energy_j, tree_beq_per_j and ee_bit_per_j (null where undefined).

    Raises:
        LedgerError: An unknown key or a window that is not positive.
    """
    unknown = [key for key in by if key not in KEYS]
    if unknown:
        raise LedgerError(f"expected a key of a grouping. {nearest(unknown[0], KEYS)}")
    if not 0 < window_s < math.inf:
        raise LedgerError(f"expected window_s > 0 s; got {window_s}.")
    book = open_book(ledger, query or Query())
    edges = _edges(book, window_s) if "window" in by else [book.t0_s, book.t1_s]
    _account(book, edges)
    keys = ["window_s AS t0_s" if key == "window" else key for key in by]
    head = ", ".join(keys) + ", " if keys else ""
    return book.connection.sql(
        f"SELECT {head}sum(utility_beq) AS utility_beq, sum(bits_bit) AS bits_bit,"
        " sum(out_tok) AS tokens_out_tok, sum(energy_j) AS energy_j,"
        " CASE WHEN sum(energy_j) > 0 THEN sum(utility_beq) / sum(energy_j) END AS tree_beq_per_j,"
        " CASE WHEN sum(energy_j) > 0 THEN sum(bits_bit) / sum(energy_j) END AS ee_bit_per_j"
        f" FROM {_wide(by)} GROUP BY ALL ORDER BY ALL NULLS LAST"
    ).to_arrow_table()


def flows(ledger: Ledger, query: Query | None = None) -> pa.Table:
    """Energy from components to services: node, site, tier, component, service, reason, energy_j.

    `service` is null for energy that no service answers for; `reason` then says why.
    """
    book = open_book(ledger, query or Query())
    _account(book, [book.t0_s, book.t1_s])
    return book.connection.sql(
        "SELECT node, n.site, n.tier, component, service, reason,"
        " sum(energy_j * p.share) AS energy_j"
        " FROM attributed a JOIN inside n USING (node)"
        f" JOIN piece p ON p.k = a.k AND p.grid_s = {book.grid_s!r}"
        " GROUP BY ALL ORDER BY ALL NULLS LAST"
    ).to_arrow_table()


def _headline(totals: Sums, ran_j: float, reasons: dict[str, str]) -> dict[str, Any]:
    """The ratios of totals; `reasons` gains those that the totals do not define."""
    energy_j = totals["energy_j"]
    values = {
        "tree_beq_per_j": _ratio(totals["utility_beq"], energy_j),
        "ee_bit_per_j": _ratio(totals["bits_bit"], energy_j),
        "ee_ran_bit_per_j": _ratio(totals["bits_bit"], ran_j),
        "tok_per_j": _ratio(totals["out_tok"], energy_j),
        "j_per_tok": _ratio(energy_j, totals["out_tok"]),
        "j_per_bit": _ratio(energy_j, totals["bits_bit"]),
    }
    for name, value_ in values.items():
        if value_ is None and name not in reasons:
            reasons[name] = _HEADLINE_WHY[name]
    return {
        **{name: None if name in reasons else value_ for name, value_ in values.items()},
        "utility_beq": totals["utility_beq"],
        "bits_bit": totals["bits_bit"],
        "tokens_out_tok": totals["out_tok"],
        "energy_j": energy_j,
        "energy_ran_j": ran_j,
    }


_BESIDE_WHY = {
    "coverage_frac": "the window has no length",
    "u95_frac": "the uncertainty of more than 1 % of the joules is unknown",
    "u95_unknown_frac": "no energy is recorded",
    "gini": "no utility was earned, or no energy is attributed to any service",
}
_HEADLINE_WHY = {
    "ee_ran_bit_per_j": "the ledger has no energy of a radio access network",
    "j_per_tok": "no tokens were delivered",
    "j_per_bit": "no bits were delivered",
}


def _account(book: Book, edges_s: Sequence[float]) -> list[str]:
    """Tables `value`, `attributed`, `piece` and `account`; the marks of the utility."""
    value.phase_weights(book)
    marks = value.value_cells(book)
    _attribute(book, str(book.query.rule), str(book.query.idle))
    _pieces(book, edges_s)
    book.script("account")
    return marks


def _attribute(book: Book, rule: str, idle: str) -> None:
    book.script("demand", by_volume=rule == "data_volume")
    book.script("attribution", rule=rule)
    if idle == "spread":
        book.script("spread")
    if book.rows("SELECT 1 FROM pool WHERE class = 'overhead' LIMIT 1"):
        book.script("overhead")


def _pieces(book: Book, edges_s: Sequence[float]) -> None:
    """Table `piece`: cell k of a grid to a window, with the share of the cell's covered time."""
    grids = book.rows(
        f"SELECT grid_s, k FROM value UNION SELECT {book.grid_s!r}, k FROM attributed ORDER BY ALL"
    )
    parts = []
    for grid_s in sorted({g for g, _ in grids}):
        cells = np.array([k for g, k in grids if g == grid_s], dtype=np.int64)
        cell, window, share = coverage.cell_shares(grid_s, cells, book.cover, edges_s)
        start = np.asarray(edges_s, dtype=np.float64)[window]
        columns = [np.full(len(cell), grid_s), cell, start, share]
        parts.append(pa.table(columns, names=["grid_s", "k", "window_s", "share"]))
    empty = pa.table([[], [], [], []], schema=_PIECE)
    whole = pa.concat_tables([empty, *(p.cast(_PIECE) for p in parts)])
    book.connection.register("piece", whole)


_PIECE = pa.schema(
    [
        ("grid_s", pa.float64()),
        ("k", pa.int64()),
        ("window_s", pa.float64()),
        ("share", pa.float64()),
    ]
)


def _edges(book: Book, window_s: float) -> list[float]:
    """Edges of the windows that hold [t0, t1), cut to it; starts stay multiples of the window."""
    first = math.floor(book.t0_s / window_s + 1e-9)
    last = max(math.ceil(book.t1_s / window_s - 1e-9), first + 1)
    inner = [k * window_s for k in range(first + 1, last)]
    return [book.t0_s, *inner, book.t1_s]


def _wide(by: Sequence[str]) -> str:
    """The account with the columns that the keys need."""
    if "slice" in by:
        joined = "(SELECT a.*, s.slice FROM account a LEFT JOIN service s USING (service)) a"
    else:
        joined = "account a"
    if "site" in by or "tier" in by:
        joined += " JOIN inside n USING (node)"
    return joined


def _sums(book: Book, key: str, where: str = "TRUE") -> dict[tuple[str, ...], Sums]:
    """Sums of the account by one key; groups without a key (null) are left out."""
    columns = ", ".join(f"coalesce(sum({c}), 0)" for c in SUMS)
    if not key:
        row = book.rows(f"SELECT {columns} FROM account WHERE {where}")[0]
        return {(): dict(zip(SUMS, row, strict=True))}
    found = book.rows(
        f"SELECT {key}, {columns} FROM account WHERE {where} AND {key} IS NOT NULL"
        f" GROUP BY {key} ORDER BY {key}"
    )
    return {(row[0],): dict(zip(SUMS, row[1:], strict=True)) for row in found}


_RATIOS = (
    "tree_beq_per_j", "ee_bit_per_j", "ee_ran_bit_per_j", "tok_per_j", "j_per_tok", "j_per_bit",
)  # fmt: skip


def _reasons(book: Book, totals: Sums, marks: Sequence[str]) -> dict[str, str]:
    """Why TREE is undefined, if it is (METRIC rule 12)."""
    why = None
    unseen = sorted(m.partition(":")[2] for m in marks if m.startswith("unseen:"))
    if not book.cover:
        why = "no time is covered by every source (table coverage)"
    elif unstated := uncertainty.sources_without_coverage(book):
        why = f"source '{unstated[0]}' does not state what time it covered"
    elif not totals["energy_j"] > 0:
        work = totals["bits_bit"] > 0 or totals["out_tok"] > 0
        why = "no energy is recorded for the work" if work else "neither work nor energy"
    reasons = dict.fromkeys(_RATIOS, why) if why else {}
    if unseen and not why:
        # Bits and tokens per joule need no sessions: only what rests on utility is undefined.
        why = f"sessions of service '{unseen[0]}' are not seen, and its utility is not linear"
        reasons["tree_beq_per_j"] = why
    return reasons


def _marginal(book: Book) -> dict[str, float]:
    """Energy that would not be spent without each service: v(all) - v(all but s)."""
    _attribute(book, "marginal", "unattributed")
    rows = book.rows(
        f"SELECT service, sum(a.energy_j * p.share) FROM attributed a JOIN piece p"
        f" ON p.k = a.k AND p.grid_s = {book.grid_s!r} WHERE service IS NOT NULL GROUP BY ALL"
    )
    return dict(rows)


def _service_figure(
    service: Service,
    own: Sums | None,
    marginal_j: float,
    every: Mapping[str, Sums],
    marks: list[str],
) -> ServiceFigure:
    sums = own or dict.fromkeys(SUMS, 0.0)
    totals = {c: math.fsum(s[c] for s in every.values()) for c in SUMS}
    offered = sums["offered_beq"]
    if sums["request_lost"] > 0 and sums["request"] > 0 and not sums["lost"]:
        # Only the number of lost requests is known: they are taken as large as the finished ones.
        offered *= 1.0 + sums["request_lost"] / sums["request"]
        marks.append("estimated")
    energy_j, utility = sums["energy_j"], sums["utility_beq"]
    tokens = service.kind == "ai"
    energy_share = _ratio(energy_j, totals["energy_j"])
    utility_share = _ratio(utility, totals["utility_beq"])
    values = {
        "bit_share_frac": _ratio(sums["bits_bit"], totals["bits_bit"]),
        "energy_share_frac": energy_share,
        "utility_share_frac": utility_share,
        "served_share_frac": _ratio(utility, offered),
        "asymmetry": _ratio(energy_share, utility_share),
        "tree_beq_per_j": _ratio(utility, energy_j),
        "tree_marginal_beq_per_j": _ratio(utility, marginal_j),
        "ee_bit_per_j": _ratio(sums["bits_bit"], energy_j),
        "j_per_tok": _ratio(energy_j, sums["out_tok"]),
    }
    return ServiceFigure(
        name=service.name,
        kind=service.kind,
        profile=service.profile.id,
        weight=service.weight,
        alpha_bit_per_tok=service.profile.curve.alpha_bit_per_tok if tokens else None,
        k_in=service.profile.k_in if tokens else None,
        utility_beq=utility,
        offered_beq=offered,
        bits_bit=sums["bits_bit"],
        tokens_in_tok=sums["in_tok"],
        tokens_out_tok=sums["out_tok"],
        tokens_late_tok=sums["late_tok"],
        tokens_effective_tok=sums["effective_tok"],
        worth_tok=_worth_tok(service, sums) if tokens else None,
        requests=sums["request"],
        requests_lost=sums["request_lost"],
        energy_j=energy_j,
        energy_marginal_j=marginal_j,
        reasons={k: _WHY[k] for k, v in values.items() if v is None},
        **values,
    )


def _worth_tok(service: Service, sums: Sums) -> float | None:
    """Utility in tokens, w U / alpha; of linear profiles also where alpha is 0."""
    curve = service.profile.curve
    if curve.linear:
        return service.weight * sums["effective_tok"]
    return _ratio(sums["utility_beq"], curve.alpha_bit_per_tok)


_WHY = {
    "bit_share_frac": "no bits were delivered",
    "energy_share_frac": "no energy is attributed to any service",
    "utility_share_frac": "no utility was earned",
    "served_share_frac": "the service was offered no work",
    "asymmetry": "the service earned no utility: its energy is energy without value",
    "tree_beq_per_j": "no energy is attributed to the service",
    "tree_marginal_beq_per_j": "no energy depends on the service alone",
    "ee_bit_per_j": "no energy is attributed to the service",
    "j_per_tok": "the service delivered no tokens",
}


def _ran_energy_j(book: Book) -> float:
    """Energy of nodes inside boundary `ran` in the covered time of the window."""
    rows = book.rows(
        "SELECT sum(c.energy_j * p.share) FROM energy_cells c"
        f" JOIN piece p ON p.k = c.k AND p.grid_s = {book.grid_s!r}"
        " SEMI JOIN (SELECT node FROM entity"
        " WHERE list_contains(string_split(boundaries, ' '), 'ran')) r USING (node)"
    )
    return float(rows[0][0] or 0.0)


def _conservation(book: Book) -> float:
    """|attributed + unattributed - metered| / metered over all covered energy of the boundary."""
    attributed, metered = book.rows(
        "SELECT (SELECT coalesce(sum(energy_j), 0) FROM attributed),"
        " (SELECT coalesce(sum(energy_j), 0) FROM covered_energy JOIN inside USING (node))"
    )[0]
    return abs(attributed - metered) / metered if metered > 0 else 0.0


def _ratio(over: float | None, under: float | None) -> float | None:
    return over / under if over is not None and under is not None and under > 0 else None
