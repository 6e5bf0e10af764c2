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
from typing import Any, Final, NamedTuple

import numpy as np

from tree6g import data
from tree6g.compute.replica import Replica
from tree6g.compute.roofline import Batch, Cost, decode_batch, iteration, prompt_batch
from tree6g.engine.crowd import DOWN, UP, IntArray
from tree6g.engine.inference import TEXT_BYTE_PER_TOK
from tree6g.engine.paths import energy_j_per_bit
from tree6g.engine.policies import Prospect
from tree6g.engine.split_answers import above_sleep_w
from tree6g.engine.world import Ai, Host, World
from tree6g.metric.profile import Profile
from tree6g.metric.utility import utility_bps
from tree6g.radio.pathloss import FloatArray
from tree6g.scenario.model_config import model_footprint
from tree6g.scenario.variants import model_of, quality_of

STEPS: Final = 64  # lengths are rounded to as many steps per doubling, at most 0.8 % off
MOST_KNOWN: Final = 4096  # lengths that are remembered per replica, each for all batch sizes
FEWEST_SIZES: Final = 64
FEW_STEPS: Final = 4  # of the batch that a prompt joins, which changes little of its own joules


class Air(NamedTuple):
    """What a request takes on the air: a value each, or arrays. [request].

    Attributes:
        radio_j: Joules of the cell.
        terminal_j: Joules of the terminal.
        bit: Bits both ways.
        site: Site of the cell.
        up_s: Time of the prompt at the terminal's rate.
        down_s: Time of the mean answer.
    """

    radio_j: Any
    terminal_j: Any
    bit: Any
    site: Any
    up_s: Any
    down_s: Any


NO_AIR: Final = Air(0.0, 0.0, 0.0, 0, 0.0, 0.0)


class Carried:
    """Joules of the air for the requests of a step, to whatever server; worked out if asked for.

    They are those of all requests at once: neither the terminal's rate nor the cell depends on the
    host.
    """

    __slots__ = ("_found", "_rows", "_world")

    def __init__(self, world: World, rows: IntArray) -> None:
        self._world, self._rows = world, rows
        self._found: dict[int, Air] | None = None

    def of(self, request: int) -> Air:
        """What a request takes on the air."""
        if self._found is None:
            columns = on_air(self._world, self._rows)
            rows = map(Air._make, zip(*(column.tolist() for column in columns), strict=True))
            self._found = dict(zip(self._rows.tolist(), rows, strict=True))
        return self._found[request]


def prospect(
    world: World, host: Host, request: int, ttft_s: float, carried: Carried, there: int
) -> Prospect:
    """What a request takes and brings at a host, if its first token comes after `ttft_s`.

    `there` is how many are at a server or on their way to it.
    """
    service = world.service_of(request)
    prompt_tok = int(world.requests.prompt_tok[request])
    output_tok = world.mean_output_tok[service.spec.name]
    tpot_s, compute_j = computing(host, prompt_tok, output_tok, there)
    air = NO_AIR if host.batch is None else carried.of(request)
    whole, on_time = worths(
        service, host.model, prompt_tok=prompt_tok, output_tok=output_tok,
        ttft_s=ttft_s, tpot_s=tpot_s,
    )  # fmt: skip
    return Prospect(
        tpot_s=tpot_s,
        compute_j=host.pue * compute_j,
        radio_j=air.radio_j,
        terminal_j=air.terminal_j,
        link_j=energy_j_per_bit(world, host.link, air.site) * air.bit,
        worth_beq=whole,
        on_time_beq=on_time,
        parameters=parameters(host.model),
        uplink_s=air.up_s,
        downlink_s=air.down_s,
    )


@lru_cache(maxsize=1024)
def parameters(model: str) -> float:
    """Parameters of a model."""
    return float(model_footprint(model_of(model)).parameters)


