"""The terminals of a run: who they are, how each cell hears them, and which one serves them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt

from tree6g.radio.pathloss import FloatArray

IntArray = npt.NDArray[np.int64]
UP, DOWN = "bit_ul", "bit_dl"  # directions, named as the bits of the ledger


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Crowd:
    """Terminals that some services have in common: the users, or the sources of a data service.

    Attributes:
        per_site: Terminals that belong to each site; those of site s start at s times this.
        gain_db: Coupling gain, both antennas and shadowing included; -inf: never. [terminal, cell]
        serving: Cell that serves each. [terminal]
    """

    per_site: int
    gain_db: FloatArray
    serving: IntArray

    def terminal(self, site: npt.ArrayLike, number: npt.ArrayLike) -> IntArray:
        """Terminals by site and number there; more sources than terminals share these."""
        return np.asarray(site) * self.per_site + np.asarray(number) % self.per_site


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Radio:
    """State of the radio network that all cells share.

    Attributes:
        users: Who sends AI requests.
        crowd_of: The terminals of each service; AI services share the users.
        rate_bps: By direction and service, the rate of each terminal at its serving cell when it
            has its pool for itself. [terminal]
    """

    users: Crowd
    crowd_of: Mapping[str, Crowd]
    rate_bps: dict[str, dict[str, FloatArray]] = dataclasses.field(default_factory=dict)

    def crowds(self) -> Iterator[Crowd]:
        """Every crowd once."""
        others = (crowd for crowd in self.crowd_of.values() if crowd is not self.users)
        yield from (self.users, *others)
