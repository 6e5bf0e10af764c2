"""Time and energy of one iteration of an inference engine: roofline plus power model.

Per iteration of a replica on G accelerators (LLM inference with continuous batching):

    t = hypot(W / (G BW eta_w), FLOP / (G F eta_c)) + KV / (G BW eta_kv)
        + L (t_layer + [prompts] t_prompt) + L_moe t_expert + n_seq t_seq (1 + c log2 G)
        + communication
    E = G P_static t + e_byte W + e_kv KV + e_flop FLOP
    t is stretched until E <= G P_limit t: a device at its limit slows down.

W are the bytes of the weights that are read: all dense ones, and of the routed experts the share
p(n) = 1 - (1 - k/E)^n that n tokens with k of E experts each touch on average if routing is even.
FLOP are the matrix products, the attention of prompts, and the empty rows that grouped products of
experts compute: a tile of rows for each expert touched. KV are the bytes of keys and values that
are read; attention over them is bound by their bytes. Communication: two all-reduces per layer and
4 L tokens d b (G-1)/G bytes over the links. With expert parallelism attention is sharded as with
tensor parallelism and the experts' outputs are all-reduced, as vLLM does with one data-parallel
rank; exchanges of data-parallel attention are not modelled. With pipeline stages the batch is cut
into as many parts, and each stage reads its weights once per part.

Valid for serving under load: leaving model families out, the median error of energy per output
token was 12 % on ML.ENERGY v3 (H100 and B200, vLLM 0.11.1; dense 10 %, experts 15 %, 90 % below
34 %) and 7.6 % on v2 (A100 and H100, vLLM of 2024); `tree6g validate llm-energy` prints it. The
structure was chosen while looking at these figures, so they are somewhat optimistic; constants were
fitted without the family that is judged. On accelerators nobody fitted: constants of the H100 moved
to the B200 were off by 17 % (median) and less than 52 % for 95 % of the runs. A device at its power
limit is taken to slow down at the voltage of its highest clock; real ones lower both, so energy at
the limit is an upper bound. Sampling, detokenisation and vision encoders' latency are inside the
host terms.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from tree6g.compute.replica import Quantity, Replica


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one iteration works on; contexts in a window count at most the window.

    Attributes:
        prompt_tok: Prompt tokens computed.
        prompt_area_tok2: Sum over prompt tokens of the context that each attends to.
        window_area_tok2: The same inside the window.
        prefix_tok: Context of earlier chunks that is read again for them.
        window_prefix_tok: The same inside the window.
        decoding: Sequences that get one token each.
        padded: Sequences that are computed for them: the captured graph's size, if larger.
        context_tok: Sum of the decoding sequences' contexts.
        window_context_tok: The same inside the window.
        sampled: Tokens sampled: the decoding sequences and the prompts that end here.
        sequences: Sequences in the iteration.
        prompts_frac: Share of such iterations with prompts in them: 0 or 1 for a single one.
    """

    prompt_tok: Quantity = 0.0
    prompt_area_tok2: Quantity = 0.0
    window_area_tok2: Quantity = 0.0
    prefix_tok: Quantity = 0.0
    window_prefix_tok: Quantity = 0.0
    decoding: Quantity = 0.0
    padded: Quantity = 0.0
    context_tok: Quantity = 0.0
    window_context_tok: Quantity = 0.0
    sampled: Quantity = 0.0
    sequences: Quantity = 0.0
    prompts_frac: Quantity = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and energy of an iteration."""

    time_s: Quantity
    energy_j: Quantity


def iteration(r: Replica, batch: Batch) -> Cost:
    """Time and energy of one iteration, idle power of its duration included.

    Equation and validity: see the module. Arrays in the records give arrays.
    """
    tokens = batch.prompt_tok + np.maximum(batch.padded, batch.decoding)
    touched = -np.expm1(-r.expert_rate * tokens)
    sampled = batch.sampled + np.maximum(batch.padded - batch.decoding, 0.0)
    flop = (
        r.prompt_flop_per_tok * batch.prompt_tok
        + r.body_flop_per_tok * (tokens - batch.prompt_tok)
        + r.head_flop * sampled
        + r.expert_flop * touched
        + r.attention_flop * batch.prompt_area_tok2
        + r.window_attention_flop * batch.window_area_tok2
    )
    read_tok = batch.context_tok + batch.prefix_tok
    window_tok = batch.window_context_tok + batch.window_prefix_tok
    free_s = (
        np.hypot(r.weight_s + r.expert_s * touched, flop * r.flop_s)
        + r.kv_s_per_tok * read_tok
        + r.window_kv_s_per_tok * window_tok
        + (r.state_s + r.sequence_s) * batch.sequences
        + r.fixed_s
        + r.prompt_s * batch.prompts_frac
        + r.token_s * tokens
    )
    kept_byte = r.kv_byte_per_tok * (read_tok + tokens) + r.window_kv_byte_per_tok * (
        window_tok + tokens
    )
    moved_byte = r.weight_byte + r.expert_byte * touched + r.state_byte * batch.sequences
    flop = (
        flop
        + r.decode_attention_flop * batch.context_tok
        + r.window_decode_attention_flop * batch.window_context_tok
    )
    dynamic_j = r.j_per_byte * moved_byte + r.j_per_kv_byte * kept_byte + r.j_per_flop * flop
    time_s = np.maximum(free_s, dynamic_j / (r.limit_w - r.static_w))
    return Cost(time_s=time_s, energy_j=r.static_w * time_s + dynamic_j)


def window_area_tok2(start: Quantity, end: Quantity, window: Quantity) -> Quantity:
    """Integral of min(position, window): what a chunk's tokens attend to inside a window."""
    low, high = np.minimum(start, window), np.minimum(end, window)
    return 0.5 * (high**2 - low**2) + window * ((end - high) - (start - low))


