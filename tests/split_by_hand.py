"""Splits by plain loops: every cut, every pass over layers, written apart from the package.

Only the records are shared. Passes of decode are taken one by one in time and energy of contexts,
not by closed forms.
"""

from __future__ import annotations

import math

import numpy as np

from tree6g.compute.splitting.hop import Hop, compression
from tree6g.compute.splitting.profile import LayerProfile, Work, profile
from tree6g.compute.splitting.stage import Stage


def random_case(seed, *, places=2, layers=None):
    """A random model, its places and hops, a request and a packing."""
    rng = np.random.default_rng(seed)
    count = layers or int(rng.integers(1, 20))
    cnn = rng.random() < 0.3
    model = random_network(rng, count) if cnn else random_decoder(rng, count)
    loads = [1.0, *rng.choice([1.0, 4.0, 32.0, 200.0], places - 1)]
    stages = [random_stage(rng, k, float(load)) for k, load in enumerate(loads)]
    hops = [random_hop(rng) for _ in range(places - 1)]
    work = Work(prompt_tok=1, output_tok=1) if cnn else random_work(rng)
    kind = str(rng.choice(["fp32", "fp16", "int8", "int4", "topk"]))
    return model, stages, hops, work, compression(kind, quality_frac=float(rng.uniform(0.8, 1.0)))


def random_work(rng):
    return Work(prompt_tok=int(rng.integers(1, 500)), output_tok=int(rng.integers(1, 60)))


def random_decoder(rng, count) -> LayerProfile:
    wide = 10.0 ** rng.uniform(2.0, 4.0)
    experts = rng.random(count) < 0.3
    return profile(
        "random decoder",
        flop_per_tok=24.0 * wide**2 * rng.uniform(0.5, 1.5, count),
        sampled_flop=np.append(np.zeros(count - 1), 2.0 * 1e5 * wide),
        attention_flop=4.0 * wide * rng.integers(0, 2, count),
        window_tok=np.where(rng.random(count) < 0.3, rng.integers(1, 400, count), np.inf),
        weight_byte=24.0 * wide**2 * rng.uniform(0.5, 1.5, count),
        expert_byte=np.where(experts, 100.0 * wide**2, 0.0),
        expert_frac=np.where(experts, rng.uniform(0.01, 0.5, count), 0.0),
        kv_byte_per_tok=wide * rng.uniform(0.0, 1.0, count),
        state_byte=wide * rng.integers(0, 2, count),
        cut_value_per_tok=[*(wide * rng.uniform(0.2, 1.0, count)), 1.0],
        output_head=True,
    )


def random_network(rng, count) -> LayerProfile:
    return profile(
        "random network",
        flop_per_tok=10.0 ** rng.uniform(6.0, 9.0, count),
        weight_byte=10.0 ** rng.uniform(3.0, 8.0, count),
        cut_value_per_tok=10.0 ** rng.uniform(3.0, 6.0, count + 1),
        input_byte_per_tok=10.0 ** rng.uniform(4.0, 6.0),
        output_byte_per_tok=4000.0,
    )


def random_stage(rng, number, load) -> Stage:
    """From a phone to a server, the further the stronger."""
    strength = 10.0 ** (number * rng.uniform(0.3, 2.0))
    static_w = 2.0 * strength ** rng.uniform(0.5, 1.2)
    return Stage(
        name=f"place {number}",
        s_per_flop=1e-12 / strength,
        s_per_weight_byte=3e-11 / strength,
        s_per_kv_byte=4e-11 / strength,
        layer_s=1e-4 * rng.random(),
        expert_layer_s=1e-4 * rng.random(),
        prompt_layer_s=1e-4 * rng.random(),
        step_s=1e-3 * rng.random(),
        sequence_s=1e-4 * rng.random(),
        static_w=static_w,
        limit_w=static_w * rng.choice([1.2, 2.0, 10.0]),
        j_per_flop=10.0 ** rng.uniform(-12.5, -11.5),
        j_per_byte=10.0 ** rng.uniform(-11.0, -10.0),
        j_per_kv_byte=10.0 ** rng.uniform(-11.0, -10.0),
        wait_w=float(rng.choice([0.0, 1.0])) if number == 0 else 0.0,
        memory_byte=10.0 ** rng.uniform(8.5, 12.0),
        sequences=load,
        overhead_frac=float(rng.uniform(1.0, 1.5)),
        weight_frac=float(rng.choice([0.3, 1.0])),
    )


def random_hop(rng) -> Hop:
    return Hop(
        up_bps=10.0 ** rng.uniform(6.0, 10.0),
        down_bps=10.0 ** rng.uniform(6.0, 10.0),
        rtt_s=10.0 ** rng.uniform(-3.0, -1.0),
        sender_w=2.5 * rng.random(),
        receiver_w=rng.random(),
        up_j_per_bit=1e-7 * rng.random(),
        down_j_per_bit=1e-7 * rng.random(),
    )


def every_split(layers, hops, at_least=0):
    """Rising cuts, one after the other."""
    if hops == 0:
        return [()]
    return [
        (first, *rest)
        for first in range(at_least, layers + 1)
        for rest in every_split(layers, hops - 1, first)
    ]


