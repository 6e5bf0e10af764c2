"""What a request is expected to take and to bring at a host: what policies may ask for.

Joules are above idle, and those by which the network's rise if the request goes there:

    prompt  E(decoding batch + prompt) - E(decoding batch)
    answer  (N - 1) (E(n + 1 sequences) - E(n sequences))

with E the energy of an iteration above idle (`compute.roofline.iteration`), n the sequences that
the server has or expects, and N the service's mean answer. A request that finds the batch empty
pays for reading the weights; one that joins others pays for its own bytes and FLOP. All contexts
are taken to be this request's, the prompt and half of the answer; n stays as it is. A request that
has a server to itself comes out within a per cent of what the server then takes, for an answer of
mean length; in a batch joules are as good as the guess that it stays the same.

Radio: bits over the terminal's rate, at the power of the cell above sleep and of the terminal while
it sends. Transport: joules per bit.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np

from tree6g import data
from tree6g.compute.model.footprint import footprint
from tree6g.compute.replica import Replica
from tree6g.compute.roofline import Batch, Cost, decode_batch, iteration, prompt_batch
from tree6g.engine.crowd import DOWN, UP
from tree6g.engine.inference import TEXT_BYTE_PER_TOK
from tree6g.engine.paths import energy_j_per_bit
from tree6g.engine.policies import Prospect
from tree6g.engine.split_answers import above_sleep_w
from tree6g.engine.world import Ai, Host, World
from tree6g.metric.profile import Profile
from tree6g.metric.utility import utility_bps
from tree6g.scenario.model_config import architecture

STEPS: Final = 64  # lengths are rounded to as many steps per doubling, at most 0.8 % off
FEW_STEPS: Final = 4  # of the batch that a prompt joins, which changes little of its own joules


def prospect(world: World, host: Host, request: int, ttft_s: float) -> Prospect:
    """What a request takes and brings at a host, if its first token comes after `ttft_s`."""
    service = world.service_of(request)
    prompt_tok = int(world.requests.prompt_tok[request])
    output_tok = world.mean_output_tok[service.spec.name]
    tpot_s, compute_j = computing(host, prompt_tok, output_tok)
    radio_j, terminal_j, link_j = _carrying(world, host, request, output_tok)
    whole, on_time = worths(
        service, host.model, prompt_tok=prompt_tok, output_tok=output_tok,
        ttft_s=ttft_s, tpot_s=tpot_s,
    )  # fmt: skip
    return Prospect(
        tpot_s=tpot_s,
        compute_j=host.pue * compute_j,
        radio_j=radio_j,
        terminal_j=terminal_j,
        link_j=link_j,
        worth_beq=whole,
        on_time_beq=on_time,
        parameters=parameters(host.model),
    )


@lru_cache(maxsize=1024)
def parameters(model: str) -> float:
    """Parameters of a model."""
    return float(footprint(architecture(model)).parameters)


@lru_cache(maxsize=1024)
def quality_min_frac(token_class: str) -> float:
    """Least quality that a token service class asks for; 0 if it states none."""
    found = data.row("token_classes", token_class).get("quality_min_frac")
    return 0.0 if found is None else float(found)


def computing(host: Host, prompt_tok: int, output_tok: float) -> tuple[float, float]:
    """Seconds per token of an answer, and the joules above idle that it adds at a host."""
    others = 0
    if host.batch is not None:
        there = host.batch.running + host.batch.queued + host.coming
        others = min(there, host.batch.limits.max_sequences - 1)
    context = _rounded(prompt_tok + 0.5 * output_tok)
    beside = _rounded(others, FEW_STEPS) if others else 0
    prompt_j = _prompt_j(
        host.replica, _rounded(prompt_tok), beside, _rounded(context, FEW_STEPS) if beside else 0
    )
    tpot_s, token_j = _token(host.replica, others, context)
    return tpot_s, prompt_j + max(output_tok - 1.0, 0.0) * token_j


def _rounded(tok: float, steps: int = STEPS) -> int:
    """A length with as many digits as it needs, so that what was worked out serves again."""
    step = max(1, 2 ** math.floor(math.log2(max(tok, 1.0))) // steps)
    return max(1, round(tok / step)) * step


def _token(r: Replica, others: int, context_tok: int) -> tuple[float, float]:
    """Time of an iteration with one more sequence, and the joules that this one adds."""
    time_s, joules = _decoded(r, others + 1, context_tok)
    return time_s, joules - _decoded(r, others, context_tok)[1]


@lru_cache(maxsize=65536)
def _prompt_j(r: Replica, prompt_tok: int, others: int, context_tok: int) -> float:
    """Joules that a prompt adds to an iteration that decodes the others."""
    alone = prompt_batch(float(prompt_tok), window_tok=r.window_tok)
    decoding = _decoding(r, others, context_tok)
    both = Batch(
        prompt_tok=alone.prompt_tok,
        prompt_area_tok2=alone.prompt_area_tok2,
        window_area_tok2=alone.window_area_tok2,
        decoding=decoding.decoding,
        context_tok=decoding.context_tok,
        window_context_tok=decoding.window_context_tok,
        sampled=decoding.sampled + 1.0,
        sequences=decoding.sequences + 1.0,
        prompts_frac=1.0,
    )
    return _above_idle_j(r, iteration(r, both)) - _decoded(r, others, context_tok)[1]


def _decoding(r: Replica, sequences: int, context_tok: int) -> Batch:
    window_tok = min(float(context_tok), r.window_tok)
    return decode_batch(float(sequences), sequences * float(context_tok), sequences * window_tok)


@lru_cache(maxsize=65536)
def _decoded(r: Replica, sequences: int, context_tok: int) -> tuple[float, float]:
    """Time and joules above idle of an iteration; without sequences there is none."""
    if not sequences:
        return 0.0, 0.0
    cost = iteration(r, _decoding(r, sequences, context_tok))
    return float(cost.time_s), _above_idle_j(r, cost)


def _above_idle_j(r: Replica, cost: Cost) -> float:
    return float(cost.energy_j - r.idle_w * cost.time_s)


def _carrying(
    world: World, host: Host, request: int, output_tok: float
) -> tuple[float, float, float]:
    """Joules of cell, terminal's radio and transport for a prompt and the mean answer."""
    if host.batch is None:
        return 0.0, 0.0, 0.0
    service = world.service_of(request)
    up_bit = prompt_bit(service, int(world.requests.prompt_tok[request]))
    down_bit = answer_bit(service, output_tok)
    terminal = int(world.terminal_of(request))
    cell = world.cells[int(world.radio.users.serving[terminal])]
    name, rates = service.spec.name, world.radio.rate_bps
    up_s = cell.uplink.time_frac * _over(up_bit, float(rates[UP][name][terminal]))
    down_s = cell.downlink.time_frac * _over(down_bit, float(rates[DOWN][name][terminal]))
    station = cell.rest.station
    radio_j = up_s * above_sleep_w(cell, station.uplink_w)
    radio_j += down_s * above_sleep_w(cell, station.downlink_w)
    terminal_j = up_s * world.scenario.population.terminal.anchor_power_w
    link_j = energy_j_per_bit(world, host.link, cell.site_index) * (up_bit + down_bit)
    return radio_j, terminal_j, link_j


