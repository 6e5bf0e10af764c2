"""A ledger as Prometheus metrics, names with their unit: `tree_*`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tree6g.meter.exposition_writer import Family, Sample
from tree6g.metric.figure import Figure
from tree6g.metric.part import ratio
from tree6g.metric.reweigh import reweighed
from tree6g.serve.follow import Follower, State
from tree6g.serve.totals import ENERGY_LABELS, WORK_LABELS, Key, Totals
from tree6g.serve.view import Snapshot, View, take

DEFAULT_OVER_S: Final = 300.0


def families(
    follower: Follower, totals: Totals, view: View, floors: Mapping[str, float]
) -> list[Family]:
    """All metrics of the newest state of a ledger.

    Counters come from rows and from time that has settled; gauges are figures of the newest
    `view.span_s` at the header's weights. What is unknown has no sample.
    """
    snapshot: Snapshot = follower.made(("view", view), lambda state: take(state, view))
    state = follower.state()
    totals.update(state)
    figure = reweighed(snapshot.figure, snapshot.services)
    return [
        *_counters(totals),
        *_figures(figure),
        *_services(figure, floors),
        *_about(state, figure),
    ]


def _counters(totals: Totals) -> Iterable[Family]:
    yield _rows(
        "tree_energy_joules_total",
        "Energy of equipment inside the boundary, as the ledger's rows have it.",
        ENERGY_LABELS,
        totals.energy,
    )
    for unit, prefix, text in _WORK:
        some = {key: n for key, n in totals.work.items() if key[1].startswith(prefix)}
        yield _rows(f"tree_{unit}_total", text, WORK_LABELS, some)
    yield Family(
        name="tree_utility_bit_equivalents_total",
        kind="counter",
        help="Utility earned on time, of time that every source has covered.",
        samples=[({"service": s}, v) for s, v in sorted(totals.utility.items())],
    )
    named = {s: v for s, v in totals.attributed.items() if s is not None}
    yield Family(
        name="tree_attributed_energy_joules_total",
        kind="counter",
        help="Energy that a service answers for, of time that every source has covered.",
        samples=[({"service": s}, v) for s, v in sorted(named.items())],
    )
    yield Family(
        name="tree_unattributed_energy_joules_total",
        kind="counter",
        help="Energy that no service answers for, of time that every source has covered.",
        samples=[({}, totals.attributed.get(None, 0.0))] if totals.attributed else [],
    )


_WORK: Final = (
    ("tokens", "token", "Tokens by kind; token_late is part of token_out, not besides."),
    ("bits", "bit", "Bits by kind; bit_late is part of bit_ul and bit_dl, not besides."),
    ("requests", "request", "Requests: finished, and given up or refused (request_lost)."),
)


def _rows(name: str, text: str, labels: tuple[str, ...], sums: Mapping[Key, float]) -> Family:
    samples: list[Sample] = [
        (dict(zip(labels, key, strict=True)), value) for key, value in sorted(sums.items())
    ]
    return Family(name=name, kind="counter", help=text, samples=samples)


def _figures(figure: Figure) -> Iterable[Family]:
    loose = ratio(sum(figure.unattributed_j.values()), figure.energy_j)
    yield _gauge(
        "tree_utility_bit_equivalents_per_joule",
        "TREE over the newest time.",
        figure.tree_beq_per_j,
    )
    yield _gauge(
        "tree_ee_bits_per_joule", "EE over the newest time, same boundary.", figure.ee_bit_per_j
    )
    yield _gauge(
        "tree_coverage_ratio",
        "Share of the newest time that every needed source covered.",
        figure.coverage_frac,
    )
    yield _gauge(
        "tree_unattributed_ratio", "Share of the energy that no service answers for.", loose
    )
    yield _gauge(
        "tree_window_seconds",
        "Length of the newest time that the gauges are of.",
        figure.t1_s - figure.t0_s,
    )


def _gauge(name: str, text: str, value: float | None) -> Family:
    return Family(
        name=name, kind="gauge", help=text, samples=[] if value is None else [({}, value)]
    )


def _services(figure: Figure, floors: Mapping[str, float]) -> Iterable[Family]:
    for name, text, field in _PER_SERVICE:
        values = [(s.name, getattr(s, field)) for s in figure.services]
        samples: list[Sample] = [({"service": s}, v) for s, v in values if v is not None]
        yield Family(name=name, kind="gauge", help=text, samples=samples)
    yield Family(
        name="tree_service_floor_bit_equivalents_per_joule",
        kind="gauge",
        help="TREE below which an alert is wanted.",
        samples=[({"service": s}, v) for s, v in sorted(floors.items())],
    )


_PER_SERVICE: Final = (
    (
        "tree_service_utility_bit_equivalents_per_joule",
        "TREE of a service over the newest time: its utility over the energy attributed to it.",
        "tree_beq_per_j",
    ),
    (
        "tree_service_ee_bits_per_joule",
        "EE of a service over the newest time.",
        "ee_bit_per_j",
    ),
    (
        "tree_service_asymmetry_ratio",
        "Share of the attributed energy over share of the utility.",
        "asymmetry",
    ),
)


def _about(state: State, figure: Figure) -> Iterable[Family]:
    labels = {
        "boundary": figure.boundary,
        "attribution_rule": figure.rule,
        "idle_rule": figure.idle,
        "profile_set": figure.profile_set,
        "producer": state.ledger.meta.producer,
    }
    yield Family(
        name="tree_ledger_info",
        kind="gauge",
        help="How the figures are taken.",
        samples=[(labels, 1.0)],
    )
    end_s = None if state.extent is None else state.extent[1]
    yield _gauge(
        "tree_ledger_end_seconds", "Time up to which the ledger has rows, on its own clock.", end_s
    )
    yield _gauge(
        "tree_ledger_readable",
        "1 if the newest look at the ledger went well, else 0.",
        0.0 if state.problem else 1.0,
    )
