"""The sections of a report that say what was found."""

from __future__ import annotations

import dataclasses

from tree6g.metric.figure import Figure
from tree6g.report import learning, listings, numerals, radio, words
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import Evidence
from tree6g.report.figures import flow, lorenz, power, shares
from tree6g.report.figures import learning as learning_figure
from tree6g.report.figures import weight as weight_figure
from tree6g.report.frame import Section, definitions, figure, folded, paragraphs
from tree6g.report.markup import Markup, linked, tag
from tree6g.report.tables import Missing, Table, to_html
from tree6g.report.weight import TokenWeight, token_weight


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Evidence with the drawings made of it."""

    evidence: Evidence
    curve: TokenWeight | Missing
    shares: Drawing
    power: Drawing | Missing
    flow: Drawing | Missing
    weight: Drawing | Missing
    lorenz: Drawing | Missing
    learning: Drawing | Missing

    def drawings(self) -> list[Drawing]:
        """All drawings that exist."""
        every = (self.shares, self.power, self.flow, self.weight, self.lorenz, self.learning)
        return [d for d in every if isinstance(d, Drawing)]


def find(evidence: Evidence) -> Findings:
    """Draw all figures of a report."""
    curve = token_weight(evidence.figure)
    return Findings(
        evidence=evidence,
        curve=curve,
        shares=shares.drawing(evidence),
        power=power.drawing(evidence),
        flow=flow.drawing(evidence),
        weight=weight_figure.drawing(evidence, curve),
        lorenz=lorenz.drawing(evidence),
        learning=learning_figure.drawing(evidence.learnt, evidence.stamp),
    )


def header(evidence: Evidence) -> list[object]:
    """The headline: one sentence, three figures, and what they hold for."""
    f = evidence.figure
    name = str((evidence.meta.scenario or {}).get("name") or "")
    return [
        tag("p", " \u00b7 ".join(("tree6g report", *([name] if name else []))), class_="kind"),
        tag("h1", evidence.title),
        tag("p", words.headline(f), class_="takeaway"),
        tag("p", words.second_sentence(f), class_="lead"),
        notes(evidence),
        cards(f),
        tag(
            "p",
            "bit-eq is the bit-equivalent: the worth of one ordinary data bit delivered on time.",
            class_="note",
        ),
        definitions(
            [
                ("Boundary", f"{f.boundary}: {words.BOUNDARY[f.boundary]}"),
                ("Coverage", _coverage(f)),
                ("Attribution", f"{f.rule}; idle {f.idle}; every {_interval(f)}"),
                ("Profile set", tag("span", f.profile_set, class_="hash")),
            ]
        ),
    ]


def cards(figure_: Figure) -> Markup:
    """The three efficiencies, each with its unit and what it means."""
    return tag(
        "ul",
        _card(figure_, "tree_beq_per_j", "TREE", "beq_per_j", words.TREE_IS),
        _card(figure_, "ee_bit_per_j", "EE", "bit_per_j", words.EE_IS),
        _card(figure_, "ee_ran_bit_per_j", "EE_ran", "bit_per_j", words.EE_RAN_IS),
        class_="cards",
    )


def notes(evidence: Evidence) -> Markup:
    """What a reader of any figure must know first, from the ledger's header and the marks."""
    texts = [*evidence.meta.notes, *words.marks_sentences(evidence.figure)]
    if not texts:
        return Markup("")
    items = tag("ul", *(tag("li", linked(str(t))) for t in texts))
    return tag("aside", tag("h2", "Read this first"), items, class_="notes", aria_label="Notes")


def sections(findings: Findings) -> list[Section]:
    """What was found, in the order in which a reader asks."""
    e = findings.evidence
    return [
        Section(
            id="asymmetry",
            short="Services",
            title="What each service takes and brings",
            body=_services(findings),
        ),
        _drawn("power", "Power", "Power over time", findings.power, _power_caption(e)),
        _drawn("flow", "Energy flow", "Where the energy goes", findings.flow, _FLOW),
        Section(
            id="weight",
            short="Worth of a token",
            title="What a token must be worth",
            body=[
                paragraphs(*words.weight_sentences(findings.curve)),
                figure(findings.weight, _WEIGHT),
            ],
        ),
        _drawn(
            "lorenz", "Lorenz and Gini", "How unequally energy follows value",
            findings.lorenz, _LORENZ,
        ),
        Section(
            id="latency",
            short="Waiting times",
            title="Waiting times and punctuality",
            body=_waiting(e),
        ),
        Section(
            id="radio",
            short="Radio access",
            title="The radio access network by the standards",
            body=_radio(e),
        ),
        *learning.sections(e.learnt, learning.method_of(e.meta), findings.learning),
        Section(
            id="served",
            short="Served shares",
            title="How much of the offered work was served",
            body=[_REFUSING, to_html(listings.served(e))],
        ),
        Section(
            id="unattributed",
            short="Unattributed",
            title="Energy that no service answers for",
            body=_rest(e),
        ),
    ]  # fmt: skip