def prompt_batch(tokens: Quantity, done: Quantity = 0.0, window_tok: Quantity = 0.0) -> Batch:
    """The iteration that computes `tokens` of a prompt of which `done` are in the cache."""
    return Batch(
        prompt_tok=tokens,
        prompt_area_tok2=tokens * done + 0.5 * tokens**2,
        window_area_tok2=window_area_tok2(done, done + tokens, window_tok),
        prefix_tok=done,
        window_prefix_tok=np.minimum(done, window_tok),
        sampled=1.0,
        sequences=1.0,
        prompts_frac=1.0,
    )


def decode_batch(
    sequences: Quantity, context_tok: Quantity, window_context_tok: Quantity = 0.0
) -> Batch:
    """The iteration that decodes one token for each of `sequences`, contexts summed up."""
    return Batch(
        decoding=sequences,
        context_tok=context_tok,
        window_context_tok=window_context_tok,
        sampled=sequences,
        sequences=sequences,
    )


def saturated(
    r: Replica, batch: Quantity, input_tok: Quantity, output_tok: Quantity, cv: Quantity
) -> Cost:
    """Mean iteration of a replica that always serves `batch` sequences; energy / batch = J/token.

    Each finished sequence is replaced at once, so an iteration computes batch / output_tok prompts
    on average, none of them in exp(-batch / output_tok) of the iterations; the mean context is
    length-biased: in + E[out^2] / (2 E[out]).

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
        window_area_tok2=prompts * window_area_tok2(0.0, input_tok, r.window_tok),
        decoding=batch,
        context_tok=batch * context,
        window_context_tok=batch * np.minimum(context, r.window_tok),
        sampled=batch,
        sequences=batch,
        prompts_frac=-np.expm1(-prompts),
    )
    return iteration(r, work)


def median_gap_s(
    r: Replica, batch: Quantity, input_tok: Quantity, output_tok: Quantity, cv: Quantity
) -> Quantity:
    """Time between two tokens of an answer that half of the gaps stay below, under saturation.

    That of an iteration without prompts while these are the more frequent ones, else of one with
    the prompts that come in one. Arguments as of `saturated`.
    """
    context = input_tok + 0.5 * output_tok * (1.0 + cv**2)
    seen = np.minimum(context, r.window_tok)
    plain = decode_batch(batch, batch * context, batch * seen)
    prompts_frac = -np.expm1(-batch / output_tok)
    prompts = batch / output_tok / prompts_frac
    mixed = dataclasses.replace(
        plain,
        prompt_tok=prompts * input_tok,
        prompt_area_tok2=prompts * 0.5 * input_tok**2,
        window_area_tok2=prompts * window_area_tok2(0.0, input_tok, r.window_tok),
        prompts_frac=1.0,
    )
    return np.where(prompts_frac < 0.5, iteration(r, plain).time_s, iteration(r, mixed).time_s)


def alone(
    r: Replica, input_tok: Quantity, output_tok: Quantity, prompt_frac: Quantity = 1.0
) -> Cost:
    """A request that has the replica to itself: its prompt, then its answer token by token.

    Seconds and joules per output token, at the mean context of the answer, as published tables of
    single devices state them: an iteration of decoding and the prompt's share.

    Args:
        r: The replica.
        input_tok: Prompt length.
        output_tok: Answer length.
        prompt_frac: 1 with the prompt's share, 0 for decoding only.
    """
    context = input_tok + 0.5 * output_tok
    step = iteration(r, decode_batch(1.0, context, np.minimum(context, r.window_tok)))
    prompt = iteration(r, prompt_batch(input_tok, window_tok=r.window_tok))
    share = prompt_frac / output_tok
    return Cost(
        time_s=step.time_s + share * prompt.time_s,
        energy_j=step.energy_j + share * prompt.energy_j,
    )