@lru_cache(maxsize=1024)
def quality_min_frac(token_class: str) -> float:
    """Least quality that a token service class asks for; 0 if it states none."""
    found = data.row("token_classes", token_class).get("quality_min_frac")
    return 0.0 if found is None else float(found)


def computing(host: Host, prompt_tok: int, output_tok: float, there: int) -> tuple[float, float]:
    """Seconds per token of an answer, and the joules above idle that it adds at a host.

    `there` is how many are at a server or on their way to it.
    """
    others = 0
    if host.batch is not None:
        others = min(there, host.batch.limits.max_sequences - 1)
    context = _rounded(prompt_tok + 0.5 * output_tok)
    beside = _rounded(others, FEW_STEPS) if others else 0
    known = _known(host)
    prompt_j = _prompt_j(
        known, _rounded(prompt_tok), beside, _rounded(context, FEW_STEPS) if beside else 0
    )
    tpot_s, token_j = _token(known, others, context)
    return tpot_s, prompt_j + max(output_tok - 1.0, 0.0) * token_j


@lru_cache(maxsize=65536)
def _rounded(tok: float, steps: int = STEPS) -> int:
    """A length with as many digits as it needs, so that what was worked out serves again."""
    step = max(1, 2 ** math.floor(math.log2(max(tok, 1.0))) // steps)
    return max(1, round(tok / step)) * step


class Known:
    """Iterations of a replica that have been worked out, for all sizes of its batch at once."""

    __slots__ = ("decoded", "prompt_j", "replica")

    def __init__(self, replica: Replica) -> None:
        self.replica = replica
        self.decoded: dict[int, tuple[list[float], list[float]]] = {}
        self.prompt_j: dict[tuple[int, int], list[float]] = {}


_known_of = lru_cache(maxsize=256)(Known)


def _known(host: Host) -> Known:
    """What is known of a host's replica, shared with its like; it is looked up once per host."""
    if host.known is None:
        host.known = _known_of(host.replica)
    found: Known = host.known
    return found


def _token(known: Known, others: int, context_tok: int) -> tuple[float, float]:
    """Time of an iteration with one more sequence, and the joules that this one adds."""
    time_s, joules = _decoded(known, others + 1, context_tok)
    return time_s[others + 1], joules[others + 1] - joules[others]


def _prompt_j(known: Known, prompt_tok: int, others: int, context_tok: int) -> float:
    """Joules that a prompt adds to an iteration that decodes the others."""
    key = prompt_tok, context_tok
    found = known.prompt_j.get(key)
    if found is None or len(found) <= others:
        _forget(known.prompt_j)
        found = known.prompt_j[key] = _prompts_j(known, _sizes(others), prompt_tok, context_tok)
    return found[others]


def _prompts_j(known: Known, others: IntArray, prompt_tok: int, context_tok: int) -> list[float]:
    """The same for every number of others. [others]."""
    r = known.replica
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
    without_j = _decoded(known, int(others[-1]), context_tok)[1]
    found = _above_idle_j(r, iteration(r, both)) - np.array(without_j[: len(others)])
    return [float(joules) for joules in found]


def _sizes(least: int) -> IntArray:
    """Numbers of sequences from 0 to `least` or more."""
    return np.arange(max(FEWEST_SIZES, 2 ** least.bit_length()) + 1)


def _forget(cache: dict[Any, Any]) -> None:
    """Begin anew before a memory grows without bound."""
    if len(cache) >= MOST_KNOWN:
        cache.clear()


def _decoding(r: Replica, sequences: IntArray, context_tok: int) -> Batch:
    window_tok = min(float(context_tok), r.window_tok)
    count = sequences.astype(np.float64)
    return decode_batch(count, count * float(context_tok), count * window_tok)


def _decoded(known: Known, most: int, context_tok: int) -> tuple[list[float], list[float]]:
    """Time and joules above idle of an iteration, by sequences up to `most`; of none it is 0."""
    found = known.decoded.get(context_tok)
    if found is None or len(found[0]) <= most:
        _forget(known.decoded)
        r = known.replica
        cost = iteration(r, _decoding(r, _sizes(most), context_tok))
        time_s, joules = cost.time_s.tolist(), _above_idle_j(r, cost).tolist()
        time_s[0] = joules[0] = 0.0
        found = known.decoded[context_tok] = time_s, joules
    return found


def _above_idle_j(r: Replica, cost: Cost) -> FloatArray:
    return np.asarray(cost.energy_j - r.idle_w * cost.time_s, dtype=np.float64)


def on_air(world: World, rows: IntArray) -> Air:
    """What requests take on the air, to a server. [request]."""
    terminal = world.terminal_of(rows)
    cell = world.radio.users.serving[terminal]
    up_bit, down_bit, up_s, down_s = np.empty((4, len(rows)))
    for service in world.ai:
        mine = np.flatnonzero(world.requests.service[rows] == service.index)
        prompt_tok = world.requests.prompt_tok[rows[mine]]
        name, rates = service.spec.name, world.radio.rate_bps
        up_bit[mine] = prompt_bit(service, prompt_tok)
        down_bit[mine] = answer_bit(service, world.mean_output_tok[name])
        up_s[mine] = _over(up_bit[mine], rates[UP][name][terminal[mine]])
        down_s[mine] = _over(down_bit[mine], rates[DOWN][name][terminal[mine]])
    found, at = np.unique(cell, return_inverse=True)
    cells = [world.cells[index] for index in found.tolist()]
    sending_s = up_s * np.array([c.uplink.time_frac for c in cells])[at]
    receiving_s = down_s * np.array([c.downlink.time_frac for c in cells])[at]
    up_w = np.array([above_sleep_w(c, c.rest.station.uplink_w) for c in cells])[at]
    down_w = np.array([above_sleep_w(c, c.rest.station.downlink_w) for c in cells])[at]
    with np.errstate(invalid="ignore"):  # no rate, and no power above sleep
        radio_j = sending_s * up_w + receiving_s * down_w
    terminal_j = sending_s * world.scenario.population.terminal.anchor_power_w
    sites = np.array([c.site_index for c in cells], dtype=np.int64)[at]
    return Air(radio_j, terminal_j, up_bit + down_bit, sites, up_s, down_s)


def prompt_bit(service: Ai, prompt_tok: IntArray) -> FloatArray:
    """Bits of prompts on the uplink. [request]."""
    byte = service.spec.prompt_byte_per_tok * prompt_tok + service.spec.request_overhead_byte
    return np.asarray(8.0 * byte, dtype=np.float64)


def answer_bit(service: Ai, output_tok: float) -> float:
    """Bits of an answer on the downlink: its chunks, and the text of further tokens in them."""
    chunks = max(output_tok / service.spec.tokens_per_chunk, 1.0) if service.streams else 1.0
    text_byte = (output_tok - chunks) * TEXT_BYTE_PER_TOK
    return 8.0 * (chunks * service.spec.chunk_byte + text_byte)


def _over(bit: FloatArray, rate_bps: FloatArray) -> FloatArray:
    """Time of bits at a rate, infinite at none."""
    found = np.full(len(bit), math.inf)
    np.divide(bit, rate_bps, out=found, where=rate_bps > 0.0)
    return found


def worths(
    service: Ai, model: str, *, prompt_tok: int, output_tok: float, ttft_s: float, tpot_s: float
) -> tuple[float, float]:
    """Worth of a request in bit-equivalents: if all of it is on time, and as it is expected.

    w U(T) span with T the effective tokens over the span: the averaging interval of the profile, or
    the answer's own time if that is longer, as though the request had its utility unit for itself.
    For a linear U that is w alpha times the tokens, whatever the span.
    """
    profile, spec = service.profile, service.spec
    quality = quality_of(spec.quality, model)
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
