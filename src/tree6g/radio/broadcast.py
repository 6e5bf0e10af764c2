"""What a cell that is not switched off must send and listen for: SSB, SIB1 and RACH occasions.

The parts are aligned: each starts at the multiples of its period, SSB first, then SIB1, then the
listening for RACH, one right after the other. That is the kindest arrangement for sleep; an
operator who spreads them splits the gaps between them.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray

# TS 38.331, ssb-periodicityServingCell. SIB1 repeats within its interval of 160 ms; RACH periods
# of 10 to 160 ms are those of TS 38.211 Table 6.3.3.2-3.
PERIODS_S: Final = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
SSB_PERIOD_S: Final = 0.02  # TS 38.213 clause 4.1: what a terminal assumes at first access
SIB1_PERIOD_S: Final = 0.16  # TS 38.331 clause 5.2.1: transmission time interval of SIB1
RACH_PERIOD_S: Final = 0.02  # typical; a short one keeps access and requests quick
SYMBOLS: Final = 14.0 / 15.0  # symbols per subcarrier spacing and second (normal cyclic prefix)
SSB_SYMBOLS: Final = 4.0  # TS 38.211 clause 7.4.3.1
SSB_SUBCARRIERS: Final = 240.0  # TS 38.211 clause 7.4.3.1
SIB1_SYMBOLS: Final = 14.0  # per beam: one slot for PDCCH and PDSCH of SIB1 (typical)
RACH_SYMBOLS: Final = 14.0  # one slot of occasions each RACH period (typical)
ROUND: Final = 1e-9  # of a period: keeps times on the grid on their side of rounding


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Broadcast:
    """Periods and durations of the common signals.

    Attributes:
        ssb_period_s: Between two SSB bursts.
        ssb_s: SSB of all beams. The symbols between the SSBs of a burst (20 of 52 for 8 beams at
            30 kHz, TS 38.213 case C) are taken to lie behind it: 1.1 of 37 relative units of an
            idle cell of TR 38.864 category 1, set 1.
        sib1_period_s: Between two repetitions of SIB1.
        sib1_s: SIB1 of all beams.
        rach_period_s: Between two times of listening for terminals.
        rach_s: Listening of one of them; a sleeping cell hears its terminals only then.
    """

    ssb_period_s: float
    ssb_s: float
    sib1_period_s: float
    sib1_s: float
    rach_period_s: float
    rach_s: float

    @property
    def period_s(self) -> float:
        """Between two starts of anything."""
        return min(self.ssb_period_s, self.sib1_period_s, self.rach_period_s)

    @property
    def sending_frac(self) -> float:
        """Share of time of SSB and SIB1."""
        return self.ssb_s / self.ssb_period_s + self.sib1_s / self.sib1_period_s

    @property
    def listening_frac(self) -> float:
        """Share of time of RACH occasions."""
        return self.rach_s / self.rach_period_s

    def bursts(self, t0_s: float, t1_s: float) -> Bursts:
        """All bursts that begin in [t0, t1)."""
        n = np.arange(self.index(t0_s, up=True), self.index(t1_s, up=True))
        return Bursts(
            start_s=n.astype(np.float64) * self.period_s,
            send_s=self._due(n, self.ssb_period_s) * self.ssb_s
            + self._due(n, self.sib1_period_s) * self.sib1_s,
            listen_s=self._due(n, self.rach_period_s) * self.rach_s,
        )

    def index(self, t_s: float, *, up: bool = False) -> int:
        """Number of the last burst that begins up to a time; `up`: of the first from it on."""
        count = t_s / self.period_s
        return int(np.ceil(count - ROUND) if up else np.floor(count + ROUND))

    def next_s(self, t_s: npt.ArrayLike) -> FloatArray:
        """Start of the first burst after a time."""
        count = np.floor(np.asarray(t_s, dtype=float) / self.period_s + ROUND)
        return (count + 1.0) * self.period_s

    def _due(self, n: npt.NDArray[np.int64], period_s: float) -> FloatArray:
        return (n % round(period_s / self.period_s) == 0).astype(np.float64)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bursts:
    """Bursts in order of time: first what is sent, then the listening. Arrays are [burst]."""

    start_s: FloatArray
    send_s: FloatArray
    listen_s: FloatArray

    @property
    def end_s(self) -> FloatArray:
        """End of each burst."""
        return self.start_s + self.send_s + self.listen_s


@functools.lru_cache(maxsize=256)  # a city's cells have few kinds
def broadcast(
    beams: float,
    subcarrier_hz: float,
    *,
    ssb_period_s: float = SSB_PERIOD_S,
    sib1_period_s: float = SIB1_PERIOD_S,
    rach_period_s: float = RACH_PERIOD_S,
    sib1_symbols: float = SIB1_SYMBOLS,
    rach_symbols: float = RACH_SYMBOLS,
) -> Broadcast:
    """The common signals of a cell.

    Args:
        beams: SSBs of a burst, sent one after the other, as SIB1 is.
        subcarrier_hz: Subcarrier spacing.
        ssb_period_s: 5, 10, 20, 40, 80 or 160 ms, as the other two periods.
        sib1_period_s: Of its repetitions; 160 ms at most.
        rach_period_s: Of the RACH occasions.
        sib1_symbols: Symbols of SIB1 per beam; 0: no SIB1.
        rach_symbols: Symbols of RACH occasions per period; 0: none.

    Raises:
        DataError: A period that 3GPP does not have, or signals that fill all the time.
    """
    periods = (("ssb", ssb_period_s), ("sib1", sib1_period_s), ("rach", rach_period_s))
    for name, period_s in periods:
        if not np.isclose(period_s, PERIODS_S, rtol=1e-6, atol=0.0).any():
            raise DataError(
                f"expected {name}_period of 5, 10, 20, 40, 80 or 160 ms; got "
                f"{period_s * 1e3:g} ms. Choose one of them (TS 38.331)."
            )
    symbol_s = 1.0 / (SYMBOLS * subcarrier_hz)
    signals = Broadcast(
        ssb_period_s=ssb_period_s,
        ssb_s=beams * SSB_SYMBOLS * symbol_s,
        sib1_period_s=sib1_period_s,
        sib1_s=beams * sib1_symbols * symbol_s,
        rach_period_s=rach_period_s,
        rach_s=rach_symbols * symbol_s,
    )
    if signals.sending_frac + signals.listening_frac >= 1.0:
        raise DataError(
            f"expected SSB, SIB1 and RACH within the time that there is; got "
            f"{signals.sending_frac + signals.listening_frac:.0%} of it for {beams:g} beams. "
            "Lengthen their periods."
        )
    return signals