def by_hand(model, stages, hops, work, packing, cuts):
    """Latency, time to first token, joules, quality, and whether all fits, of one split."""
    edges = (0, *cuts, model.layers)
    busy = [0.0] * len(stages)
    joules = first = total = 0.0
    fits = True
    for k, place in enumerate(stages):
        mine = range(edges[k], edges[k + 1])
        held = sum(_held(model, place, work, i) for i in mine)
        fits = fits and held <= place.memory_byte
        if len(mine) == 0:
            continue
        for phase in ("prompt", "decode"):
            times = 1 if phase == "prompt" else work.output_tok - 1
            if times == 0:
                continue
            seconds, energy = _pass(model, place, work, mine, phase)
            busy[k] += times * seconds
            joules += times * energy * place.overhead_frac
            total += times * seconds
            first += seconds if phase == "prompt" else 0.0
    quality = 1.0
    for k, hop in enumerate(hops):
        passage = _hop(model, hop, work, packing, cuts[k])
        first += passage[0]
        total += passage[1]
        joules += passage[2]
        if 0 < cuts[k] < model.layers and (k == 0 or cuts[k - 1] != cuts[k]):
            quality *= packing.quality_frac
    for k, place in enumerate(stages):
        joules += place.wait_w * place.overhead_frac * (total - busy[k])
    return {"latency": total, "ttft": first, "energy": joules, "quality": quality, "fits": fits}


def _hop(model, hop, work, packing, cut):
    """Time to the first token, time in all and joules that a hop adds."""
    if cut == model.layers:
        return 0.0, 0.0, 0.0
    inner = cut > 0
    up = model.input_byte_per_tok
    if inner:
        up = packing.byte_per_value * model.cut_value_per_tok[cut] + packing.byte_per_tok
    down = model.output_byte_per_tok + hop.header_byte
    prompt_up = up * work.prompt_tok + hop.header_byte
    first = total = hop.rtt_s + 8 * prompt_up / hop.up_bps + 8 * down / hop.down_bps
    joules = _sent(hop, prompt_up, down)
    for _ in range(work.output_tok - 1):
        token_up = up + hop.header_byte if inner else 0.0
        if inner:
            total += hop.rtt_s + 8 * token_up / hop.up_bps + 8 * down / hop.down_bps
        joules += _sent(hop, token_up, down)
    return first, total, joules


def _sent(hop, up, down):
    radio = hop.sender_w * 8 * up / hop.up_bps + hop.receiver_w * 8 * down / hop.down_bps
    return radio + 8 * (hop.up_j_per_bit * up + hop.down_j_per_bit * down)


def _held(model, place, work, i):
    tokens = min(work.prompt_tok + work.output_tok, model.window_tok[i])
    kept = model.kv_byte_per_tok[i] * tokens + model.state_byte[i]
    weights = place.weight_frac * (model.weight_byte[i] + model.expert_byte[i])
    return weights + place.sequences * kept


def _contexts(work, window, phase):
    """Tokens attended to by each prompt token, or by each decoded one."""
    if phase == "prompt":
        if window >= work.prompt_tok:
            return work.prompt_tok**2 / 2
        return sum(min(t, window) for t in range(1, work.prompt_tok + 1))
    each = [min(work.prompt_tok + n, window) for n in range(1, work.output_tok)]
    return sum(each) / len(each)


def _pass(model, place, work, mine, phase):
    n = work.prompt_tok if phase == "prompt" else 1
    m = place.sequences - 1
    share = n / (n + m)
    seconds = place.step_s + place.sequence_s * place.sequences
    energy = place.static_w * share * seconds
    for i in mine:
        context = _contexts(work, model.window_tok[i], phase)
        other = min(work.prompt_tok if phase == "prompt" else max(context, 1), model.window_tok[i])
        weights = model.weight_byte[i]
        weights += model.expert_byte[i] * (1 - (1 - model.expert_frac[i]) ** (n + m))
        weights *= place.weight_frac
        flop = model.flop_per_tok[i] * (n + m) + model.sampled_flop[i] * (1 + m)
        own_flop = model.flop_per_tok[i] * n + model.sampled_flop[i]
        read = 0.0
        extra = place.layer_s + (place.expert_layer_s if model.expert_byte[i] else 0.0)
        if phase == "prompt":
            flop += model.attention_flop[i] * context
            own_flop += model.attention_flop[i] * context
            extra += place.prompt_layer_s
        else:
            read = model.kv_byte_per_tok[i] * context
            own_flop += model.attention_flop[i] * context
        state = model.state_byte[i]
        all_kv = read + m * model.kv_byte_per_tok[i] * other
        t = math.sqrt((weights * place.s_per_weight_byte) ** 2 + (flop * place.s_per_flop) ** 2)
        t += (all_kv + state * (1 + m)) * place.s_per_kv_byte + extra
        written = model.kv_byte_per_tok[i] * (n + m)
        dynamic = place.j_per_byte * (weights + state * (1 + m)) + place.j_per_flop * flop
        quiet = 0.0 if phase == "prompt" else context
        dynamic += place.j_per_flop * model.attention_flop[i] * (quiet + m * other)
        dynamic += place.j_per_kv_byte * (all_kv + written)
        if place.static_w * t + dynamic > place.limit_w * t:
            t = dynamic / (place.limit_w - place.static_w)
        seconds += t
        energy += share * (place.static_w * t + place.j_per_byte * weights)
        energy += place.j_per_kv_byte * (read + model.kv_byte_per_tok[i] * n)
        energy += place.j_per_byte * state + place.j_per_flop * own_flop
    return seconds, energy
