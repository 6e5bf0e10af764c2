"""Speculative decoding: a small model drafts on the device, the large one on the server judges.

A round: k drafts by the small model one after the other, their upload, one pass of the large model
over k + 1 tokens, the answer back. With acceptance a per draft, independent, a round gives

    E[tokens] = 1 + a + ... + a^k = (1 - a^(k+1)) / (1 - a)

(Leviathan et al., ICML 2023, arXiv 2211.17192), of which all but one are accepted drafts; the other
drafts are energy without work (`token_draft_rejected` in a ledger). Drafting and judging alternate:
no draft is made while the server judges. Acceptance depends on models and text: it is stated.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tree6g.compute.splitting.hop import Hop
from tree6g.compute.splitting.profile import TEXT_BYTE_PER_TOK, LayerProfile
from tree6g.compute.splitting.stage import Stage, decode_pass, pass_cost, verify_pass
from tree6g.compute.stream import FloatArray
from tree6g.errors import InfeasibleError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounds:
    """A round with each number of drafts. Arrays are [number].

    Attributes:
        drafts: Drafts per round, k; 0 is the large model by itself, which streams its tokens
            without waiting for the device.
        token_out: Tokens that a round gives.
        token_draft_rejected: Drafts of a round that are refused.
        draft_s: Time of the drafts.
        verify_s: Time of the large model's pass.
        network_s: Time on the hop that the round waits for.
        draft_j: Energy of the device, waiting included.
        verify_j: Energy of the server.
        radio_j: Energy of the device's radio.
        network_j: Energy of the network.
        up_byte: Bytes upwards.
        down_byte: Bytes downwards.
    """

    drafts: npt.NDArray[np.int64]
    token_out: FloatArray
    token_draft_rejected: FloatArray
    draft_s: FloatArray
    verify_s: FloatArray
    network_s: FloatArray
    draft_j: FloatArray
    verify_j: FloatArray
    radio_j: FloatArray
    network_j: FloatArray
    up_byte: FloatArray
    down_byte: FloatArray

    @property
    def round_s(self) -> FloatArray:
        """Time of a round. [number]."""
        return self.draft_s + self.verify_s + self.network_s

    @property
    def tpot_s(self) -> FloatArray:
        """Time per token. [number]."""
        return self.round_s / self.token_out

    @property
    def j_per_tok(self) -> FloatArray:
        """Energy per token. [number]."""
        whole = self.draft_j + self.verify_j + self.radio_j + self.network_j
        return whole / self.token_out


def expected_tok(drafts: npt.ArrayLike, accept_frac: float) -> FloatArray:
    """Tokens of a round: (1 - a^(k+1)) / (1 - a), k + 1 where all are accepted.

    Raises:
        InfeasibleError: An acceptance outside [0, 1] or fewer than no drafts.
    """
    k = np.asarray(drafts, dtype=float)
    if not 0.0 <= accept_frac <= 1.0 or (k < 0.0).any():
        raise InfeasibleError(
            f"expected an acceptance from 0 to 1 and drafts of at least 0; got {accept_frac:g} "
            f"and {k.min(initial=0.0):g}."
        )
    if accept_frac == 1.0:
        return k + 1.0
    return (1.0 - accept_frac ** (k + 1.0)) / (1.0 - accept_frac)


def rounds(
    small: LayerProfile,
    device: Stage,
    large: LayerProfile,
    server: Stage,
    hop: Hop | None,
    *,
    context_tok: float,
    accept_frac: float,
    most: int = 16,
    draft_byte: float = TEXT_BYTE_PER_TOK,
) -> Rounds:
    """Rounds of 0 to `most` drafts at a context.

    Args:
        small: The model that drafts.
        device: Where it runs.
        large: The model that judges.
        server: Where it runs.
        hop: Between them; None: both on one machine.
        context_tok: Tokens so far.
        accept_frac: Share of the drafts that the large model accepts.
        most: Most drafts.
        draft_byte: Bytes of a draft on the way up: its number (greedy), or with its probabilities,
            as sampling without loss needs them.
    """
    k = np.arange(most + 1)
    out = expected_tok(k, accept_frac)
    drafted = [_drafts(small, device, context_tok, n) for n in k.tolist()]
    judged = [pass_cost(large, server, verify_pass(large, context_tok, n + 1.0)) for n in k]
    draft_s = np.array([s for s, _ in drafted])
    verify_s = np.array([c.layer_s.sum() + c.fixed_s for c in judged])
    up, down, network_s, radio_j, network_j = _network(hop, k, out, draft_byte)
    waiting_j = device.wait_w * device.overhead_frac * (verify_s + network_s)
    return Rounds(
        drafts=k,
        token_out=out,
        token_draft_rejected=k - (out - 1.0),
        draft_s=draft_s,
        verify_s=verify_s,
        network_s=network_s,
        draft_j=np.array([j for _, j in drafted]) + waiting_j,
        verify_j=np.array([c.layer_j.sum() + c.fixed_j for c in judged]),
        radio_j=radio_j,
        network_j=network_j,
        up_byte=up,
        down_byte=down,
    )


def best_drafts(found: Rounds, *, j_per_s: float = 0.0, energy_weight: float = 1.0) -> int:
    """Number of drafts with the least joules plus priced seconds per token."""
    return int(np.argmin(energy_weight * found.j_per_tok + j_per_s * found.tpot_s))


def _drafts(small: LayerProfile, device: Stage, context_tok: float, n: int) -> tuple[float, float]:
    """Time and energy of n drafts one after the other."""
    if n == 0:
        return 0.0, 0.0
    cost = pass_cost(small, device, decode_pass(small, context_tok, float(n)))
    return n * float(cost.layer_s.sum() + cost.fixed_s), n * float(
        cost.layer_j.sum() + cost.fixed_j
    )


def _network(
    hop: Hop | None, k: npt.NDArray[np.int64], out: FloatArray, draft_byte: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Bytes up and down, time waited for, and joules of radio and network. [number]."""
    if hop is None:
        none = np.zeros(len(k))
        return none, none, none, none, none
    up = np.where(k > 0, k * draft_byte + hop.header_byte, 0.0)
    down = out * TEXT_BYTE_PER_TOK + hop.header_byte
    up_s, down_s = 8.0 * up / hop.up_bps, 8.0 * down / hop.down_bps
    waited = np.where(k > 0, up_s + down_s + hop.rtt_s, 0.0)
    radio_j = hop.sender_w * up_s + hop.receiver_w * down_s
    network_j = 8.0 * (hop.up_j_per_bit * up + hop.down_j_per_bit * down)
    return up, down, waited, radio_j, network_j
