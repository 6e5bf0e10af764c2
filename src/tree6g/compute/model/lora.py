"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) attached to a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Final

from tree6g.compute.model.architecture import Architecture, Linear
from tree6g.errors import DataError

DEFAULT_TARGETS: Final = ("q", "v")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """Adapters of one rank on chosen matrices.

    Attributes:
        rank: Their rank r.
        targets: Names of the matrices.
        matrices: How many matrices have one.
        parameters: r (d_in + d_out) summed over these.
        flop_per_tok: FLOP per token while they are not merged into the weights.
    """

    rank: int
    targets: tuple[str, ...]
    matrices: int
    parameters: int
    flop_per_tok: int

    def stored_byte(self, byte_per_value: float = 2.0) -> float:
        """Bytes of the adapters."""
        return self.parameters * byte_per_value


def adapter(model: Architecture, rank: int, targets: Sequence[str] = DEFAULT_TARGETS) -> Adapter:
    """Adapters of that rank on all matrices of these names, encoder and cross attention included.

    With grouped heads `v` is as wide as its few heads, which makes adapters smaller than of a
    model with as many heads of values as of queries. Routed experts have an adapter each.

    Raises:
        DataError: The rank is not positive, or no matrix has one of the names.
    """
    if rank < 1:
        raise DataError(f"expected a rank of at least 1; got {rank}.")
    encoder = model.encoder.layers if model.encoder else ()
    parts = [part for layer in (*model.layers, *encoder) for part in layer.linears()]
    named = {part.name for part in parts}
    missing = [target for target in targets if target not in named]
    if missing or not targets:
        raise DataError(
            f"expected names of matrices of '{model.name}'; got {', '.join(missing) or 'none'}. "
            f"It has {', '.join(sorted(named))}."
        )
    chosen = [part for part in parts if part.name in targets]
    return Adapter(
        rank=rank,
        targets=tuple(targets),
        matrices=sum(part.stored for part in chosen),
        parameters=adapter_parameters(rank, chosen),
        flop_per_tok=sum(2 * rank * part.used * (part.inputs + part.outputs) for part in chosen),
    )


def adapter_parameters(rank: int, matrices: Iterable[Linear]) -> int:
    """Parameters of adapters on these matrices: r (d_in + d_out) each.

    >>> adapter_parameters(8, [Linear(name="q", inputs=4096, outputs=1024)])
    40960
    """
    return sum(rank * part.stored * (part.inputs + part.outputs) for part in matrices)
