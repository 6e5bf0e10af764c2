"""The page that lays frozen designs side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tree6g.calibrate.overlay import Overlay
from tree6g.ledger.meta import digest
from tree6g.ledger.reading import Ledger
from tree6g.metric.compare import SERVED_SHARE_LIMIT, Comparison
from tree6g.metric.delay import Delay
from tree6g.metric.figure import ServiceFigure
from tree6g.report import learning, listings, numerals
from tree6g.report import overlay as overlaid
from tree6g.report.canvas import Drawing
from tree6g.report.evidence import configuration
from tree6g.report.figures import designs
from tree6g.report.frame import Section, figure, page
from tree6g.report.markup import Markup, tag
from tree6g.report.tables import Cell, Column, Missing, Table, to_html
from tree6g.report.write import ReportFiles, write_files

_PAID = (
    "Energy can be saved by letting users wait. A packet's delay runs from its sender's buffer to "
    "its receiver over the radio access, sleep of the cell included; percentiles of packets are "
    "upper edges of the ledger's buckets."
)
_NOT_SAME = "Not the same service, so the designs are not ranked."


def write_comparison(
    ledgers: Mapping[str, Ledger],
    comparison: Comparison,
    out: Path,
    overlay: Overlay | None = None,
) -> ReportFiles:
    """Write the comparison of designs: `comparison.html` with its figures and tables.

    Args:
        ledgers: The designs' ledgers by name, for their hashes and notes.
        comparison: What `metric.compare.compare` says of them.
        out: Folder, made if absent.
        overlay: One of the two laid over the other, if that was asked for.

    Raises:
        LedgerError: The folder cannot be written.
    """
    stamp = _stamp(ledgers, comparison)
    services = list(dict.fromkeys(b.service for b in comparison.break_even))
    drawings = [
        designs.drawing(comparison, s, name=f"designs-{i + 1}", stamp=stamp)
        for i, s in enumerate(services)
    ]
    tables = [
        design_table(comparison), wait_table(comparison), served_table(comparison),
        *_weight_tables(comparison),
    ]  # fmt: skip
    sections = _sections(comparison, drawings, tables)
    if (taught := learning.compared(ledgers)).rows:
        sections.append(learning.comparison_section(taught))
        tables.append(taught)
    if overlay is not None:
        over = overlaid.drawings(overlay, stamp)
        sections.append(overlaid.section(overlay, over))
        drawings, tables = drawings + over, [*tables, overlaid.error_table(overlay)]
    html = page(
        title="tree6g: comparison of " + numerals.listing(list(comparison.figures)),
        header=_header(ledgers, comparison),
        sections=sections,
        footer=[stamp, "This page loads nothing from the web."],
    )
    return write_files(
        out, name="comparison.html", html=html, drawings=drawings, listed=tables, stamp=stamp
    )


def takeaway(comparison: Comparison) -> str:
    """The sentence that a lay reader takes away."""
    ee, tree = comparison.ee_order, comparison.tree_order
    if not comparison.same_service:
        return _NOT_SAME
    if ee is None or tree is None:
        return "The designs are not ranked."
    if ee[0] == tree[0]:
        return f"{ee[0]} is best both by bits per joule and by what a joule brings."
    return f"By bits per joule {ee[0]} is best; by what a joule brings, {tree[0]} is."


def weight_sentences(comparison: Comparison) -> list[str]:
    """Where the order of two designs turns, and where TREE and EE disagree."""
    said = []
    for b in comparison.break_even:
        pair = f"{b.a} and {b.b}"
        if b.alpha_bit_per_tok is None:
            winner = b.winner_above or "neither"
            always = f"Of {pair}, {winner} has the higher TREE whatever a token is worth."
            if always not in said:  # once per pair, not once per service
                said.append(always)
        else:
            said.append(
                f"Of {pair}, {b.winner_above} has the higher TREE if a token of {b.service} is "
                f"worth more than {numerals.rough(b.alpha_bit_per_tok, 4)} bit, the other below."
            )
    for a, b_, service, low, high in comparison.opposite:
        span = f"more than {numerals.rough(low, 4)}"
        if high is not None:
            span = (
                f"less than {numerals.rough(high, 4)}"
                if low == 0
                else f"from {low:,.4g} to {high:,.4g}"
            )
        said.append(
            f"TREE and EE rank {a} and {b_} in opposite order where a token of {service} is worth "
            f"{span} bit." if low or high else
            f"TREE and EE rank {a} and {b_} in opposite order whatever a token is worth."
        )  # fmt: skip
    return said


def energy_sentences(comparison: Comparison) -> list[str]:
    """What each design takes against the first one, in joules."""
    (first, base), *others = comparison.figures.items()
    said = []
    for name, other in others:
        saved_j = base.energy_j - other.energy_j
        amount = numerals.quantity(abs(saved_j), "j")
        more = "less" if saved_j >= 0.0 else "more"
        share = f" ({abs(saved_j) / base.energy_j:.1%})" if base.energy_j else ""
        said.append(f"{name} takes {amount}{share} {more} than {first}.")
    return said


def share_sentences(comparison: Comparison) -> list[str]:
    """On how many of the weights each design wins; a design that never does is left out."""
    return [
        f"{share.design} wins on {share.frac:.1%} of {share.low_bit_per_tok:g} to "
        f"{share.high_bit_per_tok:g} bit/token for {share.service} ({share.measure})."
        for share in comparison.weight_share
        if share.frac > 0.0
    ]


def design_table(comparison: Comparison) -> Table:
    """The designs side by side."""
    fields = (
        ("tree_beq_per_j", "TREE", "beq_per_j"),
        ("ee_bit_per_j", "EE", "bit_per_j"),
        ("ee_ran_bit_per_j", "EE_ran", "bit_per_j"),
        ("energy_j", "energy", "j"),
        ("utility_beq", "value", "beq"),
        ("bits_bit", "bits", "bit"),
    )
    rows = tuple(
        (name, *(listings.defined(f, field) for field, _, _ in fields),
         _rank(comparison.tree_order, name), _rank(comparison.ee_order, name))
        for name, f in comparison.figures.items()
    )  # fmt: skip
    digits = {k: _telling_digits([r[i] for r in rows]) for i, (k, _, _) in enumerate(fields, 1)}
    columns = (
        Column(key="design", head="design"),
        *(Column(key=k, head=h, unit=u, digits=digits[k]) for k, h, u in fields),
        Column(key="tree_rank", head="rank by TREE", unit=""),
        Column(key="ee_rank", head="rank by EE", unit=""),
    )
    return Table(name="designs", title="The designs side by side", columns=columns, rows=rows)


def _telling_digits(cells: list[Cell]) -> int:
    """Digits, three to six, with which designs that differ also look different."""
    values = {c for c in cells if isinstance(c, float)}
    enough = (n for n in range(3, 6) if len({f"{v:.{n}g}" for v in values}) == len(values))
    return next(enough, 6)


def served_table(comparison: Comparison) -> Table:
    """Served share of every service in every design, and how far they are apart."""
    figures = comparison.figures
    names = list(dict.fromkeys(s.name for f in figures.values() for s in f.services))
    rows = []
    for name in names:
        cells = [_served(f.services, name) for f in figures.values()]
        known = [c for c in cells if isinstance(c, float)]
        apart: Cell = Missing(reason="not known in every design")
        if len(known) == len(cells):
            apart = max(known) - min(known)
        same = "" if isinstance(apart, Missing) else _same(apart)
        rows.append((name, *cells, apart, same))
    columns = (
        Column(key="service", head="service"),
        *(Column(key=f"{d}_served_share_frac", head=d, unit="frac") for d in figures),
        Column(key="apart_frac", head="apart", unit=""),
        Column(key="same", head="same service"),
    )
    return Table(name="served", title="Served shares", columns=columns, rows=tuple(rows))


def wait_table(comparison: Comparison) -> Table:
    """The latency that each design makes its users pay, beside that of the first design.

    Packet delay of data services, time to first token of AI services.
    """
    first, figures = next(iter(comparison.figures)), comparison.figures
    rows = []
    for name in dict.fromkeys(s.name for f in figures.values() for s in f.services):
        own = {d: s for d, f in figures.items() for s in f.services if s.name == name}
        for design, service in own.items():
            what = "ttft" if service.kind == "ai" else "packet_delay"
            delay = comparison.waits(design, service)[what]
            base = comparison.waits(first, service)[what].mean_s if first in own else None
            more: Cell = Missing(reason="the mean is not known in both designs")
            if delay.mean_s is not None and base is not None:
                more = delay.mean_s - base
            points = (_point(delay, field) for field in ("mean_s", "p95_s"))
            rows.append((name, _WAIT[what], design, *points, more))
    columns = (
        Column(key="service", head="service"),
        Column(key="wait", head="wait for"),
        Column(key="design", head="design"),
        Column(key="mean_s", head="mean", unit="s"),
        Column(key="p95_s", head="95 % within", unit="s"),
        Column(key="more_s", head=f"mean over {first}", unit="s"),
    )
    return Table(name="waits", title="Latency paid", columns=columns, rows=tuple(rows))


_WAIT = {"ttft": "first token (TTFT)", "packet_delay": "packet on the air"}


def _point(delay: Delay, field: str) -> Cell:
    value = getattr(delay, field)
    return Missing(reason=delay.reasons[field]) if value is None else float(value)


def _same(apart: Cell) -> str:
    return "yes" if isinstance(apart, float) and apart <= SERVED_SHARE_LIMIT else "no"


def _served(services: tuple[ServiceFigure, ...], name: str) -> Cell:
    found = [s for s in services if s.name == name]
    if not found:
        return Missing(reason="the design has no such service")
    return listings.defined(found[0], "served_share_frac")


def _weight_tables(comparison: Comparison) -> list[Table]:
    no_turn = Missing(reason="the order never changes")
    turns = tuple(
        (b.service, b.a, b.b, no_turn if b.alpha_bit_per_tok is None else b.alpha_bit_per_tok,
         b.winner_above or "neither")
        for b in comparison.break_even
    )  # fmt: skip
    wins = tuple(
        (w.service, w.design, w.frac, w.measure, ", ".join(_span(s) for s in w.spans) or "nowhere")
        for w in comparison.weight_share
    )
    head = Column(key="service", head="service")
    return [
        Table(
            name="break_even",
            title="Where the order turns",
            columns=(
                head, Column(key="a", head="one"), Column(key="b", head="other"),
                Column(key="alpha_bit_per_tok", head="break-even (bit/token)", unit=""),
                Column(key="winner_above", head="higher TREE above"),
            ),
            rows=turns,
        ),
        Table(
            name="weight_share",
            title="On how much of 100 to 1,000,000 bit/token each design wins",
            columns=(
                head, Column(key="design", head="design"),
                Column(key="frac", head="share of weights", unit="frac"),
                Column(key="measure", head="measure"),
                Column(key="spans", head="range (bit/token)"),
            ),
            rows=wins,
        ),
    ]  # fmt: skip


def _span(span: tuple[float, float]) -> str:
    return f"{numerals.rough(span[0])} to {numerals.rough(span[1])}"


def _rank(order: tuple[str, ...] | None, name: str) -> Cell:
    if order is None:
        return Missing(reason="the designs are not ranked")
    return float(order.index(name) + 1)


def _header(ledgers: Mapping[str, Ledger], comparison: Comparison) -> list[object]:
    texts = [*comparison.reasons, *_notes(ledgers)]
    aside: object = Markup("")
    if texts:
        items = tag("ul", *(tag("li", t) for t in texts))
        aside = tag("aside", tag("h2", "Read this first"), items, class_="notes")
    orders = [("by TREE", comparison.tree_order), ("by EE", comparison.ee_order)]
    ranked = [f"{how}: {', '.join(order)}" for how, order in orders if order is not None]
    return [
        tag("p", "tree6g comparison", class_="kind"),
        tag("h1", numerals.listing(list(comparison.figures))),
        tag("p", takeaway(comparison), class_="takeaway"),
        tag("p", "Best first " + "; ".join(ranked) + ".", class_="lead") if ranked else "",
        tag("p", " ".join(energy_sentences(comparison)), class_="lead"),
        aside,
    ]


def _notes(ledgers: Mapping[str, Ledger]) -> list[str]:
    """Notes of the ledgers, once each; one that not all share says whose it is."""
    whose: dict[str, list[str]] = {}
    for name, ledger in ledgers.items():
        for note in ledger.meta.notes:
            whose.setdefault(str(note), []).append(name)
    everybody = list(ledgers)
    return [
        note if names == everybody else f"{numerals.listing(names)}: {note}"
        for note, names in whose.items()
    ]


def _sections(
    comparison: Comparison, drawings: list[Drawing], tables: list[Table]
) -> list[Section]:
    designs_, waits, served, turns, wins = tables
    caption = (
        "All else frozen, only the worth of this service's tokens changes. In the middle TREE over "
        "that of the first design; the strip below says which design has the highest."
    )
    rule = (
        "Designs are ranked only if no service's served share differs by more than "
        f"{SERVED_SHARE_LIMIT:g}: any efficiency can be raised by refusing work."
    )
    weights: list[object] = [tag("p", s) for s in weight_sentences(comparison)]
    if not comparison.same_service:
        weights.insert(0, "The designs do not serve the same; the lines only show the arithmetic.")
    weights += [figure(d, caption) for d in drawings]
    if drawings:
        weights += [to_html(turns), to_html(wins)]
    else:
        weights.append("The designs have no AI service, or no figures that can be compared.")
    return [
        Section(id="designs", short="Designs", title="The designs", body=[to_html(designs_)]),
        Section(id="waits", short="Latency paid", title="What each makes its users wait",
                body=[_PAID, to_html(waits)]),
        Section(id="served", short="Served shares", title="Do they serve the same?",
                body=[rule, to_html(served)]),
        Section(id="weights", short="Worth of a token", title="For which worth of a token",
                body=weights),
    ]  # fmt: skip


def _stamp(ledgers: Mapping[str, Ledger], comparison: Comparison) -> str:
    hashes = {name: configuration(ledger.meta) for name, ledger in ledgers.items()}
    first = next(iter(comparison.figures.values()))
    way = f"{first.boundary}, {first.rule}, {first.idle}, profiles {first.profile_set[:8]}"
    return f"tree6g \u00b7 comparison {digest(hashes)[:12]} \u00b7 {way}"
