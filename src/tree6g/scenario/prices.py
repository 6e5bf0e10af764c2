"""Money, where a scenario states it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tree6g.scenario.quantities import Described, Quantity

NonNegative = Annotated[Quantity, Field(ge=0)]


class Prices(Described):
    """Money, where the report is to show it."""

    electricity_eur_per_j: NonNegative | None = None
    """Tariff, written as in `0.25 EUR/kWh`."""
    data_eur_per_bit: NonNegative | None = None
    """What a bit of the reference data service earns, written as in `1 EUR/GB`."""
    source: str = ""
    """Where the prices come from, with their date."""
