"""Moving a cut within an answer: what follows the layers, what it costs, and when it pays."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt

from tree6g.compute.splitting.hop import Hop
from tree6g.compute.splitting.profile import LayerProfile
from tree6g.compute.splitting.stage import Stage, pass_cost, prompt_pass
from tree6g.compute.stream import FloatArray


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moves:
    """Moving the cut of a running answer to every cut; at the present one all is zero. [cut].

    Keys and values of the layers between are either sent, or computed anew where they are needed.

    Attributes:
        sent_byte: Bytes if they are sent.
        send_s: Time to send them.
        send_j: Energy to send them.
        again_byte: Bytes if they are computed anew: the tokens so far, to the server.
        again_s: Time to compute them anew; infinite where that is not allowed.
        again_j: Energy to compute them anew; infinite where that is not allowed.
        again_compute_j: Of this, what the new holder's accelerator takes.
    """

    sent_byte: FloatArray
    send_s: FloatArray
    send_j: FloatArray
    again_byte: FloatArray
    again_s: FloatArray
    again_j: FloatArray
    again_compute_j: FloatArray

    def recomputed(self, j_per_s: float = 0.0) -> npt.NDArray[np.bool_]:
        """Where computing anew is cheaper, with a second priced in joules. [cut]."""
        return self.again_j + j_per_s * self.again_s < self.send_j + j_per_s * self.send_s

    def cheaper(self, j_per_s: float = 0.0) -> tuple[FloatArray, FloatArray]:
        """Time and energy of the cheaper way to each cut. [cut]."""
        again = self.recomputed(j_per_s)
        return (
            np.where(again, self.again_s, self.send_s),
            np.where(again, self.again_j, self.send_j),
        )


def moves(
    profile: LayerProfile,
    device: Stage,
    server: Stage,
    hop: Hop,
    *,
    cut: int,
    context_tok: float,
    private: bool = False,
    kept_hidden: bool = False,
) -> Moves:
    """What it costs to move the cut of an answer that has come to a context.

    Layers between the cuts change hands with their keys, values and state:
    min(context, window) kv + state bytes each. Or the new holder passes the tokens so far through
    all layers up to the further cut again; the device may go on from the hidden values that it sent
    up, if it kept them. Both places hold the weights already; loading them is not counted.

    Args:
        profile: The model.
        device: The lower place.
        server: The upper place.
        hop: Between them.
        cut: Layers on the device now.
        context_tok: Tokens so far.
        private: The tokens must not reach the server, so that it cannot compute anew.
        kept_hidden: The device kept the hidden values of every token that it sent up.
    """
    targets = np.arange(profile.layers + 1)
    seen = np.minimum(context_tok, profile.window_tok)
    below = np.append(0.0, np.cumsum(seen * profile.kv_byte_per_tok + profile.state_byte))
    between = np.abs(below - below[cut])
    sent = np.where(targets == cut, 0.0, between + hop.header_byte)
    text = context_tok * profile.input_byte_per_tok + hop.header_byte
    again = np.where(targets < cut, text, 0.0)
    passed = [
        _again(profile, device, server, cut, int(t), context_tok, kept_hidden) for t in targets
    ]
    extra_s, extra_j = _sending(hop, again, targets < cut)
    forbidden = private & (targets < cut)
    compute_s, compute_j = (np.array(column) for column in zip(*passed, strict=True))
    return Moves(
        sent_byte=sent,
        send_s=_sending(hop, sent, targets < cut)[0],
        send_j=_sending(hop, sent, targets < cut)[1],
        again_byte=again,
        again_s=np.where(forbidden, np.inf, extra_s + compute_s),
        again_j=np.where(forbidden, np.inf, extra_j + compute_j),
        again_compute_j=compute_j,
    )


def recut(
    loss_per_tok: FloatArray,
    move_loss: FloatArray,
    *,
    cut: int,
    rest_tok: float,
    hysteresis_frac: float = 0.5,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> int:
    """The cut to go on with.

    Moves to the cut with the largest net saving: what the rest of the answer loses less there,
    were the link to stay as it is, less (1 + hysteresis) times what moving loses; stays where none
    is positive. The hysteresis stands for the risk that the link does not stay. Losses may be
    joules, seconds, or utility not earned: only the same for both.

    Args:
        loss_per_tok: What a token costs at each cut over the link as it is now. [cut]
        move_loss: What moving to each cut costs. [cut]
        cut: The present cut.
        rest_tok: Tokens still expected.
        hysteresis_frac: How much more than the price of moving a move must save, relative to it.
        allowed: Cuts that fit into the memory of the places. [cut]
    """
    saving = rest_tok * (loss_per_tok[cut] - loss_per_tok) - (1.0 + hysteresis_frac) * move_loss
    saving[cut] = 0.0
    if allowed is not None:
        saving = np.where(allowed, saving, -np.inf)
        saving[cut] = 0.0
    return int(np.argmax(saving)) if saving.max() > 0.0 else cut


def _again(
    profile: LayerProfile,
    device: Stage,
    server: Stage,
    cut: int,
    target: int,
    context_tok: float,
    kept_hidden: bool,  # noqa: FBT001
) -> tuple[float, float]:
    if target == cut:
        return 0.0, 0.0
    to_device = target > cut
    first = cut if to_device and kept_hidden else 0
    part = profile.part(first, max(cut, target))
    place = device if to_device else server
    cost = pass_cost(part, place, prompt_pass(part, context_tok))
    return float(cost.layer_s.sum() + cost.fixed_s), float(cost.layer_j.sum() + cost.fixed_j)


def _sending(
    hop: Hop, byte: FloatArray, upwards: npt.NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Time and energy of a transfer with its order and its receipt; nothing for no bytes."""
    bit = 8.0 * byte
    air_s = np.where(upwards, bit / hop.up_bps, bit / hop.down_bps)
    radio = np.where(upwards, hop.sender_w, hop.receiver_w) * air_s
    network = np.where(upwards, hop.up_j_per_bit, hop.down_j_per_bit) * bit
    return air_s + hop.rtt_s * (byte > 0.0), radio + network
