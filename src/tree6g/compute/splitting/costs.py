"""What splits cost: the tables of places and hops added up for many splits at once."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import numpy.typing as npt

from tree6g.compute.splitting.profile import Work
from tree6g.compute.splitting.tables import DECODE, PREFILL, HopTable, PlaceTable, Tables
from tree6g.compute.stream import FloatArray
from tree6g.errors import InfeasibleError

IntArray = npt.NDArray[np.int64]
MOST_SPLITS = 2_000_000  # what enumeration tries at most; about a gigabyte of costs


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Costs:
    """Latency and energy of splits by side and by phase.

    Attributes:
        cuts: Layers below each hop: a row per hop, never falling from one to the next.
            [hop, split]
        compute_s: Time of the places. [phase, place, split]
        compute_j: Their energy. [phase, place, split]
        up_s: Time to send upwards. [phase, hop, split]
        down_s: Time to receive what comes back. [phase, hop, split]
        rtt_s: Round trips. [phase, hop, split]
        radio_j: Energy of the lower side's radio. [phase, hop, split]
        network_j: Energy of the network. [phase, hop, split]
        up_byte: Bytes upwards. [phase, hop, split]
        down_byte: Bytes downwards. [phase, hop, split]
        wait_w: Power while other places work. [place]
        held_byte: Weights, keys and values. [place, split]
        memory_byte: Room for them. [place]
        quality_frac: Worth of a token relative to one of an unpacked model. [split]
        work: What the request asked for.
    """

    cuts: IntArray
    compute_s: FloatArray
    compute_j: FloatArray
    up_s: FloatArray
    down_s: FloatArray
    rtt_s: FloatArray
    radio_j: FloatArray
    network_j: FloatArray
    up_byte: FloatArray
    down_byte: FloatArray
    wait_w: FloatArray
    held_byte: FloatArray
    memory_byte: FloatArray
    quality_frac: FloatArray
    work: Work

    @property
    def phase_s(self) -> FloatArray:
        """Time of each phase. [phase, split]."""
        return self.compute_s.sum(axis=1) + (self.up_s + self.down_s + self.rtt_s).sum(axis=1)

    @property
    def ttft_s(self) -> FloatArray:
        """Time to the first token, or to the result of a frame. [split]."""
        return self.phase_s[PREFILL]

    @property
    def tpot_s(self) -> FloatArray:
        """Mean time per token after the first, 0 if there is none. [split]."""
        return self.phase_s[DECODE] / max(self.work.output_tok - 1, 1)

    @property
    def latency_s(self) -> FloatArray:
        """Time of the whole answer. [split]."""
        return self.phase_s.sum(axis=0)

    @property
    def wait_j(self) -> FloatArray:
        """Energy of places that wait for others. [place, split]."""
        return self.wait_w[:, None] * (self.latency_s - self.compute_s.sum(axis=0))

    @property
    def energy_j(self) -> FloatArray:
        """All joules of the request. [split]."""
        parts = self.compute_j.sum(axis=(0, 1)) + self.wait_j.sum(axis=0)
        return parts + (self.radio_j + self.network_j).sum(axis=(0, 1))

    @property
    def fits(self) -> npt.NDArray[np.bool_]:
        """Whether every place has the memory for its layers. [split]."""
        return np.all(self.held_byte <= self.memory_byte[:, None], axis=0)

    def __len__(self) -> int:
        return self.cuts.shape[1]


def every_cut(tables: Tables, *, at_least: int = 0) -> IntArray:
    """Every split in the order of its cuts. [hop, split].

    Args:
        tables: Places and hops.
        at_least: Layers that stay on the device at least, as privacy may ask for.

    Raises:
        InfeasibleError: More splits than enumeration can try; use `chain.best_chain`.
    """
    hops = len(tables.hops)
    count = math.comb(tables.layers - at_least + hops, hops)
    if count > MOST_SPLITS:
        raise InfeasibleError(
            f"expected at most {MOST_SPLITS} splits; {tables.layers} layers over {hops + 1} places "
            f"have {count}. Use dynamic programming, or merge layers."
        )
    wanted = itertools.combinations_with_replacement(range(at_least, tables.layers + 1), hops)
    flat = np.fromiter(itertools.chain.from_iterable(wanted), dtype=np.int64, count=count * hops)
    return flat.reshape(count, hops).T


def costs(tables: Tables, cuts: npt.ArrayLike | None = None) -> Costs:
    """Costs of splits, all of them by default.

    Args:
        tables: Places and hops.
        cuts: Layers below each hop; a plain vector for one hop. [hop, split]

    Raises:
        InfeasibleError: Cuts that fall, or lie outside the model.
    """
    chosen = every_cut(tables) if cuts is None else np.atleast_2d(np.asarray(cuts, dtype=np.int64))
    _check(tables, chosen)
    count = chosen.shape[1]
    edges = np.vstack([np.zeros((1, count), np.int64), chosen, np.full((1, count), tables.layers)])
    parts = [_part(t, edges[k], edges[k + 1]) for k, t in enumerate(tables.places)]
    joined = {f.name: _joined(tables, f.name, chosen) for f in dataclasses.fields(HopTable)}
    return Costs(
        cuts=chosen,
        compute_s=np.stack([s for s, _, _ in parts], axis=1),
        compute_j=np.stack([j for _, j, _ in parts], axis=1),
        **joined,
        wait_w=np.array([t.wait_w for t in tables.places]),
        held_byte=np.stack([held for _, _, held in parts]),
        memory_byte=np.array([t.memory_byte for t in tables.places]),
        quality_frac=_quality(tables, chosen),
        work=tables.work,
    )


def _part(
    t: PlaceTable, low: IntArray, high: IntArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Time and energy [phase, split] of a place with the layers between two cuts, and its bytes."""
    used = high > low
    s = t.s[:, high] - t.s[:, low] + used * t.fixed_s[:, low] + t.tail_s[:, high]
    j = t.j[:, high] - t.j[:, low] + used * t.fixed_j[:, low] + t.tail_j[:, high]
    return s, j, t.held_byte[high] - t.held_byte[low]


def _joined(tables: Tables, field: str, cuts: IntArray) -> FloatArray:
    rows = [getattr(hop, field)[:, cut] for hop, cut in zip(tables.hops, cuts, strict=True)]
    return np.stack(rows, axis=1) if rows else np.zeros((2, 0, cuts.shape[1]))


def _quality(tables: Tables, cuts: IntArray) -> FloatArray:
    """A tensor that is packed twice at the same cut loses once."""
    factor = tables.quality_frac[cuts]
    factor[1:][cuts[1:] == cuts[:-1]] = 1.0
    return factor.prod(axis=0)


def _check(tables: Tables, cuts: IntArray) -> None:
    inside = cuts.size == 0 or (cuts.min() >= 0 and cuts.max() <= tables.layers)
    if len(cuts) != len(tables.hops) or not inside or (np.diff(cuts, axis=0) < 0).any():
        raise InfeasibleError(
            f"expected cuts that rise over {len(tables.hops)} hops between 0 and {tables.layers}; "
            f"got {cuts[:, :4].tolist()}."
        )
