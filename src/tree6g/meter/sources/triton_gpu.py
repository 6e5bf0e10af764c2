"""Energy and power of the GPUs that Triton watches: J since its start, W now.

Source: Triton documentation, metrics: `nv_energy_consumption`, `nv_gpu_power_usage`.
"""

from __future__ import annotations

from tree6g.meter.exposition import Scrape
from tree6g.meter.reading import Found, reading
from tree6g.meter.sources.dcgm import card
from tree6g.meter.sources.engine import start_of


def read_triton_gpu(scrape: Scrape) -> Found:
    """One reading of energy and one of power for each card."""
    started = start_of(scrape)
    readings = [
        reading(
            series.text, "energy", "counter", value,
            node=card(series)[1], component="gpu", start_s=started,
        )
        for series, value in scrape.named("nv_energy_consumption")
    ]  # fmt: skip
    readings += [
        reading(series.text, "power", "gauge", value, node=card(series)[1], component="gpu")
        for series, value in scrape.named("nv_gpu_power_usage")
    ]
    return Found(format="triton gpu" if readings else "", readings=tuple(readings))
