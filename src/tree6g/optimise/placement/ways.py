"""All ways to serve: each model, on the terminal, at a near site or in the cloud, cut anywhere.

A token goes through the layers before the cut on the terminal, over the air with what the cut layer
hands on, if need be on to the cloud, and through the rest. Its time is

    f t_terminal + bits / rate of the air + transport + w (1 - 1/b) + 1 / (b / w - load / replicas)

with f the share of layers on the terminal, w = (1 - f) t the rest of the work, and a replica as an
M/M/1 queue that finishes b tokens, one of each sequence in its batch, every w. More replicas only
take more, so each way has the fewest that keep the limit. A terminal has no queue.
Energy is proportional to tokens; what a site takes when it idles is not counted here.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from tree6g.errors import ScenarioError
from tree6g.optimise.placement.problem import BoolArray, FloatArray, IntArray, Ways

TERMINAL, EDGE, CLOUD = 0, 1, 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Variants:
    """Models in their storage formats, one per entry; tiers are terminal, edge, cloud. [variant].

    Attributes:
        names: Model and format, for people.
        worth_bit_per_tok: Bit-equivalents of a token of this quality.
        memory_byte: Weights and caches of one replica. [variant] or [variant, tier]
        handed_on_bit_per_tok: What a cut inside the model sends over the air per token.
        s_per_tok: Time of a token through all layers. [variant, tier]
        j_per_tok: Energy of a token through all layers, above idle. [variant, tier]
        accelerators: Share of an accelerator that a replica holds. [variant, tier]
        batch: Tokens that a replica works on at once, b. [variant, tier]
    """

    names: tuple[str, ...]
    worth_bit_per_tok: FloatArray
    memory_byte: FloatArray
    handed_on_bit_per_tok: FloatArray
    s_per_tok: FloatArray
    j_per_tok: FloatArray
    accelerators: FloatArray
    batch: FloatArray | float = 1.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Load of each service and how it reaches the sites. [service].

    Attributes:
        rate_tps: Tokens per second of the service, all its terminals together.
        weight: Priority.
        latency_limit_s: Of one token.
        terminal_memory_byte: Room for the layers before the cut.
        near: Sites that may serve it, nearest first. [service, near]
        air_bps: Rate of the air to each of them. [service, near]
        air_j_per_bit: [service, near].
    """

    rate_tps: FloatArray
    weight: FloatArray
    latency_limit_s: FloatArray
    terminal_memory_byte: FloatArray
    near: IntArray
    air_bps: FloatArray
    air_j_per_bit: FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What lies between the sites and the cloud, and what a token is as text.

    Attributes:
        cloud: Number of the site that is the cloud.
        cloud_s: Transport to the cloud and back.
        cloud_j_per_bit: Energy of transport to the cloud.
        text_bit_per_tok: Over the air, where no layer or all of the model is on the terminal.
    """

    cloud: int
    cloud_s: float
    cloud_j_per_bit: float
    text_bit_per_tok: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the ways are. [way].

    Attributes:
        variant: Number of the variant.
        tier: Where the layers after the cut are: terminal, edge or cloud.
        terminal_frac: Share of the layers on the terminal.
        replicas: 0 where all is on the terminal.
    """

    variant: IntArray
    tier: IntArray
    terminal_frac: FloatArray
    replicas: IntArray


def enumerated(
    variants: Variants, demand: Demand, path: Path, cuts: FloatArray, most_replicas: int = 8
) -> tuple[Ways, Choices]:
    """All ways that keep their latency and the terminal's memory, sorted by service.

    Args:
        variants: Models.
        demand: Services.
        path: Transport.
        cuts: Shares of the layers that may be on the terminal, 0 <= f < 1. [cut]
        most_replicas: Of one way.
    """
    if len(cuts) and not 0.0 <= min(cuts) <= max(cuts) < 1.0:
        raise ScenarioError(
            f"expected cuts f with 0 <= f < 1; got {min(cuts):g} to {max(cuts):g}. Ways with all "
            "layers on the terminal are there anyway."
        )
    services, models = np.arange(len(demand.rate_tps)), np.arange(len(variants.names))
    near = np.arange(demand.near.shape[1])
    alone = (services, models, np.array([TERMINAL]), np.array([0]), np.array([1.0]))
    split = (services, models, np.array([EDGE, CLOUD]), near, np.asarray(cuts, dtype=np.float64))
    grids = [[a.ravel() for a in np.meshgrid(*axes, indexing="ij")] for axes in (alone, split)]
    service, variant, tier, hop, frac = (np.concatenate(both) for both in zip(*grids, strict=True))
    order = np.argsort(service, kind="stable")
    points = _Points(*(a[order] for a in (service, variant, tier, hop, frac)))
    return _priced(variants, demand, path, points, most_replicas)


