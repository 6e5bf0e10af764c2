"""Time and energy of one iteration of an inference engine: roofline plus power model.

Per iteration of a replica on G accelerators (LLM inference with continuous batching, dense models):

    t = hypot(W / (G BW eta_w), FLOP / (G F eta_c)) + KV / (G BW eta_kv)
        + L t_layer + n_seq t_seq + t_0 + communication
    E = min(G P_static t + e_byte bytes + e_flop FLOP, G TDP t)

W are the bytes of the weights, FLOP the matrix products and the attention of prefill, KV the bytes
of keys and values that are read; attention of decode is bound by KV and enters the energy only.
Communication of tensor parallelism: 2 L all-reduces, 4 L tokens d b (G-1)/G bytes over the links.

Valid for dense decoders in steady serving. Error against ML.ENERGY v3, chat in bf16 on one H100,
batch 8 to 768: energy per output token of Llama-3.1-8B within 10 % (median 4 %), of Qwen3-8B within
14 % (median 4 %); see `tests/validation/test_roofline_against_measurements.py`. These rows are part
of the set that the constants of `h100-sxm` were fitted to, so this is the error of a fit; families
left out of it had a median of 8.8 % (dense, P90 23 %). Elsewhere a priori, +-40 %.
The cap only bounds energy: that a capped device also slows down is not modelled.
"""

from __future__ import annotations

import dataclasses
import math

from tree6g.compute.accelerator import BYTE_PER_PARAMETER, Accelerator, LanguageModel, Weights
from tree6g.errors import InfeasibleError

