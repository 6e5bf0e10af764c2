"""A question about a split from rows of the packaged tables."""

from __future__ import annotations

import dataclasses

from tree6g.compute.accelerator import accelerator
from tree6g.compute.model.formats import weight_format
from tree6g.compute.splitting.choice import Objective
from tree6g.compute.splitting.hop import Compression, Hop
from tree6g.compute.splitting.profile import LayerProfile, Work
from tree6g.compute.splitting.stage import Idle, Stage, stage
from tree6g.compute.splitting.study import Question

PROFILE_BYTE = 2.0  # of a parameter in profiles; each place says what it stores instead


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place as a person names it.

    Attributes:
        accelerator: Row of the packaged table.
        weights: Storage of the weights, row of the table `weight_formats`; what it takes for the
            body of a model is taken for all of it.
        count: Accelerators.
        sequences: Sequences that share its passes.
        memory_frac: Share of its memory that the model may take.
        share_frac: Share of its arithmetic and bandwidth that the model may take.
        host_w: Power of its host.
        pue: Site power over equipment power.
        idle: What its idle power is charged to, see `stage`.
    """

    accelerator: str
    weights: str = "fp16"
    count: int = 1
    sequences: float = 1.0
    memory_frac: float = 0.9
    share_frac: float = 1.0
    host_w: float = 0.0
    pue: float = 1.0
    idle: Idle = "shared"

    def stage(self) -> Stage:
        """The place with its constants.

        Raises:
            DataError: No such accelerator or storage; the message names the nearest.
        """
        stored = weight_format(self.weights)
        whole = stage(
            accelerator(self.accelerator),
            weights=stored.name,
            count=self.count,
            sequences=self.sequences,
            host_w=self.host_w,
            pue=self.pue,
            idle=self.idle,
            memory_frac=self.memory_frac,
            weight_frac=stored.body / PROFILE_BYTE,
        )
        return dataclasses.replace(
            whole,
            s_per_flop=whole.s_per_flop / self.share_frac,
            s_per_weight_byte=whole.s_per_weight_byte / self.share_frac,
            s_per_kv_byte=whole.s_per_kv_byte / self.share_frac,
        )


def question(
    profile: LayerProfile,
    device: Place,
    server: Place,
    hop: Hop,
    *,
    work: Work,
    packing: Compression,
    objective: Objective,
    head_on_device: bool = False,
) -> Question:
    """A question about a model whose profile stores 2 bytes per parameter.

    Raises:
        DataError: A name that no table has.
    """
    return Question(
        profile=profile,
        device=device.stage(),
        server=server.stage(),
        hop=hop,
        work=work,
        packing=packing,
        objective=objective,
        head_on_device=head_on_device,
    )
