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
        first: First terminal of each site, and their number at the end. [site + 1]
        gain_db: Coupling gain, both antennas and shadowing included; -inf: never. [terminal, cell]
        serving: Cell that serves each. [terminal]
    """

    first: IntArray
    gain_db: FloatArray
    serving: IntArray
    _gain: FloatArray | None = None

    @property
    def gain(self) -> FloatArray:
        """The gains as factors; whoever changes `gain_db` calls `heard_anew`. [terminal, cell]."""
        if self._gain is None:
            self._gain = 10.0 ** (self.gain_db / 10.0)
        return self._gain

    def heard_anew(self, rows: IntArray | None = None) -> None:
        """Gains of some terminals, or of all, have changed."""
        if rows is None or self._gain is None:
            self._gain = None
        else:
            self._gain[rows] = 10.0 ** (self.gain_db[rows] / 10.0)

    def terminal(self, site: npt.ArrayLike, number: npt.ArrayLike) -> IntArray:
        """Terminals by site and number there; more sources than terminals share these."""
        at = np.asarray(site)
        count = self.first[at + 1] - self.first[at]
        return np.asarray(self.first[at] + np.asarray(number) % count)

    def __len__(self) -> int:
        return len(self.serving)


@dataclasses.dataclass(frozen=True, slots=True)
class Paces:
    """How fast terminals send in one direction, by service. Arrays are [terminal].

    Attributes:
        rate_bps: Rate over the whole pool.
        part_frac: Part of the pool that one terminal may fill.
    """

    rate_bps: Mapping[str, FloatArray]
    part_frac: Mapping[str, FloatArray]


@dataclasses.dataclass(slots=True)
class Solved:
    """How the fixed points of load and interference came out over a run.

    Attributes:
        steps: Fixed points solved.
        iterations: Evaluations of all of them.
        residual_frac: Largest change of a load in a last evaluation.
        unconverged: Fixed points that were not reached.
        rows: Terminals with traffic, summed over the steps.
        slow: Those of them below the least SINR, who repeat or use a part of the band.
        faint: Those out of coverage.
    """

    steps: int = 0
    iterations: int = 0
    residual_frac: float = 0.0
    unconverged: int = 0
    rows: int = 0
    slow: int = 0
    faint: int = 0


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Radio:
    """State of the radio network that all cells share.

    Attributes:
        users: Who sends AI requests.
        crowd_of: The terminals of each service; AI services share the users.
        rate_bps: By direction and service, the rate of each terminal at its serving cell when it
            has its pool for itself. [terminal]
        part_frac: By direction and service, the largest part of its pool that a terminal may fill
            while it sends; a rate is that of as many such terminals as fill the pool. [terminal]
        follows_load: Whether interference follows what the cells send.
        load_frac: By direction, share of its resources that each cell needs in the step. [cell]
        solved: Convergence so far.
        covering: What `engine.coverage.covering` found last, and for which state of the cells;
            whoever changes gains sets it to None.
        reach: What `engine.coverage.least_antennas` found last, by cell, and for which state of it;
            whoever changes gains or serving cells clears it.
    """

    users: Crowd
    crowd_of: Mapping[str, Crowd]
    rate_bps: dict[str, dict[str, FloatArray]] = dataclasses.field(default_factory=dict)
    part_frac: dict[str, dict[str, FloatArray]] = dataclasses.field(default_factory=dict)
    follows_load: bool = False
    load_frac: dict[str, FloatArray] = dataclasses.field(default_factory=dict)
    solved: Solved = dataclasses.field(default_factory=Solved)
    covering: tuple[object, list[frozenset[frozenset[int]]]] | None = None
    reach: dict[int, tuple[object, float]] = dataclasses.field(default_factory=dict)

    def paces(self, kind: str) -> Paces:
        """Rates and parts of all terminals in a direction, by service."""
        return Paces(rate_bps=self.rate_bps[kind], part_frac=self.part_frac[kind])

    def crowds(self) -> Iterator[Crowd]:
        """Every crowd once."""
        others = (crowd for crowd in self.crowd_of.values() if crowd is not self.users)
        yield from (self.users, *others)
