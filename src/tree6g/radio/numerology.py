"""The time and frequency grid of NR: subcarrier spacings, resource blocks, duplex patterns.

Covered: normal cyclic prefix, 15 to 120 kHz, FR1 and FR2-1. Not covered: extended cyclic prefix,
480 and 960 kHz (FR2-2), and slots whose format is changed by downlink control (TS 38.213 11.1.1).
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray

Direction = Literal["downlink", "uplink"]
SYMBOLS_PER_SLOT: Final = 14  # TS 38.211 Table 4.3.2-1, normal cyclic prefix
SUBCARRIERS_PER_PRB: Final = 12  # TS 38.211 clause 4.4.4.1
FR2_FROM_HZ: Final = 24.25e9  # TS 38.101-2 Table 5.1-1
PARTS_PER_DIRECTION: Final = 4  # TS 38.211 clause 4.4.5: bandwidth parts that a terminal may have
# Resource blocks by channel bandwidth in MHz: TS 38.104 Tables 5.3.2-1 and 5.3.2-2 (the same as
# TS 38.101-1 Table 5.3.2-1 and TS 38.101-2 Table 5.3.2-1), read in public code that quotes them.
_FR1_MHZ: Final = (5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90, 100)
_FR1: Final = {
    15e3: (25, 52, 79, 106, 133, 160, 188, 216, 242, 270, 0, 0, 0, 0, 0),
    30e3: (11, 24, 38, 51, 65, 78, 92, 106, 119, 133, 162, 189, 217, 245, 273),
    60e3: (0, 11, 18, 24, 31, 38, 44, 51, 58, 65, 79, 93, 107, 121, 135),
}
_FR2_MHZ: Final = (50, 100, 200, 400)
_FR2: Final = {60e3: (66, 132, 264, 0), 120e3: (32, 66, 132, 264)}
# Largest part of the channel that resource blocks fill: 273 x 360 kHz of 100 MHz.
WIDEST_FILL_FRAC: Final = 0.9828


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Numerology:
    """A subcarrier spacing, 15 kHz times 2^mu (TS 38.211 clause 4.2)."""

    subcarrier_hz: float

    @property
    def mu(self) -> int:
        """Exponent of the spacing."""
        return round(math.log2(self.subcarrier_hz / 15e3))

    @property
    def slot_s(self) -> float:
        """Time of 14 symbols, 1 ms / 2^mu."""
        return 1e-3 * 15e3 / self.subcarrier_hz

    @property
    def symbol_s(self) -> float:
        """Time of a symbol with its cyclic prefix, averaged over the slot."""
        return self.slot_s / SYMBOLS_PER_SLOT

    @property
    def prb_hz(self) -> float:
        """Width of a physical resource block."""
        return SUBCARRIERS_PER_PRB * self.subcarrier_hz


def numerology(subcarrier_hz: float) -> Numerology:
    """The numerology of a subcarrier spacing.

    Raises:
        DataError: Not 15, 30, 60 or 120 kHz.
    """
    if subcarrier_hz not in (15e3, 30e3, 60e3, 120e3):
        raise DataError(
            f"expected a subcarrier spacing of 15, 30, 60 or 120 kHz; got {subcarrier_hz:g} Hz. "
            "Other spacings of NR are not covered."
        )
    return Numerology(subcarrier_hz=subcarrier_hz)


def prb_count(
    bandwidth_hz: float, subcarrier_hz: float, *, frequency_hz: float = 3.5e9, strict: bool = True
) -> int:
    """Physical resource blocks of a channel (TS 38.104 Tables 5.3.2-1 and 5.3.2-2).

    Args:
        bandwidth_hz: Channel bandwidth with its guard bands.
        subcarrier_hz: Subcarrier spacing.
        frequency_hz: Carrier frequency: the table of FR2 holds from 24.25 GHz. There is no table
            between 7.125 and 24.25 GHz; that of FR1 is used.
        strict: Refuse channels that the tables lack. Otherwise they get the blocks that fit into
            the filled part of the next narrower channel of the table (of the narrowest, of 100 MHz
            at 30 kHz), which is a guess at what a later release may say.

    Raises:
        DataError: The tables have no such channel, or not even one block fits.
    """
    high = frequency_hz >= FR2_FROM_HZ
    widths, table = (_FR2_MHZ, _FR2) if high else (_FR1_MHZ, _FR1)
    counts = table.get(subcarrier_hz, (0,) * len(widths))
    known = {1e6 * mhz: n for mhz, n in zip(widths, counts, strict=True) if n}
    if bandwidth_hz in known:
        return known[bandwidth_hz]
    prb_hz = numerology(subcarrier_hz).prb_hz
    guess = _blocks_that_fit(bandwidth_hz, prb_hz, known) if math.isfinite(bandwidth_hz) else 0
    if strict or guess < 1:
        listed = ", ".join(f"{w / 1e6:g}" for w in known) or "none"
        raise DataError(
            f"expected a channel bandwidth of TS 38.104 for {subcarrier_hz / 1e3:g} kHz in "
            f"{'FR2' if high else 'FR1'} ({listed} MHz); got {bandwidth_hz / 1e6:g} MHz. "
            "Choose one of these or another subcarrier spacing."
        )
    return guess


def _blocks_that_fit(bandwidth_hz: float, prb_hz: float, known: dict[float, int]) -> int:
    narrower = [w for w in known if w < bandwidth_hz]
    fill = known[max(narrower)] * prb_hz / max(narrower) if narrower else WIDEST_FILL_FRAC
    return math.floor(bandwidth_hz * fill / prb_hz)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthPart:
    """Contiguous resource blocks of one numerology (TS 38.211 clause 4.4.5).

    Attributes:
        numerology: Spacing and slot of this part; parts of a carrier may differ.
        first_prb: First block, counted from the lowest of the carrier at this spacing.
        prbs: Number of blocks.
    """

    numerology: Numerology
    first_prb: int
    prbs: int

    @property
    def bandwidth_hz(self) -> float:
        """Width of the blocks, without guard bands."""
        return self.prbs * self.numerology.prb_hz

    def mask(self, carrier_prbs: int) -> npt.NDArray[np.bool_]:
        """Which blocks of the carrier belong to this part. [prb]."""
        block = np.arange(carrier_prbs)
        return (block >= self.first_prb) & (block < self.first_prb + self.prbs)


def bandwidth_part(
    first_prb: int, prbs: int, *, bandwidth_hz: float, subcarrier_hz: float, frequency_hz: float
) -> BandwidthPart:
    """A bandwidth part that lies within a carrier.

    Raises:
        DataError: It does not lie within the blocks of the carrier.
    """
    blocks = prb_count(bandwidth_hz, subcarrier_hz, frequency_hz=frequency_hz, strict=False)
    if prbs < 1 or first_prb < 0 or first_prb + prbs > blocks:
        raise DataError(
            f"expected a bandwidth part within the carrier's blocks 0 to {blocks - 1}; got "
            f"{prbs} blocks from block {first_prb}. Move or narrow it."
        )
    return BandwidthPart(numerology=numerology(subcarrier_hz), first_prb=first_prb, prbs=prbs)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SlotPattern:
    """Which symbols of a repeating run of slots go down and up.

    Attributes:
        downlink_symbols: Symbols from the start of each slot that go down. [slot]
        uplink_symbols: Symbols at the end of each slot that go up. [slot]
        paired: Both directions at once on bands of their own (FDD).
    """

    downlink_symbols: tuple[int, ...]
    uplink_symbols: tuple[int, ...]
    paired: bool = False

    @property
    def slots(self) -> int:
        """Slots until the pattern repeats."""
        return len(self.downlink_symbols)

    @property
    def downlink_frac(self) -> float:
        """Share of symbols that go down."""
        return sum(self.downlink_symbols) / (SYMBOLS_PER_SLOT * self.slots)

    @property
    def uplink_frac(self) -> float:
        """Share of symbols that go up."""
        return sum(self.uplink_symbols) / (SYMBOLS_PER_SLOT * self.slots)

    def symbols(self, direction: Direction) -> npt.NDArray[np.intp]:
        """Symbols per slot in a direction. [slot]."""
        down = direction == "downlink"
        return np.array(self.downlink_symbols if down else self.uplink_symbols, dtype=np.intp)

    def symbol_map(self) -> npt.NDArray[np.int8]:
        """Each symbol: 1 down, -1 up, 0 neither; for a pair of bands, that of downlink.

        [slot, symbol]
        """
        symbol = np.arange(SYMBOLS_PER_SLOT)
        down = symbol < self.symbols("downlink")[:, None]
        up = symbol >= SYMBOLS_PER_SLOT - self.symbols("uplink")[:, None]
        return np.where(down, 1, np.where(up, -1, 0)).astype(np.int8)

    def share_frac(self, direction: Direction, first_slot: int, slots: int) -> FloatArray:
        """Share of each of a run of slots that a direction has. [slot]."""
        run = np.arange(first_slot, first_slot + slots) % self.slots
        return self.symbols(direction)[run] / SYMBOLS_PER_SLOT


FDD: Final = SlotPattern(downlink_symbols=(14,), uplink_symbols=(14,), paired=True)


def slot_pattern(letters: str, *, special: tuple[int, int, int] = (10, 2, 2)) -> SlotPattern:
    """A pattern from letters: `D` down, `U` up, `S` special; `FDD` for a pair of bands.

    `DDDSU` at 30 kHz repeats every 2.5 ms; 10:2:2 is the usual special slot (typical).

    Args:
        letters: One letter per slot, such as `DDDSU`, `DSUUU` or `DDDDDDDSUU`.
        special: Symbols down, guard and up of a special slot, 14 in all.

    Raises:
        DataError: Other letters, no slots, or a special slot that does not hold 14 symbols.
    """
    if letters.upper() == "FDD":
        return FDD
    if not re.fullmatch("[DSU]+", letters.upper()):
        raise DataError(
            f"expected slots D, S and U such as DDDSU, or FDD; got {letters!r}. One letter a slot."
        )
    if sum(special) != SYMBOLS_PER_SLOT or min(special) < 0:
        raise DataError(
            f"expected a special slot of {SYMBOLS_PER_SLOT} symbols (down, guard, up); got "
            f"{special}. Make them add up."
        )
    kinds = {"D": (SYMBOLS_PER_SLOT, 0), "U": (0, SYMBOLS_PER_SLOT), "S": (special[0], special[2])}
    slots = [kinds[letter] for letter in letters.upper()]
    return SlotPattern(
        downlink_symbols=tuple(down for down, _ in slots),
        uplink_symbols=tuple(up for _, up in slots),
    )


def common_pattern(
    period_slots: int,
    *,
    downlink: tuple[int, int],
    uplink: tuple[int, int],
) -> SlotPattern:
    """A pattern as a cell announces it (TDD-UL-DL-Pattern, TS 38.331; TS 38.213 clause 11.1).

    Full downlink slots, then symbols of the next slot; from the end, full uplink slots, and
    symbols of the slot before them; what lies between is left free.

    Args:
        period_slots: Slots of the period.
        downlink: nrofDownlinkSlots and nrofDownlinkSymbols.
        uplink: nrofUplinkSlots and nrofUplinkSymbols.

    Raises:
        DataError: Downlink and uplink overlap or exceed the period.
    """
    total = period_slots * SYMBOLS_PER_SLOT
    down, up = (s * SYMBOLS_PER_SLOT + n for s, n in (downlink, uplink))
    if min(*downlink, *uplink) < 0 or down + up > total:
        raise DataError(
            f"expected at most {total} symbols down and up in {period_slots} slots; got {down} "
            f"and {up}. Shorten one or lengthen the period."
        )
    before = np.arange(period_slots) * SYMBOLS_PER_SLOT
    down_symbols = np.clip(down - before, 0, SYMBOLS_PER_SLOT)
    up_symbols = np.clip(up - before, 0, SYMBOLS_PER_SLOT)[::-1]
    return SlotPattern(
        downlink_symbols=tuple(down_symbols.tolist()), uplink_symbols=tuple(up_symbols.tolist())
    )


def joined(patterns: Sequence[SlotPattern]) -> SlotPattern:
    """Patterns one after the other, as pattern1 and pattern2 of TS 38.331."""
    return SlotPattern(
        downlink_symbols=tuple(n for p in patterns for n in p.downlink_symbols),
        uplink_symbols=tuple(n for p in patterns for n in p.uplink_symbols),
    )