class _Points(NamedTuple):
    """Choices before they are looked at. [way]."""

    service: IntArray
    variant: IntArray
    tier: IntArray
    near: IntArray
    frac: FloatArray


def _priced(
    variants: Variants, demand: Demand, path: Path, at: _Points, most: int
) -> tuple[Ways, Choices]:
    """Latency, energy and use of sites; what cannot be is left out."""
    s, v, t, f = at.service, at.variant, at.tier, at.frac
    rest, rate = 1.0 - f, demand.rate_tps[s]
    served, cloud = t != TERMINAL, t == CLOUD
    bits = np.where(f > 0.0, variants.handed_on_bit_per_tok[v], path.text_bit_per_tok)
    bits = np.where(served, bits, 0.0)
    alone_s = variants.s_per_tok[v, TERMINAL]  # infinite: it does not fit
    own_s = np.multiply(f, alone_s, out=np.zeros(len(s)), where=f > 0.0)
    before_s = own_s + bits / demand.air_bps[s, at.near]
    before_s = before_s + np.where(cloud, path.cloud_s, 0.0)
    work_s = np.where(served, rest, 1.0) * variants.s_per_tok[v, t]
    batch = np.broadcast_to(variants.batch, variants.s_per_tok.shape)[v, t]
    each_s = work_s / batch
    beside = served & (batch > 1.0)
    before_s += np.multiply(each_s, batch - 1.0, out=np.zeros(len(s)), where=beside)
    replicas = np.where(served, _fewest(each_s, rate, demand.latency_limit_s[s] - before_s), 0.0)
    memory_byte = np.broadcast_to(np.transpose(variants.memory_byte), variants.s_per_tok.T.shape).T
    keep = np.isfinite(before_s) & (replicas <= most)
    keep &= f * memory_byte[v, TERMINAL] <= demand.terminal_memory_byte[s]
    with np.errstate(divide="ignore", invalid="ignore"):
        queue_s = np.where(served, 1.0 / (1.0 / each_s - rate / replicas), 0.0)
    air_j = demand.air_j_per_bit[s, at.near] + np.where(cloud, path.cloud_j_per_bit, 0.0)
    energy_j = f * variants.j_per_tok[v, TERMINAL] + bits * air_j + rest * variants.j_per_tok[v, t]
    site = demand.near[s, at.near]
    held = replicas * rest
    none = np.zeros(len(s))
    ways = Ways(
        service=s[keep],
        data_bps=none[keep],
        token_bps=(demand.weight[s] * variants.worth_bit_per_tok[v] * rate)[keep],
        power_w=(rate * energy_j)[keep],
        latency_s=(before_s + queue_s)[keep],
        site=np.column_stack([np.where(served, site, -1), np.where(cloud, path.cloud, -1)])[keep],
        accelerators=_by_hop(held * variants.accelerators[v, t], served, cloud)[keep],
        memory_byte=_by_hop(held * memory_byte[v, t], served, cloud)[keep],
        uplink_bps=np.column_stack([np.where(cloud, rate * bits, 0.0), none])[keep],
    )
    whole = np.where(keep, replicas, 0.0).astype(np.int64)
    return ways, Choices(variant=v[keep], tier=t[keep], terminal_frac=f[keep], replicas=whole[keep])


def _fewest(work_s: FloatArray, rate_tps: FloatArray, budget_s: FloatArray) -> FloatArray:
    """Fewest replicas with 1 / (1 / work - rate / replicas) <= budget; infinite: none will do."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spare_tps = 1.0 / work_s - 1.0 / budget_s
        fewest = np.ceil(rate_tps / spare_tps)
    return np.where((budget_s > work_s) & (spare_tps > 0.0), np.maximum(fewest, 1.0), np.inf)


def _by_hop(amount: FloatArray, served: BoolArray, cloud: BoolArray) -> FloatArray:
    """At the near site or in the cloud. [way, hop]."""
    return np.column_stack([np.where(served & ~cloud, amount, 0.0), np.where(cloud, amount, 0.0)])
