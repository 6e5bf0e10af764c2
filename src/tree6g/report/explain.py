"""A number walked down: value, parts, SQL, rows of the ledger, function and equation, source."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g.errors import LedgerError, nearest
from tree6g.ledger.reading import Ledger, named_sql
from tree6g.metric import tree, utility
from tree6g.metric.figure import Figure, Query, ServiceFigure
from tree6g.metric.profile import from_meta, reweighted
from tree6g.report.references import references

# A ratio by its numerator and denominator; a total by itself.
RATIOS: Final[Mapping[str, tuple[str, str]]] = {
    "tree_beq_per_j": ("utility_beq", "energy_j"),
    "ee_bit_per_j": ("bits_bit", "energy_j"),
    "ee_ran_bit_per_j": ("bits_bit", "energy_ran_j"),
    "tok_per_j": ("tokens_out_tok", "energy_j"),
    "j_per_tok": ("energy_j", "tokens_out_tok"),
    "j_per_bit": ("energy_j", "bits_bit"),
}
# The words by which people call the three headline figures.
SHORT: Final[Mapping[str, str]] = {
    "tree": "tree_beq_per_j", "ee": "ee_bit_per_j", "ee_ran": "ee_ran_bit_per_j",
}  # fmt: skip
TOTALS: Final = ("utility_beq", "bits_bit", "tokens_out_tok", "energy_j")
_SQL_OF: Final[Mapping[str, tuple[str, ...]]] = {
    "utility_beq": ("work_cells", "value"),
    "bits_bit": ("work_cells", "value"),
    "tokens_out_tok": ("work_cells", "value"),
    "energy_j": ("energy_cells",),
    "energy_ran_j": ("energy_cells",),
}
SAMPLES: Final = 3


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step down.

    Attributes:
        title: What is looked at: `value`, `parts`, `sql`, `rows`, `function`, `source`.
        text: In words, or as text of a program.
        rows: As rows, if it has any.
    """

    title: str
    text: str
    rows: Sequence[Mapping[str, Any]] = ()


def explain(ledger: Ledger, name: str, query: Query | None = None) -> tuple[Step, ...]:
    """Walk from a figure, or from one service's part of it, down to its sources.

    Args:
        ledger: A ledger of any origin.
        name: A figure such as `tree_beq_per_j` (or `tree`, `ee`, `ee_ran`), or a service.
        query: How the figure is taken; None takes the header's words.

    Raises:
        LedgerError: Neither a figure nor a service of the ledger.
    """
    query = query or Query()
    figure = tree.figure(ledger, query)
    services = {s.name: s for s in figure.services}
    name = name if name in services else SHORT.get(name.lower(), name)
    if name not in {*RATIOS, *TOTALS, *services}:
        known = nearest(name, [*RATIOS, *TOTALS, *services])
        raise LedgerError(f"expected a figure or a service to explain; got {name!r}. {known}")
    service = services.get(name)
    ratio = "tree_beq_per_j" if service else name
    totals = RATIOS.get(ratio, (ratio,))
    return (
        _value(figure, service, ratio, totals),
        *_parts(ledger, query, figure, service, totals),
        *_statements(totals, attributed=service is not None),
        *_rows(ledger, figure, service, totals),
        *_functions(ledger, query, figure, service, totals),
        _sources(ledger),
    )


def _value(figure: Figure, service: ServiceFigure | None, name: str, totals: Sequence[str]) -> Step:
    owner: Any = service or figure
    value = getattr(owner, name)
    if value is None:
        text = f"{name} is not defined: {owner.reasons.get(name, 'no reason stated')}"
    elif len(totals) == 1:
        text = f"{name} = {value:.10g}"
    else:
        top, bottom = (getattr(owner, total) for total in totals)
        text = f"{name} = {value:.10g} = {totals[0]} {top:.10g} / {totals[1]} {bottom:.10g}"
    way = (
        f"boundary {figure.boundary}, attribution {figure.rule}, idle {figure.idle}, "
        f"window {figure.t0_s:g} s to {figure.t1_s:g} s, profiles {figure.profile_set}"
    )
    return Step(title="value", text=f"{text}\n{way}")


