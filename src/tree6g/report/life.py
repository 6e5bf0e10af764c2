"""The life of a service in words and tables: shares of a served token, N*, TREE over life."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tree6g.compute.model import counts
from tree6g.errors import DataError
from tree6g.lifecycle import ecologits, grid
from tree6g.lifecycle.energy import water_l
from tree6g.lifecycle.ranges import Estimate, Range, sums
from tree6g.lifecycle.service import PARTS, Held, Life, Use, life
from tree6g.report import numerals
from tree6g.report.figures import life as figure
from tree6g.report.life_use import Assumptions, Found
from tree6g.report.tables import Cell, Column, Missing, Table
from tree6g.report.write import write_figures
from tree6g.scenario.model_config import architecture
from tree6g.scenario.variants import model_of
from tree6g.version import __version__

_PUE: Final = 1.2
_NO_JOULES: Final = Missing(reason="making hardware took no electricity of this network")
_NO_RANGE: Final = Missing(reason="no range: stated so, or not known, see the notes")
_UNKNOWN: Final = Missing(reason="not known: see the notes")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A service with its figures and what was assumed."""

    found: Found
    life: Life
    assumed: Assumptions


def tell(found: Found, assumed: Assumptions) -> Told:
    """The figures of a service."""
    return Told(found=found, life=life(found.use), assumed=assumed)


def parts(told: Told) -> Table:
    """A row per part of a served token: joules and carbon with shares and intervals."""
    unit = told.found.unit
    rows = tuple(_row(told.life, part) for part in PARTS)
    total = ("all", told.life.total_j_per_tok.value, _interval(told.life.total_j_per_tok, "j"),
             None, _grams(told.life.total_kgco2e_per_tok), None)  # fmt: skip
    columns = (
        Column(key="part", head="part"),
        Column(key="j_per_tok", head=f"J per {unit}", unit="j"),
        Column(key="interval", head="95 % interval"),
        Column(key="energy_share", head="of the joules"),
        Column(key="carbon", head=f"gCO2e per 1,000 {unit}s"),
        Column(key="carbon_share", head="of the carbon"),
    )
    title = f"{'An' if unit == 'image' else 'A'} {unit} of {told.found.use.name} over its life"
    return Table(name="life", title=title, columns=columns, rows=(*rows, total))


def _row(of: Life, part: str) -> tuple[Cell, ...]:
    joules, carbon = of.j_per_tok.get(part), of.kgco2e_per_tok.get(part)
    no_joules = _NO_JOULES if part == "embodied" else _UNKNOWN
    return (
        part,
        no_joules if joules is None else joules.value,
        no_joules if joules is None else _interval(joules, "j"),
        no_joules if joules is None else _shares(of.energy_share_frac[part]),
        _UNKNOWN if carbon is None else _grams(carbon),
        _UNKNOWN if carbon is None else _shares(of.carbon_share_frac[part]),
    )


def _grams(per_tok: Estimate | Range) -> str:
    """Grams of 1,000 tokens with their interval."""
    value, low, high = (numerals.plain(1e6 * v) for v in dataclasses.astuple(per_tok))
    return f"{value} ({low} to {high})"


def _shares(share: Estimate) -> str:
    value, low, high = (numerals.percent(v) for v in dataclasses.astuple(share))
    return f"{value} ({low} to {high})"


def _interval(found: Estimate, unit: str) -> Cell:
    if found.low == found.high:
        return _NO_RANGE
    return f"{numerals.quantity(found.low, unit)} to {numerals.quantity(found.high, unit)}"


def making(told: Told) -> Table | None:
    """A row per kind of hardware held: how much of it, and its carbon; None where none is known."""
    use = told.found.use
    if not use.held:
        return None
    kinds = dict.fromkeys(one.made.item for one in use.held)
    rows = [_made(item, [one for one in use.held if one.made.item == item], use) for item in kinds]
    columns = (
        Column(key="item", head="hardware"),
        Column(key="held", head="held on average", unit=""),
        Column(key="lifetime_s", head="lifetime", unit="s"),
        Column(key="carbon", head=f"gCO2e per 1,000 {told.found.unit}s"),
    )
    return Table(name="making", title="Making hardware", columns=columns, rows=tuple(rows))


