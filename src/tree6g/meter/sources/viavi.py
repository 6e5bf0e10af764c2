"""CSV of VIAVI's RIC tester: cells with counters of TS 28.552 as titles, one row per cell and time.

Energy (`PEE.Energy`) is kWh by the standard; it is read only where it agrees with average power
times the time between rows, as in `pm_energy`. Volumes of the PDCP are Mbit, PRB use is per cent.

Sources: VIAVI TeraVM AI RSG data sets; TS 28.552.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Final

from tree6g.meter.reading import Found, Reading, reading
from tree6g.meter.sources.pm_energy import energy_of
from tree6g.meter.sources.rows import cell, instant, rows

_CELL: Final = ("Viavi.Cell.Name", "Viavi.NrCgi", "cell")
_VOLUME: Final = (
    ("QosFlow.TotPdcpPduVolumeDl", "bit_dl"), ("QosFlow.TotPdcpPduVolumeUl", "bit_ul"),
)  # fmt: skip
_PRB: Final = (("RRU.PrbTotDl", "prb_dl"), ("RRU.PrbTotUl", "prb_ul"))


def is_viavi(titles: list[str]) -> bool:
    """Whether these are columns of its cell reports."""
    return any(title.startswith("Viavi.") for title in titles) and "timestamp" in titles


def read_viavi(text: str) -> Found:
    """Power, energy, volumes and PRB use of each cell."""
    before: dict[str, float] = {}
    readings: list[Reading] = []
    problems: list[str] = []
    for number, row in enumerate(rows(text), 2):
        node = next((row[c] for c in _CELL if row.get(c)), "")
        end = instant(row.get("timestamp", ""))
        if end is None:
            problems.append(f"row {number}: no instant in column 'timestamp'.")
            continue
        made = [*_row(number, row), *_energy(number, row, before.get(node), end, problems)]
        start = before.get(node)
        readings += [
            dataclasses.replace(
                r, node=node, t0_s=start if r.form == "interval" else None, t1_s=end
            )
            for r in made
        ]
        before[node] = end
    return Found(format="viavi", readings=tuple(readings), problems=tuple(problems))


def _row(number: int, row: Mapping[str, str]) -> Iterator[Reading]:
    for title, kind in _VOLUME:
        if row.get(title):
            name = f"row {number} {title}"
            yield reading(name, kind, "interval", cell(row[title]), scale=1e6)
    for title, kind in _PRB:
        if row.get(title):
            name = f"row {number} {title}"
            yield reading(name, kind, "interval", cell(row[title]), scale=0.01)
    if row.get("PEE.AvgPower"):
        name = f"row {number} PEE.AvgPower"
        yield reading(name, "power", "interval", cell(row["PEE.AvgPower"]))


def _energy(
    number: int, row: Mapping[str, str], start: float | None, end: float, problems: list[str]
) -> Iterator[Reading]:
    if not row.get("PEE.Energy"):
        return
    power = cell(row.get("PEE.AvgPower", ""))
    duration = end - start if start is not None else None
    name = f"row {number} PEE.Energy"
    made = energy_of(name, cell(row["PEE.Energy"]), power, duration)
    if made.suspect or made.why:
        problems.append(f"{name}: {made.suspect or made.why}.")
    yield dataclasses.replace(made, component="radio_unit")
