"""TREE of a ledger: the headline (`figure`), groupings (`series`) and energy flows (`flows`)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

import numpy as np
import pyarrow as pa

from tree6g.errors import LedgerError, nearest
from tree6g.ledger.reading import Ledger, sql_errors
from tree6g.metric import coverage, uncertainty, value
from tree6g.metric.asymmetry import gini
from tree6g.metric.cells import Book, open_book
from tree6g.metric.figure import Figure, Query
from tree6g.metric.part import NO_GINI, SUMS, TOO_LARGE, Sums, ratio, service_figure, unseen_reason
from tree6g.metric.profile import profile_set

KEYS = ("window", "service", "node", "site", "tier", "slice")


Question = TypeVar("Question", bound=Callable[..., Any])


def _of_ledger(question: Question) -> Question:
    """What the database says against a damaged ledger leaves as LedgerError."""

    @functools.wraps(question)
    def asked(ledger: Ledger, *args: Any, **kwargs: Any) -> Any:
        """The question, with what the database says told as an error of the ledger."""
        with sql_errors(ledger.path):
            return question(ledger, *args, **kwargs)

    return cast("Question", asked)


@_of_ledger
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
    _require_finite(book, totals.values())
    by_service = {k[0]: v for k, v in _sums(book, "service").items()}
    loose = _sums(book, "reason", "service IS NULL")
    unseen = _unseen(marks)
    reasons = _reasons(book, totals, unseen)
    metered = _conservation(book)
    margin = _marginal(book)
    services = tuple(
        service_figure(s, by_service, margin.get(s.name, 0.0), unseen, marks)
        for s in book.services.values()
    )
    covered_s = coverage.length_s(coverage.intersection(book.cover, [(book.t0_s, book.t1_s)]))
    headline = _headline(totals, _ran_energy_j(book), unseen, reasons)
    u95, unknown = uncertainty.of_tree(book)
    shares = [(s.energy_share_frac, s.utility_share_frac) for s in services]
    known = [(e, u) for e, u in shares if e is not None and u is not None]
    beside: dict[str, Any] = {
        "coverage_frac": ratio(covered_s, book.t1_s - book.t0_s),
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


@_of_ledger
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
    unseen = _unseen(_account(book, edges))
    keys = ["window_s AS t0_s" if key == "window" else key for key in by]
    head = ", ".join(keys) + ", " if keys else ""
    known = f"NOT coalesce(bool_or(list_contains({list(unseen)!r}, service)), FALSE)"
    utility = f"CASE WHEN {known} THEN sum(utility_beq) END" if unseen else "sum(utility_beq)"
    # Codes group faster than words, so words come last.
    words = ", ".join(f"{key}::VARCHAR AS {key}" for key in by if key not in {"window", "slice"})
    found = book.connection.sql(
        f"SELECT * {f'REPLACE ({words})' if words else ''} FROM ("
        f"SELECT {head}{utility} AS utility_beq, sum(bits_bit) AS bits_bit,"
        " sum(out_tok) AS tokens_out_tok, sum(energy_j) AS energy_j,"
        f" {_quotient(utility)} AS tree_beq_per_j,"
        f" {_quotient('sum(bits_bit)')} AS ee_bit_per_j"
        f" FROM {_wide(by)} GROUP BY ALL ORDER BY ALL NULLS LAST)"
    ).to_arrow_table()
    for name in ("utility_beq", "bits_bit", "tokens_out_tok", "energy_j"):
        _require_finite(book, found[name].to_pylist())
    return found


def _quotient(over: str) -> str:
    """SQL of a ratio to the energy, null where it is undefined or too large for a number."""
    ratio_ = f"{over} / sum(energy_j)"
    return f"CASE WHEN sum(energy_j) > 0 AND isfinite({ratio_}) THEN {ratio_} END"


@_of_ledger
def flows(ledger: Ledger, query: Query | None = None) -> pa.Table:
    """Energy from components to services: node, site, tier, component, service, reason, energy_j.

    `service` is null for energy that no service answers for; `reason` then says why.
    """
    book = open_book(ledger, query or Query())
    _account(book, [book.t0_s, book.t1_s])
    return book.connection.sql(
        "SELECT node::VARCHAR AS node, n.site::VARCHAR AS site, n.tier::VARCHAR AS tier,"
        " component::VARCHAR AS component, service::VARCHAR AS service,"
        " reason::VARCHAR AS reason,"
        " sum(energy_j * p.share) AS energy_j"
        " FROM attributed a JOIN inside n USING (node)"
        f" JOIN piece p ON p.k = a.k AND p.grid_s = {book.grid_s!r}"
        " GROUP BY ALL ORDER BY ALL NULLS LAST"
    ).to_arrow_table()


def _unseen(marks: Sequence[str]) -> tuple[str, ...]:
    """Services whose utility is unknown because their sessions are not seen."""
    return tuple(sorted(m.partition(":")[2] for m in marks if m.startswith("unseen:")))


def _headline(
    totals: Sums, ran_j: float, unseen: Sequence[str], reasons: dict[str, str]
) -> dict[str, Any]:
    """The ratios of totals; `reasons` gains those that the totals do not define."""
    energy_j = totals["energy_j"]
    values = {
        "tree_beq_per_j": ratio(totals["utility_beq"], energy_j),
        "ee_bit_per_j": ratio(totals["bits_bit"], energy_j),
        "ee_ran_bit_per_j": ratio(totals["bits_bit"], ran_j),
        "tok_per_j": ratio(totals["out_tok"], energy_j),
        "j_per_tok": ratio(energy_j, totals["out_tok"]),
        "j_per_bit": ratio(energy_j, totals["bits_bit"]),
    }
    for name, value_ in values.items():
        if value_ is None and name not in reasons:
            reasons[name] = _HEADLINE_WHY.get(name, TOO_LARGE)
    if unseen:
        reasons["utility_beq"] = unseen_reason(unseen[0])
    return {
        **{name: None if name in reasons else value_ for name, value_ in values.items()},
        "utility_beq": None if unseen else totals["utility_beq"],
        "bits_bit": totals["bits_bit"],
        "tokens_out_tok": totals["out_tok"],
        "energy_j": energy_j,
        "energy_ran_j": ran_j,
    }


_BESIDE_WHY = {
    "coverage_frac": "the window has no length",
    "u95_frac": "the uncertainty of more than 1 % of the joules is unknown",
    "u95_unknown_frac": "no energy is recorded",
    "gini": NO_GINI,
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


def _require_finite(book: Book, sums: Iterable[float | None]) -> None:
    if not all(math.isfinite(v) for v in sums if v is not None):
        raise LedgerError(
            f"the sums of {book.ledger.path} are too large for a number: look for rows with"
            " amounts or joules beyond all measure."
        )


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
        f"SELECT {book.grid_s!r}, k FROM (SELECT DISTINCT k FROM work_cells UNION"
        " SELECT DISTINCT k FROM energy_cells) UNION SELECT DISTINCT grid_s, k FROM curved"
        " ORDER BY ALL"
    )
    pieces: dict[str, list[Any]] = {"grid_s": [], "k": [], "window_s": [], "share": []}
    for grid_s in sorted({g for g, _ in grids}):
        cells = np.array([k for g, k in grids if g == grid_s], dtype=np.int64)
        cell, window, share = coverage.cell_shares(grid_s, cells, book.cover, edges_s)
        start = np.asarray(edges_s, dtype=np.float64)[window]
        columns = (np.full(len(cell), grid_s), cell, start, share)
        for name, column in zip(pieces, columns, strict=True):
            pieces[name] += column.tolist()
    types = {"k": "BIGINT"}
    book.store("piece", {n: (types.get(n, "DOUBLE"), v) for n, v in pieces.items()})


def _edges(book: Book, window_s: float) -> list[float]:
    """Edges of the windows that hold [t0, t1), cut to it; starts stay multiples of the window."""
    first = math.floor(book.t0_s / window_s + 1e-9)
    last = max(math.ceil(book.t1_s / window_s - 1e-9), first + 1)
    inner = [k * window_s for k in range(first + 1, last)]
    return [book.t0_s, *inner, book.t1_s]


def _wide(by: Sequence[str]) -> str:
    """The account with the columns that the keys need."""
    if "slice" in by:
        joined = "(SELECT a.*, s.slice FROM account a LEFT JOIN slices s USING (service)) a"
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


def _reasons(book: Book, totals: Sums, unseen: Sequence[str]) -> dict[str, str]:
    """Why TREE is undefined, if it is (METRIC rule 12)."""
    why = None
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
        reasons["tree_beq_per_j"] = unseen_reason(unseen[0])
    return reasons


def _marginal(book: Book) -> dict[str, float]:
    """Energy that would not be spent without each service: v(all) - v(all but s)."""
    _attribute(book, "marginal", "unattributed")
    rows = book.rows(
        f"SELECT service, sum(a.energy_j * p.share) FROM attributed a JOIN piece p"
        f" ON p.k = a.k AND p.grid_s = {book.grid_s!r} WHERE service IS NOT NULL GROUP BY ALL"
    )
    return dict(rows)


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