def _made(item: str, held: Sequence[Held], use: Use) -> tuple[Cell, ...]:
    """Pieces of one kind; their ends are added, for one source is off everywhere alike."""
    grams = sums([one.kgco2e(use.time_s) for one in held]).scaled(1.0 / use.tokens)
    count = math.fsum(one.count * one.share_frac for one in held)
    return (item, count, held[0].made.lifetime_s, _grams(grams))


def sentences(told: Told) -> Sequence[str]:
    """N*, N_life, TREE over life, SCI, and EcoLogits' figure, in plain words."""
    of, unit, lines = told.life, told.found.unit, []
    if of.break_even_tok is not None and of.life_tok is not None:
        lines.append(
            f"N* = {_count(of.break_even_tok)} {unit}s: after as many, training has added less per "
            f"{unit} than inference."
        )
        lines += _even_with_upkeep(told)
        multiple = "assumed as 4 (1.5 to 10) times N*"
        if told.found.use.updates or told.found.use.prepared:
            multiple += " of training alone"
        chosen = "stated" if told.found.use.life_tok else multiple
        lines.append(
            f"Training is spread over N_life = {_count(of.life_tok)} {unit}s, {chosen}: nobody "
            f"publishes how many {unit}s a model serves. State yours with --life-tokens."
        )
    lines += _updates(told)
    lines += _worth(of)
    lines.append(
        f"SCI (ISO/IEC 21031): {_in_grams(of.sci_kgco2e_per_ktok)} per 1,000 {unit}s, use and "
        "embodied, without training."
    )
    water = _water(told)
    if water is not None:
        value, low, high = (f"{1e6 * v:.3g}" for v in dataclasses.astuple(water))
        lines.append(f"Water: {value} mL ({low} to {high}) per 1,000 {unit}s.")
    return [*lines, *_compared(told)]


def _even_with_upkeep(told: Told) -> list[str]:
    """N* with updates and data, or that there is none."""
    of, unit = told.life, told.found.unit
    if "updates" not in of.j_per_tok and "data" not in of.j_per_tok:
        return []
    found = of.break_even_upkeep_tok
    if found is None:
        said = "With updates there is no such number: they take, or within their range may take, as"
        return [f"{said} much per {unit} as inference, however many {unit}s are served."]
    return [f"With updates and data as stated it is {_count(found)} {unit}s."]


def _updates(told: Told) -> list[str]:
    """How often, at what energy, and which tokens pay."""
    unit, own = told.found.unit, told.assumed.updates
    whose = "of this service alone, at its rate here" if own and own.tok_per_year is None else ""
    return [
        f"Updates of {one.model}: {one.per_year:g} a year of "
        f"{_ranged(one.energy_j, 'j')} each, spread over {one.tok_per_year:.2g} {unit}s a "
        f"year, {whose or 'as stated'}."
        for one in told.found.use.updates
    ]


def _ranged(found: Range | Estimate, unit: str) -> str:
    """A value with its range, where it has one."""
    value, low, high = (numerals.quantity(v, unit) for v in dataclasses.astuple(found))
    return value if found.low == found.high else f"{value} ({low} to {high})"


def _worth(of: Life) -> list[str]:
    if of.tree_beq_per_j is None or of.tree_beq_per_kgco2e is None:
        return ["TREE over life is not known: the utility of the service is not."]
    shown = [f"TREE in use {_ranged(of.tree_beq_per_j, 'beq_per_j')}"]
    if of.tree_life_beq_per_j is not None:
        shown.append(f"over its life {_ranged(of.tree_life_beq_per_j, 'beq_per_j')}")
    return [f"{', '.join(shown)}; {_ranged(of.tree_beq_per_kgco2e, 'beq')} per kgCO2e."]


def _compared(told: Told) -> list[str]:
    """What EcoLogits' method says of the model that made most of the tokens."""
    models, tokens = told.found.models, told.found.output_tok
    if not models or tokens is None:
        return []
    name = max(models, key=models.__getitem__)
    try:
        parameters = counts.parameters(architecture(model_of(name)))
    except DataError:
        return []
    theirs = ecologits.request(
        parameters.total,
        parameters.active,
        tokens,
        kgco2e_per_j=told.found.use.kgco2e_per_j.value,
        pue=_PUE,
    )
    per_tok = numerals.quantity(theirs.energy_j / tokens, "j")
    said = f"EcoLogits' method for {name}: {per_tok} per output token"
    return [f"{said} (H100, 64 together, no prompts, no network, no idle time)."]


