"""Numbers as people read them; inside everything stays an SI float."""

from __future__ import annotations

from typing import Final

from tree6g import units

DASH: Final = "\u2013"
NBSP: Final = "\u00a0"
J_PER_WH: Final = 3600.0
J_PER_KWH: Final = 3.6e6


def percent(frac: float) -> str:
    """A share in percent that never rounds something to nothing, nor a part to the whole.

    >>> [percent(x).replace(NBSP, " ") for x in (0.0081, 0.61, 0.0004, 1e-6, 0.9999)]
    ['0.8 %', '61 %', '0.04 %', '<0.01 %', '>99.9 %']
    """
    value = 100.0 * frac
    if 0 < value < 0.01:
        return f"<0.01{NBSP}%"
    if 0 < value < 0.095:
        return f"{value:.2f}{NBSP}%"
    if 99.9 < value < 100:
        return f">99.9{NBSP}%"
    coarse = value in {0.0, 100.0} or 9.95 <= abs(value) < 99 or abs(value) > 100
    return f"{value:.0f}{NBSP}%" if coarse else f"{value:.1f}{NBSP}%"


def known_percent(frac: float | None) -> str:
    """A share in percent, or that nobody knows it.

    >>> known_percent(None)
    'unknown'
    """
    return "unknown" if frac is None else percent(frac)


def quantity(value: float, suffix: str, digits: int = 3) -> str:
    """A quantity with prefix and unit, held together: `quantity(75e3, "w")` gives `'75 kW'`."""
    if suffix == "frac":
        return percent(value)
    if suffix == "":
        return plain(value, digits)
    if suffix == "db":  # a thousandth is more than anyone can measure
        return f"<0.001{NBSP}dB" if 0 < value < 5e-4 else f"{value:.3f}{NBSP}dB"
    if suffix == "eur_per_kwh":
        return f"{plain(value, digits)}{NBSP}EUR/kWh"
    hours = suffix == "j" and abs(value) >= J_PER_WH
    # Rounded first, so that 999.7 W reads "1 kW" and not "1e+03 W".
    rounded = float(f"{value / J_PER_WH if hours else value:.{digits}g}")
    shown = units.show(rounded, suffix, digits).replace(" u", " \u00b5").replace(" ", NBSP)
    return shown.replace("J", "Wh") if hours else shown


def split_unit(value: float, suffix: str, digits: int = 3) -> tuple[str, str]:
    """Number and unit apart, for big figures: `('75', 'kbit-eq/J')`."""
    number, _, unit = quantity(value, suffix, digits).partition(NBSP)
    return number, unit


def plain(value: float, digits: int = 3) -> str:
    """A number without a unit, with thousands set apart and a sensible number of digits.

    >>> plain(19366.0), plain(0.1234567), plain(8571.43), plain(1.2e-7)
    ('19,366', '0.123', '8,571', '1.2e-07')
    """
    if value == 0:
        return "0"
    if abs(value) >= 10**digits and abs(value) < 1e12:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def rough(value: float, digits: int = 3) -> str:
    """A number of which only the first digits matter: `rough(8571.43)` gives `'8,570'`."""
    return plain(float(f"{value:.{digits}g}"))


def tick(value: float, _position: float = 0.0) -> str:
    """A round number at an axis, short: `tick(1e5)` gives `'100k'`."""
    return units.show(float(f"{value:.3g}"), "hz", 3).removesuffix("Hz").replace(" ", "")


def listing(words: list[str], last: str = "and") -> str:
    """Words as a list in a sentence: `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def shorten(text: str, length: int) -> str:
    """Text of at most `length` characters, with an ellipsis where something is left out."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "\u2026"