MEMORY_FRAC = 0.9  # share of memory that an engine takes for weights and KV cache (vLLM's default)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """The constants of one iteration of a model on its accelerators.

    Attributes:
        weight_s: Time to read the weights once.
        weight_byte: Their bytes.
        flop_s: Seconds per FLOP.
        prompt_flop_per_tok: Matrix FLOP per prompt token, head excluded.
        body_flop_per_tok: Matrix FLOP per decoded token, head excluded.
        head_flop: FLOP of the head per sampled token.
        attention_flop: FLOP of attention per token and token of context.
        kv_s_per_tok: Time to read the keys and values of a token.
        kv_byte_per_tok: Their bytes.
        fixed_s: Time per iteration that nothing changes.
        sequence_s: Time per sequence.
        link_s_per_tok: Time per token for tensor parallelism.
        idle_w: Power of the waiting replica, all of its accelerators.
        static_w: Power of an empty iteration.
        limit_w: Power limit.
        j_per_byte: Energy per byte.
        j_per_flop: Energy per FLOP.
        kv_capacity_tok: Tokens of context that fit.
        u95_frac: Uncertainty of its energy.
    """

    weight_s: float
    weight_byte: float
    flop_s: float
    prompt_flop_per_tok: float
    body_flop_per_tok: float
    head_flop: float
    attention_flop: float
    kv_s_per_tok: float
    kv_byte_per_tok: float
    fixed_s: float
    sequence_s: float
    link_s_per_tok: float
    idle_w: float
    static_w: float
    limit_w: float
    j_per_byte: float
    j_per_flop: float
    kv_capacity_tok: float
    u95_frac: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one iteration works on.

    Attributes:
        prompt_tok: Prompt tokens computed.
        prompt_area_tok2: Sum over prompt tokens of the context that each attends to.
        prefix_tok: Context of earlier chunks that is read again for them.
        decoding: Sequences that get one token each.
        context_tok: Sum of their contexts.
        sampled: Tokens sampled: the decoding sequences and the prompts that end here.
        sequences: Sequences in the iteration.
    """

    prompt_tok: float = 0.0
    prompt_area_tok2: float = 0.0
    prefix_tok: float = 0.0
    decoding: float = 0.0
    context_tok: float = 0.0
    sampled: float = 0.0
    sequences: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and energy of an iteration."""

    time_s: float
    energy_j: float


def replica(
    accelerator: Accelerator,
    model: LanguageModel,
    *,
    weights: Weights = "fp16",
    count: int = 1,
    share_frac: float = 1.0,
) -> Replica:
    """A model on its accelerators.

    Args:
        accelerator: The device.
        model: The model.
        weights: Precision of the weights.
        count: Devices, used with tensor parallelism.
        share_frac: Part of compute, bandwidth and active power that the model may use, as with
            partitioned GPUs; memory, idle power and host times stay whole.

    Raises:
        InfeasibleError: The weights do not fit, or the device has no link to peers.
    """
    stored = model.parameters * BYTE_PER_PARAMETER[weights]
    room = count * accelerator.memory_byte * MEMORY_FRAC - stored
    if room < model.kv_byte_per_tok:
        raise InfeasibleError(
            f"expected model '{model.name}' in {weights} ({stored / 1e9:.3g} GB) to fit into "
            f"{MEMORY_FRAC:.0%} of {count} x '{accelerator.name}' "
            f"({accelerator.memory_byte / 1e9:.3g} GB each). Use more accelerators or fewer bits."
        )
    if count > 1 and accelerator.interconnect_byte_per_s is None:
        raise InfeasibleError(
            f"expected count: 1 for '{accelerator.name}', which has no link to peers; got {count}."
        )
    bandwidth = count * share_frac * accelerator.bandwidth_byte_per_s
    compute = count * share_frac * accelerator.flop_per_s[weights]
    read = (model.parameters - model.vision_parameters) * BYTE_PER_PARAMETER[weights]
    idle_w = accelerator.idle_context_w
    return Replica(
        weight_s=read / (bandwidth * accelerator.weight_efficiency_frac),
        weight_byte=read,
        flop_s=1.0 / (compute * accelerator.compute_efficiency_frac[weights]),
        prompt_flop_per_tok=2.0 * (model.body_parameters + model.vision_parameters),
        body_flop_per_tok=2.0 * model.body_parameters,
        head_flop=2.0 * model.head_parameters,
        attention_flop=4.0 * model.layers * model.heads * model.head_dim,
        kv_s_per_tok=model.kv_byte_per_tok / (bandwidth * accelerator.kv_efficiency_frac),
        kv_byte_per_tok=model.kv_byte_per_tok,
        fixed_s=accelerator.step_s + model.layers * _layer_s(accelerator, count),
        sequence_s=accelerator.sequence_s,
        link_s_per_tok=_link_s_per_tok(accelerator, model, count),
        idle_w=count * idle_w,
        static_w=count * (idle_w + share_frac * (accelerator.static_w - idle_w)),
        limit_w=count * (idle_w + share_frac * (accelerator.tdp_w - idle_w)),
        j_per_byte=accelerator.energy_j_per_byte,
        j_per_flop=accelerator.energy_j_per_flop,
        kv_capacity_tok=room / model.kv_byte_per_tok,
        u95_frac=accelerator.u95_frac,
    )


def iteration(r: Replica, batch: Batch) -> Cost:
    """Time and energy of one iteration, idle power of its duration included.

    Equation and validity: see the module.
    """
    prefill_area = r.attention_flop * batch.prompt_area_tok2
    products = (
        r.prompt_flop_per_tok * batch.prompt_tok
        + r.body_flop_per_tok * batch.decoding
        + r.head_flop * batch.sampled
    )
    read_tok = batch.context_tok + batch.prefix_tok
    tokens = batch.prompt_tok + batch.decoding
    time_s = (
        math.hypot(r.weight_s, (products + prefill_area) * r.flop_s)
        + r.kv_s_per_tok * read_tok
        + r.fixed_s
        + r.sequence_s * batch.sequences
        + r.link_s_per_tok * tokens
    )
    flop = products + prefill_area + r.attention_flop * batch.context_tok
    moved = r.weight_byte + r.kv_byte_per_tok * (read_tok + tokens)
    energy_j = r.static_w * time_s + r.j_per_byte * moved + r.j_per_flop * flop
    return Cost(time_s=time_s, energy_j=min(energy_j, r.limit_w * time_s))


def prompt_batch(tokens: float, done: float = 0.0) -> Batch:
    """The iteration that computes `tokens` of a prompt of which `done` are in the cache."""
    return Batch(
        prompt_tok=tokens,
        prompt_area_tok2=tokens * done + 0.5 * tokens**2,
        prefix_tok=done,
        sampled=1.0,
        sequences=1.0,
    )


def decode_batch(sequences: float, context_tok: float) -> Batch:
    """The iteration that decodes one token for each of `sequences`, contexts summed up."""
    return Batch(
        decoding=sequences, context_tok=context_tok, sampled=sequences, sequences=sequences
    )


def saturated(r: Replica, batch: float, input_tok: float, output_tok: float, cv: float) -> Cost:
    """Mean iteration of a replica that always serves `batch` sequences; energy / batch = J/token.

    Each finished sequence is replaced at once, so an iteration computes batch / output_tok prompts;
    the mean context is length-biased: in + E[out^2] / (2 E[out]).

    Args:
        r: The replica.
        batch: Sequences that are decoded together.
        input_tok: Mean prompt length.
        output_tok: Mean output length.
        cv: Coefficient of variation of the output length.
    """
    context = input_tok + 0.5 * output_tok * (1.0 + cv**2)
    prompts = batch / output_tok
    work = Batch(
        prompt_tok=prompts * input_tok,
        prompt_area_tok2=prompts * 0.5 * input_tok**2,
        decoding=batch,
        context_tok=batch * context,
        sampled=batch,
        sequences=batch,
    )
    return iteration(r, work)


def _layer_s(accelerator: Accelerator, count: int) -> float:
    return accelerator.layer_s + (2.0 * accelerator.allreduce_s if count > 1 else 0.0)


def _link_s_per_tok(accelerator: Accelerator, model: LanguageModel, count: int) -> float:
    if count == 1 or accelerator.interconnect_byte_per_s is None:
        return 0.0
    sent_byte = 4.0 * model.layers * model.hidden * 2.0 * (count - 1) / count
    return sent_byte / accelerator.interconnect_byte_per_s
