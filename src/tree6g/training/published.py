"""Training runs whose device hours were published, and what is told of a run by default."""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g import data

TABLE: Final = "training_runs"
# Of the published energy, which is device hours at the power limit: accelerators draw less on the
# mean (0.7: our model of an A100 in training, see `run`), and machines idle beside a run (1.6:
# BLOOM took 433 MWh and 257 MWh of idle beside it, Luccioni et al. 2022, arXiv 2211.02001).
LOW_FRAC: Final = 0.7
HIGH_FRAC: Final = 1.6


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """A run as its developers published it.

    Attributes:
        model: Row of the table `models`.
        units_tok: Tokens that it was trained on, repeats included; None where they do not tell its
            FLOP, as of distillation.
        sequence_tok: Length of its sequences.
        accelerator: What it ran on.
        device_s: Time summed over devices.
        device_w: Power of each as published: peak, times the site's overhead.
        kgco2e: Carbon as published, location based.
        source: Where it was published.
    """

    model: str
    units_tok: float | None
    sequence_tok: int
    accelerator: str
    device_s: float
    device_w: float
    kgco2e: float
    source: str

    @property
    def energy_j(self) -> float:
        """Device time at the published power: an upper bound where that is the limit (TDP)."""
        return self.device_s * self.device_w


def published_run(model: str) -> PublishedRun | None:
    """The published run of a packaged model, None where the table has none."""
    row = data.table(TABLE).get(model)
    if row is None:
        return None
    return PublishedRun(
        model=data.text(row, "model"),
        units_tok=None if row["units_tok"] is None else data.number(row, "units_tok"),
        sequence_tok=int(data.number(row, "sequence_tok")),
        accelerator=data.text(row, "accelerator"),
        device_s=data.number(row, "device_s"),
        device_w=data.number(row, "device_w"),
        kgco2e=data.number(row, "kgco2e"),
        source=data.text(row, "source"),
    )


def published_models() -> tuple[str, ...]:
    """Models that have a published run with its tokens."""
    rows = data.table(TABLE)
    return tuple(name for name, row in rows.items() if row["units_tok"] is not None)
