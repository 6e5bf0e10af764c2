"""Pages of case studies: text with the numbers of the runs put in.

A page is Markdown with places in double braces:

    {{ designs.0.tree_beq_per_j | quantity beq_per_j }}     a number with prefix and unit
    {{ share_frac | percent }}, {{ alpha | number }}        a share, a plain number
    {{ ee_best }}                                           text as it is
    {{ table designs: design, tree_beq_per_j beq_per_j "TREE", llm.energy_share_frac frac "of J" }}
    {{ verdict }}                                           what EE and TREE say, in words
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g.report import numerals

Found = Mapping[str, Any]
PLACE: Final = re.compile(r"\{\{\s*(.+?)\s*\}\}", re.DOTALL)


def render(template: str, found: Found) -> str:
    """The page with every place filled.

    Raises:
        KeyError: A place asks for what the study did not find; the message is the place.
    """
    return PLACE.sub(lambda match: _fill(match[1], found), template)


def _fill(place: str, found: Found) -> str:
    if place.startswith("table "):
        return _table(place.removeprefix("table "), found)
    if place == "verdict" or place.startswith("verdict "):
        return verdict_text(pick(found, place.removeprefix("verdict").strip()))
    path, _, form = (part.strip() for part in place.partition("|"))
    return shown(pick(found, path), form)


def pick(found: Any, path: str) -> Any:
    """The value at a dotted path; numbers are places in a list. The whole for an empty path."""
    value = found
    for step in filter(None, path.split(".")):
        try:
            value = value[int(step)] if isinstance(value, list) else value[step]
        except (KeyError, IndexError, TypeError, ValueError) as why:
            raise KeyError(f"the page asks for '{path}': the study has no '{step}' there") from why
    return value


def shown(value: Any, form: str) -> str:
    """A value as people read it."""
    if value is None:
        return numerals.DASH
    if isinstance(value, str) or not form:
        return str(value)
    name, _, unit = form.partition(" ")
    if name == "percent":
        return numerals.percent(float(value))
    if name == "number":
        return numerals.plain(float(value))
    if name == "quantity":
        return numerals.quantity(float(value), unit)
    raise KeyError(f"unknown form '{form}': expected percent, number or quantity UNIT")


def _table(text: str, found: Found) -> str:
    path, _, rest = text.partition(":")
    columns = [_column(part) for part in rest.split(",")]
    heads = [head for _, _, head in columns]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(columns) + "|"]
    for row in pick(found, path.strip()):
        cells = [_cell(row, key, unit) for key, unit, _ in columns]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _column(part: str) -> tuple[str, str | None, str]:
    """Key, unit (None for text, `-` for a plain number) and head of a column."""
    words = shlex.split(part)
    unit = words[1] if len(words) > 2 else None
    return words[0], "" if unit == "-" else unit, words[-1]


def _cell(row: Any, key: str, unit: str | None) -> str:
    try:
        value = pick(row, key)
    except KeyError:
        return numerals.DASH
    if unit is None or value is None or isinstance(value, str):
        return shown(value, "")
    return numerals.quantity(float(value), unit)


def verdict_text(found: Found) -> str:
    """What EE and TREE say of the designs of a study, and for which weights they differ."""
    ee, tree = found["ee_best"], found["tree_best"]
    lines = [f"- **Best by EE:** {ee}.", f"- **Best by TREE:** {tree}, at the stated weights."]
    for service, turn in found["turns"].items():
        lines.append(f"- **Worth of a token of `{service}`:** {_turn(turn, ee)}")
    lines.append(f"- **Same service:** {_same(found)}")
    return "\n".join(lines)


def _turn(turn: Found, ee: str) -> str:
    stated = f" Stated: {numerals.plain(turn['alpha_bit_per_tok'])} bit/token."
    differs = turn["differs_bit_per_tok"]
    if not differs:
        return f"TREE ranks {ee} first as EE does, from 100 to 1,000,000 bit/token.{stated}"
    spans = numerals.listing([_span(low, high) for low, high in differs])
    winners = "; ".join(
        f"{design} wins {numerals.listing([_span(*span) for span in own])}"
        for design, own in turn["spans"].items()
        if own
    )
    return f"TREE's best is another than EE's {spans} bit/token ({winners}).{stated}"


def _span(low: float, high: float) -> str:
    return f"from {numerals.plain(low)} to {numerals.plain(high)}"


def _same(found: Found) -> str:
    if found["same_service"] and not found["reasons"]:
        return "yes, every design serves every service to the same share (within 0.01)."
    why: Sequence[str] = [each.removeprefix("not the same service: ") for each in found["reasons"]]
    return f"no, so `tree6g compare` does not rank them: {'; '.join(why)}."
