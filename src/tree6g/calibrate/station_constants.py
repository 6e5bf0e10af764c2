"""Constants of a base-station fit as they are printed: clock offsets, energy by configuration."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tree6g.calibrate import station_model, station_words
from tree6g.calibrate.result import Constant
from tree6g.calibrate.station_model import StationModel
from tree6g.calibrate.station_rows import Counters, Rows
from tree6g.radio import fitted_station

FloatArray = NDArray[np.float64]

_RESAMPLED_FITS: Final = 40


def clocks(model: StationModel) -> tuple[Constant, ...]:
    """The offsets in seconds: energy stamped t belongs to the load stamped t + offset."""
    found = [
        Constant(
            name=f"clock_offset_s, {b.first} to {b.last} ({b.agreeing} of {b.telling} agree)",
            value=float(b.offset_s),
            words=station_words.clock(
                b.offset_s,
                f"{b.first} to {b.last} ({b.agreeing} of {b.telling} stations agree)",
            ),
        )
        for b in model.clock
    ]
    for name, offset_s in model.alone.items():
        words = station_words.clock(offset_s, f"{name} alone")
        found.append(
            Constant(name=f"clock_offset_s, {name} alone", value=float(offset_s), words=words)
        )
    return tuple(found)


def configurations(model: StationModel, known: Counters, rows: Rows) -> Iterator[Constant]:
    """Energy of each configuration at no load, what full load adds, what saving modes add."""
    stations = known.stations
    labels = [label[-1] for label in stations.labels]
    kinds = {label: labels.index(label) for label in labels}
    places = np.array(list(kinds.values()))
    best = model.constants(stations, own=False)[places]
    drawn = station_model.resampled(model, stations, rows, _RESAMPLED_FITS)[:, places]
    active = np.zeros((len(labels), best.shape[1]), dtype=bool)
    np.logical_or.at(active, rows.station, rows.feature != 0)
    for i, (label, s) in enumerate(kinds.items()):
        same = [label == other for other in labels]
        for what, columns, by in _parts(known, s):
            if active[same][:, columns].any():
                values = by * drawn[:, i, columns].sum(axis=1)
                yield _constant(f"{label}: {what}", by * float(best[i, columns].sum()), values)


def _parts(known: Counters, station: int) -> Iterator[tuple[str, list[int], float]]:
    """What is told of a configuration: its words, its columns of constants, their scale."""
    static = float(known.stations.static[station])
    dynamic = float(known.stations.dynamic[station])
    yield "at no load", [0], static
    yield "full load adds", [1, 3], dynamic
    yield "full load of a further cell of 2 x 46 dBm adds", [2], 1.0
    for i, mode in enumerate(known.modes):
        yield f"{mode} adds", [len(fitted_station.FEATURES) + i], static


def _constant(name: str, value: float, resampled: FloatArray) -> Constant:
    """A constant with 1.96 standard deviations of fits to resampled stations either side."""
    reach = 1.96 * float(np.std(resampled))
    return Constant(name=name, value=value, low=value - reach, high=value + reach)
