"""What a training run is taken to be where nobody says more."""

from __future__ import annotations

from typing import Final

HOST_W: Final = 150.0  # per accelerator, as servers of scenarios have it
PUE: Final = 1.2
SEQUENCE_TOK: Final = 4096
BATCH_SAMPLES: Final = 64
ACCELERATOR: Final = "h100-sxm"
