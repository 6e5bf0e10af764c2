"""Learning in a report: rounds with accuracy, joules by tier, bits and clients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tree6g.ledger.meta import Meta
from tree6g.ledger.reading import Ledger
from tree6g.metric.learning import AIR, Learnt, learnt
from tree6g.report import numerals
from tree6g.report.canvas import Drawing
from tree6g.report.figures.learning import NONE, table
from tree6g.report.frame import Section, figure, folded
from tree6g.report.tables import Cell, Column, Missing, Table, to_html

_ABOUT = (
    "Joules that carry the name of learning: what it causes above idle, whatever the boundary. A "
    "row of the ledger that several rounds touch is shared by the time in which each was at work, "
    "so part of a round may stand in its neighbours. Bits on links are those of the air once more."
)
_CAPTION = (
    "Round by round: accuracy on data that nobody learnt from; energy above idle by tier; bits at "
    "the air and on links; clients that were chosen, and those whose updates came in time."
)


def method_of(meta: Meta) -> str:
    """How a ledger's scenario learns; `learning` where none says it."""
    said: Any = (meta.scenario or {}).get("learning")
    return str(said.get("method", "learning")) if isinstance(said, Mapping) else "learning"


def sections(known: Learnt | None, method: str, drawing: Drawing | Missing) -> list[Section]:
    """The section of a report; none where nothing was to be learnt."""
    if known is None:
        return []
    body: list[object] = [figure(drawing, _CAPTION)]
    if known.rounds:
        body = [
            _sentence(known, method), *body, to_html(method_table({"": (known, method)})),
            _ABOUT, folded("Every round", to_html(table(known))),
        ]  # fmt: skip
    return [Section(id="learning", short="Learning", title="What learning took", body=body)]


def tables(known: Learnt | None, method: str) -> list[Table]:
    """Its tables beside that of the figure; none where nothing was to be learnt."""
    return [] if known is None else [method_table({"": (known, method)})]


def compared(ledgers: Mapping[str, Ledger]) -> Table:
    """What each of some designs took to learn, for those that did."""
    found = {name: (learnt(ledger), method_of(ledger.meta)) for name, ledger in ledgers.items()}
    return method_table({n: (known, method) for n, (known, method) in found.items() if known})


def comparison_section(taught: Table) -> Section:
    """The section of a page that compares designs of which some learnt."""
    body = [to_html(taught), "Energy above idle that carries the name of learning, all rounds."]
    return Section(id="learning", short="Learning", title="What learning took", body=body)


def method_table(designs: Mapping[str, tuple[Learnt, str]]) -> Table:
    """Energy by method: a row per design with its rounds, accuracy, bits and joules by tier.

    A single ledger has the name "" and no column for it.
    """
    tiers = list(dict.fromkeys(t for known, _ in designs.values() for t in known.energy_j))
    named = "" not in designs
    columns = (
        *([Column(key="design", head="design")] if named else []),
        Column(key="method", head="method"),
        Column(key="rounds", head="rounds", unit=""),
        Column(key="accuracy_frac", head="accuracy", unit="frac"),
        Column(key="arrived_frac", head="updates in time", unit="frac"),
        Column(key="air_bit", head="over the air", unit="bit"),
        Column(key="energy_j", head="energy", unit="j"),
        Column(key="round_j", head="per round", unit="j"),
        *(Column(key=f"{tier}_j", head=tier, unit="j") for tier in tiers),
    )
    rows = tuple(
        (*([name] if named else []), how, *_row(known, tiers))
        for name, (known, how) in designs.items()
    )
    return Table(name="learning_methods", title="Energy by method", columns=columns, rows=rows)


def _row(known: Learnt, tiers: list[str]) -> tuple[Cell, ...]:
    chosen, arrived = (sum(getattr(r, n) for r in known.rounds) for n in ("chosen", "arrived"))
    total_j = sum(known.energy_j.values())
    accuracy, count = known.accuracy_frac, len(known.rounds)
    none, nobody = Missing(reason=NONE), Missing(reason="no client was chosen")
    unseen = Missing(reason="nobody looked") if count else none
    return (
        count, unseen if accuracy is None else accuracy,
        arrived / chosen if chosen else nobody, sum(known.bit.get(kind, 0.0) for kind in AIR),
        total_j, total_j / count if count else none,
        *(known.energy_j.get(tier, 0.0) for tier in tiers),
    )  # fmt: skip


def _sentence(known: Learnt, method: str) -> str:
    last = known.rounds[-1]
    rounds = f"{len(known.rounds)} round{'s' if len(known.rounds) > 1 else ''}"
    joules = numerals.quantity(sum(known.energy_j.values()), "j")
    bits = numerals.quantity(sum(known.bit.get(kind, 0.0) for kind in AIR), "bit")
    return (
        f"{known.service} ({method}): {rounds}, accuracy "
        f"{numerals.known_percent(last.accuracy_frac)} after the last; {joules} above idle and "
        f"{bits} over the air."
    )
