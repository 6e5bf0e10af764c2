"""How the best cut moves with the rate of the uplink and the load of the server."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tree6g.compute.splitting.choice import Objective, allowed, best
from tree6g.compute.splitting.costs import Costs, IntArray, costs
from tree6g.compute.splitting.hop import Compression, Hop
from tree6g.compute.splitting.profile import LayerProfile, Work
from tree6g.compute.splitting.stage import Stage
from tree6g.compute.splitting.tables import tables
from tree6g.compute.stream import FloatArray

NONE = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A model, the two places that may share it, the way between them, and what is asked.

    Attributes:
        profile: The model.
        device: Who asks.
        server: Who may help.
        hop: Between them.
        work: The request.
        packing: Of cut tensors.
        objective: What is to be least.
        head_on_device: Whether the output head stays on the device.
    """

    profile: LayerProfile
    device: Stage
    server: Stage
    hop: Hop
    work: Work
    packing: Compression
    objective: Objective
    head_on_device: bool = False

    def costs(self) -> Costs:
        """Costs of every cut."""
        found = tables(
            self.profile,
            (self.device, self.server),
            (self.hop,),
            self.work,
            packing=self.packing,
            head_on_device=self.head_on_device,
        )
        return costs(found)

    def at(self, up_bps: float, sequences: float) -> Question:
        """The same over another uplink, with another load of the server."""
        return dataclasses.replace(
            self,
            hop=dataclasses.replace(self.hop, up_bps=up_bps),
            server=dataclasses.replace(self.server, sequences=sequences),
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """The best cut at every rate and load.

    Attributes:
        up_bps: Rates of the uplink. [rate]
        sequences: Sequences that share the server's passes. [load]
        cut: Layers on the device at best, -1 where no cut keeps the limits. [load, rate]
        energy_j: Energy there, nan without a cut. [load, rate]
        latency_s: Latency there, nan without a cut. [load, rate]
        layers: The last cut.
    """

    up_bps: FloatArray
    sequences: FloatArray
    cut: IntArray
    energy_j: FloatArray
    latency_s: FloatArray
    layers: int


def sweep(question: Question, up_bps: Sequence[float], sequences: Sequence[float]) -> Sweep:
    """The best cut over rates and loads, each by trying every cut."""
    shape = (len(sequences), len(up_bps))
    cut = np.full(shape, NONE, dtype=np.int64)
    energy_j, latency_s = np.full(shape, np.nan), np.full(shape, np.nan)
    layers = 0
    for i, load in enumerate(sequences):
        for k, rate_bps in enumerate(up_bps):
            found = question.at(rate_bps, load).costs()
            layers = int(found.cuts.max())
            if not allowed(found, question.objective).any():
                continue
            chosen = best(found, question.objective)
            cut[i, k] = found.cuts[0, chosen]
            energy_j[i, k] = found.energy_j[chosen]
            latency_s[i, k] = found.latency_s[chosen]
    return Sweep(
        up_bps=np.asarray(up_bps, dtype=float),
        sequences=np.asarray(sequences, dtype=float),
        cut=cut,
        energy_j=energy_j,
        latency_s=latency_s,
        layers=layers,
    )