def prompt_bit(service: Ai, prompt_tok: int) -> float:
    """Bits of a prompt on the uplink."""
    spec = service.spec
    return 8.0 * (spec.prompt_byte_per_tok * prompt_tok + spec.request_overhead_byte)


def answer_bit(service: Ai, output_tok: float) -> float:
    """Bits of an answer on the downlink: its chunks, and the text of further tokens in them."""
    chunks = max(output_tok / service.spec.tokens_per_chunk, 1.0) if service.streams else 1.0
    text_byte = (output_tok - chunks) * TEXT_BYTE_PER_TOK
    return 8.0 * (chunks * service.spec.chunk_byte + text_byte)


def _over(bit: float, rate_bps: float) -> float:
    return bit / rate_bps if rate_bps > 0.0 else math.inf


def worths(
    service: Ai, model: str, *, prompt_tok: int, output_tok: float, ttft_s: float, tpot_s: float
) -> tuple[float, float]:
    """Worth of a request in bit-equivalents: if all of it is on time, and as it is expected.

    w U(T) span with T the effective tokens over the span: the averaging interval of the profile, or
    the answer's own time if that is longer, as though the request had its utility unit for itself.
    For a linear U that is w alpha times the tokens, whatever the span.
    """
    profile, spec = service.profile, service.spec
    quality = spec.quality.get(model, 1.0)
    span_s = max(profile.interval_s, ttft_s + (output_tok - 1.0) * tpot_s)
    input_tok, answer_tok = on_time_tok(profile, prompt_tok, output_tok, ttft_s, tpot_s)
    found = []
    for parts in ((prompt_tok, output_tok), (input_tok, answer_tok)):
        tokens = quality * (profile.k_in * parts[0] + profile.k_out * parts[1])
        if profile.curve.linear and profile.curve.family == "linear":
            found.append(spec.weight * profile.curve.alpha_bit_per_tok * tokens)
        else:
            rate_bps = float(utility_bps(np.array(tokens / span_s), profile.curve))
            found.append(spec.weight * rate_bps * span_s)
    return found[0], found[1]


def on_time_tok(
    profile: Profile, prompt_tok: float, output_tok: float, ttft_s: float, tpot_s: float
) -> tuple[float, float]:
    """Prompt and answer tokens that count if they come at an even pace (METRIC rule 5).

    Token n comes at ttft + (n - 1) tpot and is due at TTFT budget + (n - 1) TPOT budget; without
    streaming all come at the end and are due at the deadline. Late ones count `late_frac` each.
    """
    rest_tok = output_tok - 1.0
    if profile.deadline_s is not None:
        first = ttft_s + rest_tok * tpot_s <= profile.deadline_s
        timely_tok = output_tok if first else 0.0
    elif profile.ttft_budget_s is None:
        first, timely_tok = True, output_tok
    else:
        spare_s = profile.ttft_budget_s - ttft_s
        gain_s = (profile.tpot_budget_s or 0.0) - tpot_s
        first = spare_s >= 0.0
        timely_tok = _timely_tok(spare_s, gain_s, output_tok)
    late = profile.late_frac
    return (
        prompt_tok * (1.0 if first else late),
        timely_tok + late * (output_tok - timely_tok),
    )


def _timely_tok(spare_s: float, gain_s: float, output_tok: float) -> float:
    """Tokens n with spare + (n - 1) gain >= 0, of an answer from 1 to its length."""
    if spare_s >= 0.0:
        if gain_s >= 0.0:
            return output_tok
        return min(output_tok, 1.0 + math.floor(spare_s / -gain_s))
    if gain_s <= 0.0:
        return 0.0
    return max(0.0, output_tok - math.ceil(-spare_s / gain_s))
