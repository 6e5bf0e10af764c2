"""What a validation of base stations says in words: headline, groups, clocks, how to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from tree6g.calibrate.result import Curve, Group, Plot, percent

if TYPE_CHECKING:
    from tree6g.calibrate.station_model import ClockBlock

_HOUR_S: Final = 3600


def groups(*, other_folder: bool) -> dict[str, str]:
    """The groups in plain words."""
    same = "stations that were fitted" if other_folder else "later hours of the same stations"
    return {
        "same": same,
        "unseen": "stations never seen",
        "unseen type of radio unit": "types of radio unit never seen",
    }


def headline(found: Sequence[Group], blocks: Sequence[ClockBlock]) -> str:
    """The mean error of each group, and whether clocks are off."""
    errors = ", ".join(f"{group.words} {percent(group.figures['mape_frac'])}" for group in found)
    by = ", ".join(dict.fromkeys(_hours(abs(block.offset_s)) for block in blocks if block.offset_s))
    clocks = f" Clocks of stations are {by} off, which is allowed for: see below." if by else ""
    return f"Base stations, mean error: {errors}.{clocks}"


def clock(offset_s: int, whom: str) -> str:
    """A clock offset as a sentence: energy stamped t belongs to the load stamped t + offset."""
    if not offset_s:
        return f"Clock: stamps of energy and load agree for {whom}"
    lag = "lag" if offset_s > 0 else "lead"
    return f"Clock: stamps of energy {lag} those of load by {_hours(abs(offset_s))} for {whom}"


def about(
    bars: Mapping[str, float], found: Sequence[Group], *, other_folder: bool
) -> tuple[str, ...]:
    """What was compared with what, what passes, and what was fitted to what."""
    split = (
        "Everything in one folder was fitted and everything in the other predicted, in groups: "
        "stations that were fitted, stations never seen, and stations whose type of radio unit was "
        "never seen."
        if other_folder
        else "Predicted were the last 30 % of the hours from a fit to the hours before; every "
        "station from a fit to the others (a fifth left out at a time, five draws); and every type "
        "of radio unit from a fit to the other types."
    )
    names = groups(other_folder=other_folder)
    passes = " and ".join(f"{100 * bar:g} % on {names[name]}" for name, bar in bars.items())
    fitted = "; ".join(
        f"{group.figures['fitted_constants']:,.0f} to predict {group.words}" for group in found
    )
    return (
        (
            "Compared: the energy that each station's meter counted in an interval with what the "
            f"model says from the station's load and energy-saving counters. {split} An error is "
            "a share of what was measured."
        ),
        (
            f"Passes: a mean error of at most {passes}. Of types of radio unit never seen nothing "
            "is demanded."
        ),
        (
            f"Fitted: {fitted}. Constants of a configuration are shared by its stations; a "
            "station that was fitted has its own besides, drawn to those. Simpler models, fitted "
            "to the same rows, stand below."
        ),
    )


def plots(cloud: Sequence[Curve], share: Sequence[Curve]) -> tuple[Plot, ...]:
    """Predicted over measured by group; how many rows have which error."""
    return (
        Plot(
            name="predicted-over-measured",
            title="Energy of an hour of a station, predicted over measured",
            reads="Each cross is one interval of one station, some of all. On the dashed line the "
            "prediction is what was measured; above it, it is too high.",
            x_label="measured (unit of the file)",
            y_label="predicted (unit of the file)",
            curves=tuple(cloud),
            columns=2,
            reference="predicted as measured",
        ),
        Plot(
            name="share-of-rows-by-error",
            title="How many intervals are predicted how well",
            reads="At an error along the axis, a line says how many per cent of the intervals have "
            "a smaller one. The further to the left a line rises, the better.",
            x_label="error (% of what was measured)",
            y_label="intervals with a smaller error (%)",
            curves=tuple(share),
        ),
    )


def _hours(seconds: int) -> str:
    return f"{seconds / _HOUR_S:g} h" if seconds % 60 == 0 else f"{seconds:,} s"