def _water(told: Told) -> Estimate | None:
    """Litres per token, off as the joules are; None where water is not stated."""
    on, off = told.assumed.on_site_l_per_kwh, told.assumed.off_site_l_per_kwh
    if on is None or off is None:
        return None
    use = told.found.use
    drawn_j = use.inference_j.value + use.network_j.value
    equipment_j = drawn_j - told.found.overhead_j
    per_j = water_l(equipment_j, drawn_j / equipment_j, on, off) / drawn_j
    value, low, high = (per_j * v for v in dataclasses.astuple(told.life.use_j_per_tok))
    return Estimate(value=value, low=low, high=high)


def notes(told: Told) -> Sequence[str]:
    """What the figures rest on and what is left out."""
    use = told.found.use
    row = grid.grid_of(told.assumed.place)
    hours = told.assumed.hours_kgco2e_per_j is not None
    where = "hours as given" if hours else f"yearly mean of {row}, 26 % each way"
    grams = 3.6e9 * use.kgco2e_per_j.value
    made = dict.fromkeys(f"{h.made.item}: {h.made.source}" for h in use.held)
    missing = [] if _water(told) is not None else ["water is not known: state --wue-on, --wue-off"]
    return (
        f"electricity {numerals.plain(grams)} gCO2e/kWh: {where}",
        *(f"training of {one.model}: {one.source}" for one in use.trained),
        *(f"updates of {one.model}: {one.source}" for one in use.updates),
        *([f"data pipeline: {use.prepared.source}"] if use.prepared else []),
        *made,
        *told.found.problems,
        *missing,
        "intervals: Monte Carlo of 4,001 draws over the ranges of the inputs",
    )


def to_dict(told: Told) -> dict[str, Any]:
    """Everything for programs."""
    use = told.found.use
    return {
        "service": use.name,
        "unit": told.found.unit,
        "time_s": use.time_s,
        "tokens_out_tok": use.tokens,
        "models": dict(told.found.models),
        "parts": [
            {
                "name": part,
                "j_per_tok": _plain(told.life.j_per_tok.get(part)),
                "kgco2e_per_tok": _plain(told.life.kgco2e_per_tok.get(part)),
                "energy_share_frac": _plain(told.life.energy_share_frac.get(part)),
                "carbon_share_frac": _plain(told.life.carbon_share_frac.get(part)),
            }
            for part in PARTS
        ],
        **{
            field.name: _plain(getattr(told.life, field.name))
            for field in dataclasses.fields(told.life)
            if field.name.startswith(("use_", "total_", "break_", "life_", "tree_", "sci_"))
        },
        "updates": [dataclasses.asdict(one) for one in use.updates],
        "data": None if use.prepared is None else dataclasses.asdict(use.prepared),
        "kgco2e_per_j": dataclasses.asdict(use.kgco2e_per_j),
        "water_l_per_tok": _plain(_water(told)),
        "held": [
            {
                "node": held.node,
                "item": held.made.item,
                "count": held.count,
                "share_frac": held.share_frac,
                "kgco2e": dataclasses.asdict(held.kgco2e(use.time_s)),
                "primary_energy_j": None
                if held.made.primary_energy_j is None
                else dataclasses.asdict(held.made.primary_energy_j.scaled(held.count)),
            }
            for held in use.held
        ],
        "notes": [*notes(told)],
    }


def write(told: Sequence[Told], out: Path) -> Path:
    """Write the figure of each service (PNG, SVG, CSV) into `out`/figures; returns that folder.

    Raises:
        LedgerError: The folder cannot be written.
    """
    drawn = [
        dataclasses.replace(made, name=f"life-{one.found.use.name}")
        for one in told
        for made in [
            figure.drawing(one.life, one.found.use.name, f"tree6g {__version__} lifecycle")
        ]
    ]
    return write_figures(out, drawn)


def _plain(found: Estimate | None) -> dict[str, float] | None:
    return None if found is None else dataclasses.asdict(found)


def _count(found: Estimate) -> str:
    return f"{found.value:.2g} ({found.low:.2g} to {found.high:.2g})"


def _in_grams(found: Estimate) -> str:
    """Grams with their interval."""
    value, low, high = (numerals.plain(1e3 * v) for v in dataclasses.astuple(found))
    return f"{value} g ({low} g to {high} g)"