_REFUSING = (
    "Any efficiency can be raised by refusing work. Two designs are compared only if no service's "
    "served share differs by more than 0.01."
)
_SHARES = "Share of each service in the bits, the energy that services answer for, and the value."
_FLOW = (
    "From the components that draw the energy to the services that cause it. The width of a band "
    "is its share of all joules. Small parts are drawn together; italics: no service's own."
)
_WEIGHT = (
    "All else frozen, only the worth of the AI services' tokens changes. Above: TREE and plain "
    "bits per joule (EE). Below: the AI services' share of the value against their share of the "
    "energy. The worth in use is marked as stated."
)
_LORENZ = (
    "Services in the order of value per joule. On the dashed line energy would follow value "
    "exactly; the Gini coefficient is twice the hatched area."
)


def _drawn(id_: str, short: str, title: str, drawing: Drawing | Missing, caption: str) -> Section:
    return Section(id=id_, short=short, title=title, body=[figure(drawing, caption)])


def _services(findings: Findings) -> list[object]:
    e, f = findings.evidence, findings.evidence.figure
    return [
        figure(findings.shares, _SHARES),
        to_html(listings.asymmetry(e)),
        words.ASYMMETRY_NOTE,
        tag("ul", *(tag("li", words.marginal_sentence(s, f)) for s in f.services)),
        folded("Totals by service", to_html(listings.services(e))),
    ]


def _power_caption(evidence: Evidence) -> str:
    start = evidence.meta.t_zero
    since = f"t = 0 is {start}. " if start else ""
    window = numerals.quantity(evidence.window_s, "s")
    return (
        f"{since}Mean electrical power in windows of {window}, everything inside the boundary. "
        "Crossed spans have no energy data."
    )


def _waiting(evidence: Evidence) -> list[object]:
    table = listings.latency(evidence)
    waits: object = (
        to_html(table)
        if table.rows
        else "Waiting times are not known: the ledger has neither requests nor histograms."
    )
    late = "Late work costs its energy and earns nothing, unless a profile says otherwise."
    return [waits, to_html(listings.on_time(evidence)), late]


def _radio(evidence: Evidence) -> list[object]:
    if evidence.kpis is None or not evidence.kpis.cells:
        return ["The ledger has no rows of a radio access network."]
    totals, cells, flows, slices, throughput, delays = radio.tables(evidence.kpis)
    return [
        to_html(totals), radio.ABOUT,
        to_html(flows), to_html(slices) if slices.rows else "", radio.BY_VOLUME,
        to_html(throughput) if throughput.rows else "", radio.FROM_BUCKETS,
        folded("Cells", to_html(cells)),
        folded("Delays", to_html(delays)) if delays.rows else "",
    ]  # fmt: skip


def _rest(evidence: Evidence) -> list[object]:
    table = listings.unattributed(evidence)
    if not table.rows:
        return ["Every joule is attributed to a service."]
    total = numerals.quantity(evidence.figure.energy_j, "j")
    return [f"Of {total} inside the boundary:", to_html(table)]


def _card(figure_: Figure, field: str, name: str, unit: str, meaning: str) -> Markup:
    cell = listings.defined(figure_, field)
    if isinstance(cell, Missing):
        number, symbol, meaning = numerals.DASH, "", f"not defined: {cell.reason}"
    else:
        number, symbol = numerals.split_unit(float(cell or 0), unit)
    big = tag("span", number, "\u00a0", tag("span", symbol, class_="unit"), class_="big")
    return tag("li", tag("b", name), big, tag("span", meaning, class_="what"))


def _coverage(figure_: Figure) -> str:
    if figure_.coverage_frac is None:
        return numerals.DASH + " " + figure_.reasons.get("coverage_frac", "not recorded")
    window = numerals.quantity(figure_.t1_s - figure_.t0_s, "s")
    return f"{numerals.percent(figure_.coverage_frac)} of {window}"


def _interval(figure_: Figure) -> str:
    return numerals.quantity(figure_.attribution_interval_s, "s")


def all_tables(evidence: Evidence) -> list[Table]:
    """Every table of a report; empty ones too, so that their absence says nothing."""
    money = listings.money(evidence)
    makers = (
        listings.headline, listings.asymmetry, listings.services, listings.latency,
        listings.on_time, listings.served, listings.unattributed, listings.nodes,
        listings.profiles, listings.origins, listings.gaps, listings.sources,
    )  # fmt: skip
    kpis = [] if evidence.kpis is None else radio.tables(evidence.kpis)
    return [
        *(make(evidence) for make in makers), *kpis,
        *([money] if isinstance(money, Table) else []),
        *learning.tables(evidence.learnt, learning.method_of(evidence.meta)),
    ]  # fmt: skip
