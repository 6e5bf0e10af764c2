"""What a request asks: the query of an address as a view with weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tree6g.errors import LedgerError, nearest
from tree6g.serve.view import View

NUMBERS: Final = ("span_s", "t0_s", "t1_s", "window_s")
WORDS: Final = ("boundary", "rule", "idle")
MAPS: Final = ("weight", "alpha")
KNOWN: Final = NUMBERS + WORDS + MAPS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A view at given weights.

    Attributes:
        view: What to show.
        weights: Priority weight w by service, in place of the header's.
        alphas: Worth of a token by AI service, in place of the profile's.
    """

    view: View
    weights: Mapping[str, float] = dataclasses.field(default_factory=dict)
    alphas: Mapping[str, float] = dataclasses.field(default_factory=dict)


def ask_of(fields: Mapping[str, Sequence[str]]) -> Ask:
    """The question of an address's query.

    Args:
        fields: Values by name, as `urllib.parse.parse_qs` gives them.

    Raises:
        LedgerError: An unknown name, a number that is none, a word that no rule has.
    """
    for name in fields:
        if name not in KNOWN:
            raise LedgerError(
                f"expected a parameter of a view; got {name!r}. {nearest(name, KNOWN)}"
            )
    single = {name: _single(name, fields[name]) for name in fields if name not in MAPS}
    known: dict[str, Any] = {
        name: _number(name, text) if name in NUMBERS else text for name, text in single.items()
    }
    return Ask(
        view=View(**known),
        weights=_pairs("weight", fields.get("weight", ())),
        alphas=_pairs("alpha", fields.get("alpha", ())),
    )


def _single(name: str, values: Sequence[str]) -> str:
    if len(values) != 1:
        raise LedgerError(f"expected one value of '{name}'; got {len(values)}.")
    return values[0]


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise LedgerError(f"expected a finite number for '{name}'; got {text!r}.")
    return value


def _pairs(name: str, texts: Sequence[str]) -> dict[str, float]:
    pairs = {}
    for text in texts:
        service, sign, number = text.rpartition("=")
        if not sign or not service:
            raise LedgerError(f"expected {name}=SERVICE=NUMBER; got {text!r}.")
        pairs[service] = _number(f"{name} of {service}", number)
    return pairs
