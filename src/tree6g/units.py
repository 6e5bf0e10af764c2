"""SI floats inside, prefixed quantities only at the edge.

Every physical name in the package ends in one suffix that says its unit (`_w`, `_j_per_bit`).
People write `"3.5 GHz"` or `"0.4 kWh"`; `parse` turns that into the SI float of the suffix that the
name carries, and `show` writes it back for people. What `parse` cannot read is a ValueError: the
readers of files add entity, file and path to it and raise one of the errors of the package.
"""

from __future__ import annotations

import math
import re
from typing import Final

PREFIX: Final = {
    "f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0,
    "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
}  # fmt: skip
MICRO: Final = str.maketrans("\N{MICRO SIGN}\N{GREEK SMALL LETTER MU}", "uu")
MAX_TEXT: Final = 64  # longer texts are no quantities
BINARY: Final = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}

# suffix -> {symbol: (factor to SI, takes decimal prefixes)}
SYMBOLS: Final[dict[str, dict[str, tuple[float, bool]]]] = {
    "s": {"s": (1.0, True), "min": (60.0, False), "h": (3600.0, False), "d": (86400.0, False)},
    "m": {"m": (1.0, True)},
    "hz": {"Hz": (1.0, True)},
    "w": {"W": (1.0, True)},
    "j": {"J": (1.0, True), "Wh": (3600.0, True)},
    "bit": {"bit": (1.0, True), "b": (1.0, True), "B": (8.0, True), "byte": (8.0, True)},
    "byte": {"B": (1.0, True), "byte": (1.0, True)},
    "tok": {"tok": (1.0, True), "token": (1.0, True), "tokens": (1.0, False)},
    "flop": {"FLOP": (1.0, True)},
    "beq": {"bit-eq": (1.0, True)},
    "k": {"K": (1.0, True)},
    "kg": {"kg": (1.0, False), "g": (1e-3, True), "t": (1e3, False)},
    "kgco2e": {"kgCO2e": (1.0, False), "gCO2e": (1e-3, True), "tCO2e": (1e3, False)},
    "eur": {"EUR": (1.0, False), "€": (1.0, False)},
    "frac": {"%": (0.01, False), "": (1.0, False)},
    "db": {"dB": (1.0, False)},
    "dbm": {"dBm": (1.0, False)},
    "dbi": {"dBi": (1.0, False)},
    "deg": {"deg": (1.0, False), "°": (1.0, False)},
}
QUOTIENT: Final = {"bps": ("bit", "s"), "tps": ("tok", "s")}
SHORT: Final = {"bps": ("bit", "s"), "Bps": ("byte", "s")}  # "Mbps" as people write it
_NUMBER: Final = re.compile(r"^\s*([+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(.*?)\s*$")


def parse(text: str, suffix: str) -> float:
    """The SI value of a written quantity.

    Args:
        text: Number and unit, for instance `"100 MHz"`, `"0.4 kWh"`, `"15 nJ/bit"`, `"20 %"`.
        suffix: Unit suffix of the name that receives it: `"hz"`, `"j"`, `"j_per_bit"`, `"frac"`.

    Returns:
        The value in the SI unit of `suffix`.

    Raises:
        ValueError: No number, no unit, a unit of another dimension, or a number that is not finite.

    >>> parse("3.5 GHz", "hz")
    3500000000.0
    >>> parse("0.4 kWh", "j")
    1440000.0
    """
    match = _NUMBER.match(text) if len(text) <= MAX_TEXT else None
    if match is None and len(text) > MAX_TEXT:
        raise ValueError(f"expected {example(suffix)}; got a text of {len(text)} characters.")
    if match is None:
        raise ValueError(f"expected {example(suffix)}; got {text!r}. Write a number and its unit.")
    number, unit = float(match[1].replace("_", "")), match[2]
    factor = _factor(unit.translate(MICRO), suffix)
    if factor is None:
        what = f"the unit {unit!r}" if unit else "no unit"
        raise ValueError(f"expected {example(suffix)}; got {text!r} with {what}.")
    value = _scaled(number, factor)
    if not math.isfinite(value):
        raise ValueError(f"expected a finite quantity such as {example(suffix)}; got {text!r}.")
    return value


