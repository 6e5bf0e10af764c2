"""The cells of a study: in which "under 2 % of the bits, over 30 % of the energy" holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from tree6g.errors import LedgerError
from tree6g.report import numerals
from tree6g.report.words import AT_LEAST_ENERGY, AT_MOST_BITS

KEYS = ("requests_per_user_hour", "rule", "idle", "service", "kind")
SHARES = ("bit_share_frac", "energy_share_frac", "utility_share_frac")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The AI services of one cell of a study taken together.

    Attributes:
        requests_per_user_hour: Load.
        rule: Attribution rule.
        idle: Idle rule.
        bit_share_frac: Their share of the bits, None if undefined.
        energy_share_frac: Their share of the attributed energy, None if undefined.
        utility_share_frac: Their share of the utility, None if undefined.
    """

    requests_per_user_hour: float
    rule: str
    idle: str
    bit_share_frac: float | None
    energy_share_frac: float | None
    utility_share_frac: float | None

    @property
    def holds(self) -> bool | None:
        """Whether under 2 % of the bits go with over 30 % of the energy; None if not known."""
        if self.bit_share_frac is None or self.energy_share_frac is None:
            return None
        return self.bit_share_frac < AT_MOST_BITS and self.energy_share_frac > AT_LEAST_ENERGY


def ai_cases(cells: Sequence[Mapping[str, Any]]) -> list[Case]:
    """The AI services of each cell together, by load, rule and idle rule.

    Raises:
        LedgerError: No rows, or a row without one of the keys.
    """
    if not cells:
        raise LedgerError("expected at least one cell of a study; got none.")
    groups: dict[tuple[float, str, str], list[Mapping[str, Any]]] = {}
    for number, cell in enumerate(cells):
        missing = [k for k in (*KEYS, *SHARES) if k not in cell]
        if missing:
            raise LedgerError(
                f"cell {number} of a study has no '{missing[0]}'; got {sorted(cell)}."
            )
        key = (float(cell["requests_per_user_hour"]), str(cell["rule"]), str(cell["idle"]))
        groups.setdefault(key, [])
        if cell["kind"] == "ai":
            groups[key].append(cell)
    return [_case(key, rows) for key, rows in groups.items()]


def takeaway(cases: Sequence[Case]) -> str:
    """In how many cells the statement holds."""
    known = [c for c in cases if c.holds is not None]
    held = sum(1 for c in known if c.holds)
    start = "\u201cUnder 2 % of the bits, over 30 % of the energy\u201d"
    if not known:
        return f"{start}: no cell has the shares to say."
    if held == len(known):
        return f"{start} holds for AI in all {held} cells studied."
    if held == 0:
        return f"{start} holds for AI in none of the {len(known)} cells studied."
    return f"{start} holds for AI in {held} of {len(known)} cells studied."


def statements(cases: Sequence[Case]) -> list[str]:
    """At which loads the statement holds and at which not, rules with one outcome together."""
    rules: dict[str, list[str]] = {}
    combinations = list(dict.fromkeys((c.rule, c.idle) for c in cases))
    for rule, idle in combinations:
        outcome = _outcome([c for c in cases if (c.rule, c.idle) == (rule, idle)])
        rules.setdefault(outcome, []).append(f"{rule} (idle {idle})")
    if len(rules) == 1 < len(combinations):
        return [f"Under every rule studied: {next(iter(rules))}."]
    return [f"Under {numerals.listing(names)}: {said}." for said, names in rules.items()]


def _outcome(cases: Sequence[Case]) -> str:
    loads = (
        ("holds", [c for c in cases if c.holds]),
        ("does not hold", [c for c in cases if c.holds is False]),
        ("is not known", [c for c in cases if c.holds is None]),
    )
    return numerals.listing([f"{verb} at {_loads(own)}" for verb, own in loads if own])


def _case(key: tuple[float, str, str], rows: Sequence[Mapping[str, Any]]) -> Case:
    load, rule, idle = key
    bits, energy, value = (_sum(rows, k) for k in SHARES)
    return Case(
        requests_per_user_hour=load,
        rule=rule,
        idle=idle,
        bit_share_frac=bits,
        energy_share_frac=energy,
        utility_share_frac=value,
    )


def _sum(rows: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [r[key] for r in rows]
    return None if not values or None in values else float(sum(values))


def _loads(cases: Sequence[Case]) -> str:
    loads = [numerals.plain(c.requests_per_user_hour) for c in cases]
    return f"{numerals.listing(loads)} requests per user and hour"
