"""Types of fields that many records of a scenario share."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from pydantic import Field, StringConstraints

from tree6g.scenario.quantities import Quantity

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
Weights = Literal["fp16", "fp8", "int8", "int4"]
WEIGHTS: Final[tuple[str, ...]] = get_args(Weights)
# A model, or a model in a format: `llama-3.1-8b int4`.
Variant = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}( [a-z0-9]+)?$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Positive = Annotated[Quantity, Field(gt=0)]
NonNegative = Annotated[Quantity, Field(ge=0)]
Share = Annotated[Quantity, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=10_000_000)]