def show(value: float, suffix: str, digits: int = 3) -> str:
    """A quantity for people, with a decimal prefix: `show(3.5e9, "hz")` gives `'3.5 GHz'`."""
    symbol = symbol_of(suffix)
    if suffix == "s" and abs(value) >= 120.0:
        unit = max(u for u in ((60.0, "min"), (3600.0, "h"), (86400.0, "d")) if u[0] <= abs(value))
        return f"{value / unit[0]:.{digits}g} {unit[1]}"
    if not _takes_prefix(suffix) or value == 0 or not math.isfinite(value):
        return f"{value:.{digits}g} {symbol}".strip()
    rounded = float(f"{value:.{digits}g}")  # 999.9996 MHz is 1 GHz in three digits
    least = 1.0 if _is_counted(suffix) else 0.0
    scales = sorted((f, p) for p, f in PREFIX.items() if f >= least)
    factor, prefix = max((s for s in scales if s[0] <= abs(rounded)), default=scales[0])
    return f"{rounded / factor:.{digits}g} {prefix}{symbol}"


def example(suffix: str) -> str:
    """A quantity that would be accepted for `suffix`, for error texts."""
    prefix = {"hz": "G", "w": "k", "s": "m", "bps": "M", "bit": "M", "byte": "k"}.get(suffix, "")
    return f"a quantity such as '{'20 ' if suffix == 'frac' else '3.5 '}{prefix}{_sample(suffix)}'"


def symbol_of(suffix: str) -> str:
    """The written unit of a suffix: `"j_per_bit"` gives `'J/bit'`."""
    if suffix in QUOTIENT:
        return "/".join(symbol_of(part) for part in QUOTIENT[suffix])
    if "_per_" in suffix:
        return "/".join(symbol_of(part) for part in suffix.split("_per_", 1))
    return next(iter(SYMBOLS[suffix])) if suffix != "frac" else ""


def suffix_of(name: str) -> str | None:
    """The unit suffix that a name carries, or None: `"rate_bps"` gives `'bps'`."""
    known = {*SYMBOLS, *QUOTIENT}
    head, per, den = name.rpartition("_per_")
    if per and den in known:
        num = head.rpartition("_")[2]
        return f"{num}_per_{den}" if num in known and "_" in head else None
    stem, _, last = name.rpartition("_")
    return last if stem and last in known else None


def _scaled(number: float, factor: float) -> float:
    """The product, by division where the factor is 1/n: `5 us` is 5e-6 to the last bit."""
    inverse = 1.0 / factor
    whole = round(inverse)
    exact = whole > 1 and abs(inverse - whole) <= 1e-9 * whole
    return number / whole if exact else number * factor


def _sample(suffix: str) -> str:
    return "%" if suffix == "frac" else symbol_of(suffix)


def _takes_prefix(suffix: str) -> bool:
    first = QUOTIENT.get(suffix, (suffix.partition("_per_")[0],))[0]
    return next(iter(SYMBOLS[first].values()))[1]


def _is_counted(suffix: str) -> bool:
    """Whether the quantity is a number of things: there are no millitokens."""
    return QUOTIENT.get(suffix, (suffix.partition("_per_")[0],))[0] in {"bit", "byte", "beq", "tok"}


def _factor(unit: str, suffix: str) -> float | None:
    parts = QUOTIENT.get(suffix) or tuple(suffix.split("_per_", 1))
    if len(parts) == 1:
        return _single(unit, suffix)
    top, slash, bottom = unit.partition("/")
    if not slash:
        return _short(unit, parts)
    over, under = _single(top, parts[0]), _single(bottom, parts[1])
    return None if over is None or under is None else over / under


def _short(unit: str, parts: tuple[str, ...]) -> float | None:
    for tail, (top, bottom) in SHORT.items():
        if unit.endswith(tail) and parts[1] == bottom and unit[: -len(tail)] in PREFIX:
            per_bit = {"bit": 1.0, "byte": 8.0}
            if parts[0] in per_bit:
                return PREFIX[unit[: -len(tail)]] * per_bit[top] / per_bit[parts[0]]
    return None


def _single(unit: str, suffix: str) -> float | None:
    table = SYMBOLS.get(suffix, {})
    if unit in table:
        return table[unit][0]
    for symbol, (factor, prefixed) in table.items():
        if prefixed and symbol and unit.endswith(symbol):
            head = unit[: -len(symbol)]
            scale = PREFIX.get(head) or (BINARY.get(head) if suffix in {"bit", "byte"} else None)
            if scale is not None:
                return factor * scale
    return None