def _parts(
    ledger: Ledger,
    query: Query,
    figure: Figure,
    service: ServiceFigure | None,
    totals: Sequence[str],
) -> list[Step]:
    """What each total is the sum of: services for work, nodes and components for energy."""
    steps = []
    for total in totals:
        if total.startswith("energy"):
            flows = tree.flows(ledger, query).to_pylist()
            kept = [f for f in flows if service is None or f["service"] == service.name]
            rows = _summed(kept, ("node", "tier", "component"))
            steps.append(Step(title="parts", text="energy_j by node and component", rows=rows))
        elif service is None:
            rows = [{"service": s.name, total: getattr(s, total)} for s in figure.services]
            steps.append(Step(title="parts", text=f"{total} by service", rows=rows))
    return steps


def _summed(flows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    sums: dict[tuple[Any, ...], float] = {}
    for flow in flows:
        key = tuple(flow[k] for k in keys)
        sums[key] = sums.get(key, 0.0) + flow["energy_j"]
    ordered = sorted(sums.items(), key=lambda item: -item[1])
    return [dict(zip(keys, key, strict=True)) | {"energy_j": j} for key, j in ordered]


def _statements(totals: Sequence[str], *, attributed: bool) -> list[Step]:
    names = [name for total in totals for name in _SQL_OF[total]]
    names += ["demand", "attribution"] if attributed else []
    return [
        Step(title="sql", text=f"-- tree6g/metric/sql/{name}.sql\n{named_sql('metric', name)}")
        for name in dict.fromkeys(names)
    ]


def _rows(
    ledger: Ledger, figure: Figure, service: ServiceFigure | None, totals: Sequence[str]
) -> list[Step]:
    """How many rows went in, by what wrote them, and the first of them."""
    only = service.name if service else None
    tables = ["energy" if total.startswith("energy") else "work" for total in totals]
    where = [list(figure.inside), figure.t0_s, figure.t1_s, only, only]
    steps = []
    for table in dict.fromkeys(tables):
        counted = ledger.query(named_sql("report", f"explain_{table}"), where).to_pylist()
        count = sum(row["rows"] for row in counted)
        steps.append(Step(title="rows", text=f"{count:,} rows of {table}", rows=counted))
        sample = ledger.query(
            f"SELECT * FROM {table} WHERE list_contains(?, node) AND t1_s > ? AND t0_s < ?"
            " AND (?::VARCHAR IS NULL OR service IS NOT DISTINCT FROM ?)"
            f" ORDER BY t0_s, node LIMIT {SAMPLES}",
            where,
        ).to_pylist()
        rows = [{k: v for k, v in row.items() if v is not None} for row in sample]
        steps.append(Step(title="rows", text=f"the first of them in {table}", rows=rows))
    return steps


def _functions(
    ledger: Ledger,
    query: Query,
    figure: Figure,
    service: ServiceFigure | None,
    totals: Sequence[str],
) -> list[Step]:
    steps = [_function(tree.figure)]
    if "utility_beq" in totals:
        worth = reweighted(from_meta(ledger.meta), query.weights, query.alphas)
        shown = [service] if service else list(figure.services)
        rows = [
            {"service": s.name, **dataclasses.asdict(worth[s.name].profile)}
            for s in shown
            if s is not None and s.name in worth
        ]
        step = _function(utility.utility_bps)
        steps.append(dataclasses.replace(step, rows=rows))
    return steps


def _function(what: Any) -> Step:
    name = getattr(what, "__qualname__", "")
    where = f"{what.__module__}:{name}" if name else what.__name__
    return Step(title="function", text=f"{where}\n{inspect.getdoc(what) or ''}")


def _sources(ledger: Ledger) -> Step:
    rows = [dataclasses.asdict(one) for one in references(ledger)]
    return Step(title="source", text="what the rows rest on", rows=rows)
