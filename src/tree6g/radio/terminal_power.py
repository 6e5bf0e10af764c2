"""Energy of a terminal by what it does, in the relative power of TR 38.840.

Slot averages of TR 38.840 V16.0.0 clause 8.1 for FR1, TDD, 100 MHz, 30 kHz, 4 receive antennas and
one transmit antenna, read second-hand in the thesis of bjoluc/5g-handover-optimization (chapter 2);
unit of the transition energies (relative power times ms) from memory. Relative units only: watts
come from an anchor, the power while sending at 23 dBm. FR2 is not covered.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
import numpy.typing as npt

from tree6g.errors import DataError
from tree6g.radio.pathloss import FloatArray
from tree6g.radio.power import Sleep, SleepState

CONTROL_REL: Final = 100.0  # listens to control alone (PDCCH only)
DATA_REL: Final = 300.0  # receives control and data (PDCCH and PDSCH)
SEND_0_DBM_REL: Final = 250.0
SEND_23_DBM_REL: Final = 700.0
TWO_ANTENNAS: Final = 0.7  # of what receiving draws with four
# Name, relative power, transition in seconds, its energy in relative power times seconds.
SLEEP_REL: Final[tuple[tuple[Sleep, float, float, float], ...]] = (
    ("micro", 45.0, 0.0, 0.0),
    ("light", 20.0, 6e-3, 0.1),
    ("deep", 1.0, 20e-3, 0.45),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TerminalPower:
    """Power of a terminal's radio by state.

    Attributes:
        control_w: Listening for control.
        data_w: Receiving data.
        floor_w: What sending at no power at all would draw, extrapolated.
        per_radiated: Watts drawn per watt radiated.
        sleep: States between, deepest last; a transition is that of both ways.
    """

    control_w: float
    data_w: float
    floor_w: float
    per_radiated: float
    sleep: tuple[SleepState, ...]

    def sending_w(self, power_dbm: npt.ArrayLike) -> FloatArray:
        """Power while sending: affine in the radiated power, through 0 dBm and 23 dBm."""
        radiated_w = 10.0 ** (np.asarray(power_dbm, dtype=float) / 10.0 - 3.0)
        return self.floor_w + self.per_radiated * radiated_w


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TerminalEnergy:
    """Energy of terminals by part. Arrays are [terminal]."""

    sending_j: FloatArray
    receiving_j: FloatArray
    listening_j: FloatArray
    asleep_j: FloatArray
    transition_j: FloatArray

    @property
    def total_j(self) -> FloatArray:
        """Sum of the parts."""
        return (
            self.sending_j + self.receiving_j + self.listening_j + self.asleep_j + self.transition_j
        )


def terminal_power(
    anchor_w: float, *, bandwidth_hz: float = 100e6, receive_antennas: int = 4
) -> TerminalPower:
    """Power states of a terminal.

    Receiving scales with the bandwidth part, 0.4 + 0.6 (B - 20 MHz) / 80 MHz, and by 0.7 with two
    receive antennas; sending and sleeping do not.

    Args:
        anchor_w: Watts of the radio while it sends at 23 dBm.
        bandwidth_hz: Bandwidth part, 20 to 100 MHz.
        receive_antennas: 2 or 4.

    Raises:
        DataError: A terminal that the model does not know.
    """
    if not 20e6 <= bandwidth_hz <= 100e6 or receive_antennas not in {2, 4}:
        raise DataError(
            "expected a bandwidth part of 20 to 100 MHz and 2 or 4 receive antennas; got "
            f"{bandwidth_hz / 1e6:g} MHz and {receive_antennas}. TR 38.840 scales no further."
        )
    unit_w = anchor_w / SEND_23_DBM_REL
    scale = 0.4 + 0.6 * (bandwidth_hz - 20e6) / 80e6
    scale *= 1.0 if receive_antennas == 4 else TWO_ANTENNAS
    least_w, most_w = 1e-3, 10.0 ** (2.3 - 3.0)
    slope = unit_w * (SEND_23_DBM_REL - SEND_0_DBM_REL) / (most_w - least_w)
    return TerminalPower(
        control_w=unit_w * scale * CONTROL_REL,
        data_w=unit_w * scale * DATA_REL,
        floor_w=unit_w * SEND_0_DBM_REL - slope * least_w,
        per_radiated=slope,
        sleep=tuple(
            SleepState(
                name=name, power_w=unit_w * rel, transition_s=time_s, transition_j=unit_w * rel_s
            )
            for name, rel, time_s, rel_s in SLEEP_REL
        ),
    )


def terminal_energy(
    terminal: TerminalPower,
    duration_s: float,
    *,
    active_s: npt.ArrayLike,
    wakeups: npt.ArrayLike,
    receiving_s: npt.ArrayLike = 0.0,
    sending_s: npt.ArrayLike = 0.0,
    power_dbm: npt.ArrayLike = 23.0,
) -> TerminalEnergy:
    """Energy of terminals over a time.

    Between two active times a terminal sleeps in the state of least energy that fits into the mean
    gap; gaps of very different length would let it choose better. [terminal]

    Args:
        terminal: Power states.
        duration_s: Time.
        active_s: Time of it in which it is awake, as `radio.drx` gives it; at least the time it
            receives and sends, which it includes. [terminal]
        wakeups: How often it wakes up. [terminal]
        receiving_s: Time in which it receives data. [terminal]
        sending_s: Time in which it sends. [terminal]
        power_dbm: Radiated power while it sends. [terminal]

    Raises:
        DataError: More active time than there is, or less than it receives and sends.
    """
    active, wakes, receiving, sending = np.broadcast_arrays(
        *(np.asarray(x, dtype=float) for x in (active_s, wakeups, receiving_s, sending_s))
    )
    slack_s = 1e-9 * duration_s
    listening = active - receiving - sending
    if (active > duration_s + slack_s).any() or (listening < -slack_s).any():
        raise DataError(
            "expected terminals that are active for as long as they receive and send, and no "
            f"longer than {duration_s:g} s; got {float(active.max()):g} s of activity. "
            "Count a time once."
        )
    resting_s = np.maximum(duration_s - active, 0.0)
    asleep_j, transition_j = _sleep(terminal, resting_s, wakes)
    return TerminalEnergy(
        sending_j=terminal.sending_w(power_dbm) * sending,
        receiving_j=terminal.data_w * receiving,
        listening_j=terminal.control_w * np.maximum(listening, 0.0),
        asleep_j=asleep_j,
        transition_j=transition_j,
    )


def _sleep(
    terminal: TerminalPower, resting_s: FloatArray, wakeups: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Energy asleep and in transitions, in the best state that fits. Both [terminal]."""
    gap_s = resting_s / np.maximum(wakeups, 1.0)
    entries = np.where(resting_s > 0.0, np.maximum(wakeups, 1.0), 0.0)
    asleep_j = terminal.control_w * resting_s
    transition_j = np.zeros_like(resting_s)
    for state in terminal.sleep:
        sleeping_j, moving_j = state.power_w * resting_s, state.transition_j * entries
        better = (state.transition_s <= gap_s) & (sleeping_j + moving_j < asleep_j + transition_j)
        asleep_j = np.where(better, sleeping_j, asleep_j)
        transition_j = np.where(better, moving_j, transition_j)
    return asleep_j, transition_j


def resting(
    terminal: TerminalPower, gap_s: npt.ArrayLike, control_w: npt.ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Power and transition energy in the state of least energy that fits into a gap. [gap].

    Where no state saves anything the terminal goes on listening.

    Args:
        terminal: Power states.
        gap_s: Length that the gap is planned to have. [gap]
        control_w: What listening draws instead. Scalar or [gap]
    """
    gap, awake_w = np.broadcast_arrays(np.asarray(gap_s, float), np.asarray(control_w, float))
    power_w, entry_j = awake_w.copy(), np.zeros_like(gap)
    for state in terminal.sleep:
        better = state.transition_s <= gap
        better &= state.power_w * gap + state.transition_j < power_w * gap + entry_j
        power_w = np.where(better, state.power_w, power_w)
        entry_j = np.where(better, state.transition_j, entry_j)
    return power_w, entry_j
