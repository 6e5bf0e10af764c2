"""Types of fields that many records of a scenario share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from tree6g.scenario.quantities import Quantity

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Positive = Annotated[Quantity, Field(gt=0)]
NonNegative = Annotated[Quantity, Field(ge=0)]
Share = Annotated[Quantity, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
