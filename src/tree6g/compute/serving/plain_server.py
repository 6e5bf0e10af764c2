"""The server of the oracle: a scheduler in plain Python, counted anew in every iteration.

It shares no code with the kernel: blocks, contexts and energies come from the sequences themselves.
"""

from __future__ import annotations

import dataclasses
import math

from tree6g.compute.replica import Replica
from tree6g.compute.roofline import Batch, iteration, window_area_tok2
from tree6g.compute.serving.requests import Requests
from tree6g.compute.serving.result import GAVE_UP, PENDING, REFUSED, RUNNING, SERVED
from tree6g.compute.serving.settings import EngineSettings


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class PlainRequest:
    """A request with all that happened to it."""

    id: int
    arrival_s: float
    prompt_tok: int
    output_tok: int
    priority: int
    prefix_id: int
    prefix_tok: int
    deadline_s: float
    outcome: int = PENDING
    scheduled_s: float = math.nan
    first_token_s: float = math.nan
    last_token_s: float = math.nan
    left_s: float = math.nan
    produced: int = 0
    decodes: bool = False
    in_cache: int = 0
    shared_blocks: int = 0
    cached: int = -1
    preemptions: int = 0
    prefill_j: float = 0.0
    decode_j: float = 0.0
    recompute_j: float = 0.0

    @property
    def whole_tok(self) -> int:
        """Prompt, and what was produced before."""
        return self.prompt_tok + self.produced


@dataclasses.dataclass(slots=True, kw_only=True, eq=False)
class Chain:
    """Cached blocks of a group, and when some were given back last."""

    blocks: int = 0
    given_back: int = -1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What a request does in an iteration: tokens, those before them, whether one is sampled."""

    request: PlainRequest
    tokens: int
    before: int
    sampled: bool
    decodes: bool


class PlainServer:
    """A replica with its queue, its batch and its chains."""

    def __init__(self, replica: Replica, settings: EngineSettings, asked: Requests) -> None:
        self.r = replica
        self.settings = settings
        self.blocks = settings.blocks(replica.kv_capacity_tok)
        self.clock_s = self.began_s = 0.0
        self.all = [
            PlainRequest(
                id=i,
                arrival_s=float(asked.arrival_s[i]),
                prompt_tok=int(asked.prompt_tok[i]),
                output_tok=int(asked.output_tok[i]),
                priority=int(asked.priority[i]) if settings.priorities else 0,
                prefix_id=int(asked.prefix_id[i]) if settings.prefix_cache else -1,
                prefix_tok=int(asked.prefix_tok[i]),
                deadline_s=float(asked.arrival_s[i] + asked.give_up_s[i]),
            )
            for i in range(len(asked))
        ]
        self.coming = list(self.all)
        self.waiting: list[PlainRequest] = []
        self.running: list[PlainRequest] = []
        self.chains: dict[int, Chain] = {}
        self.returns = 0
        self.iterations = 0
        self.busy_s = self.energy_j = self.running_time_s = self.waiting_time_s = 0.0
        self.gaps_s: list[float] = []
        self.spent: list[tuple[float, float, float, float]] = []

    # Blocks.

    def held(self, request: PlainRequest) -> int:
        """Blocks of its own."""
        return math.ceil(request.in_cache / self.settings.block_tok) - request.shared_blocks

    def pinned(self, group: int) -> int:
        """Blocks of a chain that somebody uses."""
        return max((r.shared_blocks for r in self.running if r.prefix_id == group), default=0)

    def free(self) -> int:
        """Blocks that nobody uses, cached ones included."""
        held = sum(self.held(r) for r in self.running)
        return self.blocks - held - sum(self.pinned(group) for group in self.chains)

    def evict(self) -> None:
        """Forget cached blocks, least recently given back first, until what is held fits."""
        unused = {g: c.blocks - self.pinned(g) for g, c in self.chains.items()}
        missing = sum(unused.values()) - self.free()
        while missing > 0:
            group = min(
                (g for g in unused if unused[g] > 0), key=lambda g: self.chains[g].given_back
            )
            self.chains[group].blocks -= 1
            unused[group] -= 1
            missing -= 1

    def hit(self, request: PlainRequest) -> int:
        """Blocks of a request that are cached."""
        if request.prefix_id < 0:
            return 0
        most = min(request.prefix_tok, request.whole_tok - 1) // self.settings.block_tok
        return min(self.chains.setdefault(request.prefix_id, Chain()).blocks, most)

    def hold(self, request: PlainRequest, tokens: int) -> None:
        """Take the blocks for the next tokens; full ones of the prefix join the chain."""
        request.in_cache += tokens
        self.evict()
        if request.prefix_id < 0:
            return
        chain = self.chains.setdefault(request.prefix_id, Chain())
        full = min(request.in_cache, request.prefix_tok) // self.settings.block_tok
        if full > request.shared_blocks == chain.blocks:
            chain.blocks = request.shared_blocks = full

    def leave(self, request: PlainRequest) -> None:
        """Give all blocks back."""
        self.running.remove(request)
        request.in_cache = request.shared_blocks = 0
        request.decodes = False
        group = request.prefix_id
        if group in self.chains and self.chains[group].blocks > self.pinned(group):
            self.chains[group].given_back = self.returns
            self.returns += 1

    # Who does what.

    def arrive(self) -> None:
        """Requests that have come by now, or by when the last iteration began."""
        ahead = self.settings.async_scheduling and self.running
        seen_s = self.began_s if ahead else self.clock_s
        while self.coming and self.coming[0].arrival_s <= seen_s:
            request = self.coming.pop(0)
            if self.need_blocks(request) > self.blocks:
                request.outcome, request.left_s = REFUSED, request.arrival_s
                continue
            self.waiting.append(request)
            self.waiting_time_s += self.clock_s - request.arrival_s
        self.rank()

    def need_blocks(self, request: PlainRequest) -> int:
        """Blocks of a request's prompt and answer."""
        whole_tok = request.prompt_tok + request.output_tok - 1
        return math.ceil(whole_tok / self.settings.block_tok)

    def close(self) -> None:
        """The last iteration ends after the time: who came during it waits, unseen as yet."""
        for request in self.coming:
            if request.arrival_s >= self.clock_s:
                break
            if self.need_blocks(request) > self.blocks:
                continue
            self.waiting_time_s += self.clock_s - request.arrival_s

    def rank(self) -> None:
        """Order by class, in it by arrival."""
        if self.settings.priorities:
            self.waiting.sort(key=lambda r: (r.priority, r.id))

    def schedule(self) -> list[Work]:
        """One token of all who decode, then prompts within the budget."""
        preempted = False
        while True:
            decoding = [r for r in self.running if r.decodes]
            partial = [r for r in self.running if not r.decodes]
            left = self.settings.token_budget - len(decoding)
            chunks = [(r, min(left, r.whole_tok - r.in_cache)) for r in partial]
            more = sum(self.more(r, 1) for r in decoding) + sum(self.more(r, k) for r, k in chunks)
            if more <= self.free():
                break
            self.preempt()
            preempted = True
        # All have their blocks before anyone else comes in.
        for request in decoding:
            request.in_cache += 1
        for request, tokens in chunks:
            request.in_cache += tokens
        self.evict()
        work = [self.work(r, 1, decodes=True) for r in decoding]
        for request, tokens in chunks:
            self.hold(request, 0)
            work.append(self.work(request, tokens, decodes=False))
            left -= tokens
        while not preempted and left > 0 and len(self.running) < self.settings.max_sequences:
            admitted = self.admit(left)
            if admitted is None:
                break
            work.append(admitted)
            left -= admitted.tokens
        return work

    def more(self, request: PlainRequest, tokens: int) -> int:
        """Blocks for the next tokens."""
        size = self.settings.block_tok
        return math.ceil((request.in_cache + tokens) / size) - math.ceil(request.in_cache / size)

    def work(self, request: PlainRequest, tokens: int, *, decodes: bool) -> Work:
        """The work on tokens whose blocks are held by now."""
        return Work(
            request=request,
            tokens=tokens,
            before=request.in_cache - tokens,
            sampled=request.in_cache == request.whole_tok,
            decodes=decodes,
        )

    def preempt(self) -> None:
        """Take the blocks of the last admitted, or of the least important and latest."""
        victim = self.running[-1]
        if self.settings.priorities:
            victim = max(self.running, key=lambda r: (r.priority, r.id))
        self.leave(victim)
        victim.outcome = PENDING
        victim.preemptions += 1
        self.waiting.insert(0, victim)
        self.rank()

    def admit(self, left: int) -> Work | None:
        """The first that waits, if the blocks of its first chunk are there."""
        while self.waiting:
            request = self.waiting[0]
            if request.produced or request.deadline_s > self.clock_s:
                break
            self.waiting.pop(0)
            request.outcome, request.left_s = GAVE_UP, request.deadline_s
            self.waiting_time_s -= self.clock_s - request.deadline_s
        else:
            return None
        size, hit = self.settings.block_tok, self.hit(request)
        tokens = min(request.whole_tok - hit * size, left)
        pinned = max(0, hit - self.pinned(request.prefix_id)) if hit else 0
        if math.ceil((hit * size + tokens) / size) - hit + pinned > self.free():
            return None
        self.waiting.pop(0)
        self.running.append(request)
        request.outcome = RUNNING
        request.shared_blocks, request.in_cache = hit, hit * size
        if request.cached < 0:
            request.cached, request.scheduled_s = hit * size, self.clock_s
        self.hold(request, tokens)
        return self.work(request, tokens, decodes=False)

    # What it costs.

    def iterate(self, work: list[Work]) -> None:
        """Compute, share the joules, hand out tokens."""
        time_s, energy_j = self.cost(work)
        own = [self.own_j(w) for w in work]
        each_j = (energy_j - sum(own)) / sum(w.tokens for w in work)
        prefill_j = decode_j = 0.0
        for w, own_j in zip(work, own, strict=True):
            joule = own_j + each_j * w.tokens
            if w.decodes:
                w.request.decode_j += joule
                decode_j += joule
                continue
            prefill_j += joule
            if w.request.preemptions:
                w.request.recompute_j += joule
            else:
                w.request.prefill_j += joule
        self.spent.append((self.clock_s, time_s, prefill_j, decode_j))
        self.running_time_s += time_s * len(self.running)
        self.waiting_time_s += time_s * len(self.waiting)
        self.busy_s += time_s
        self.energy_j += energy_j
        self.began_s = self.clock_s
        self.clock_s += time_s
        self.iterations += 1
        for w in sorted(work, key=lambda w: (not w.decodes, w.request.id if w.decodes else 0)):
            self.hand_out(w)

    def hand_out(self, w: Work) -> None:
        """A token, if one was sampled and someone waits for it."""
        request = w.request
        if not request.produced and request.deadline_s < self.clock_s:
            request.outcome, request.left_s = GAVE_UP, self.clock_s
            self.leave(request)
        elif w.sampled:
            if request.produced:
                self.gaps_s.append(self.clock_s - request.last_token_s)
            else:
                request.first_token_s = self.clock_s
            request.last_token_s = self.clock_s
            request.produced += 1
            request.decodes = True
            if request.produced == request.output_tok:
                request.outcome, request.left_s = SERVED, self.clock_s
                self.leave(request)

    def context(self, w: Work) -> int:
        """Tokens whose keys and values are read again for this work."""
        return w.before + (1 if w.decodes else 0)

    def cost(self, work: list[Work]) -> tuple[float, float]:
        """Time and energy of an iteration."""
        window = self.r.window_tok
        prompts = [w for w in work if not w.decodes]
        decoders = [w for w in work if w.decodes]
        fitting = [size for size in self.settings.sizes if size >= len(decoders)]
        batch = Batch(
            prompt_tok=sum(w.tokens for w in prompts),
            prompt_area_tok2=sum(self.area_tok2(w) for w in prompts),
            window_area_tok2=sum(self.window_area_tok2(w) for w in prompts),
            prefix_tok=sum(w.before for w in prompts),
            window_prefix_tok=sum(min(w.before, window) for w in prompts),
            decoding=len(decoders),
            padded=0 if prompts else min(fitting, default=0),
            context_tok=sum(self.context(w) for w in decoders),
            window_context_tok=sum(min(self.context(w), window) for w in decoders),
            sampled=sum(w.sampled for w in work),
            sequences=len(work),
            prompts_frac=1.0 if prompts else 0.0,
        )
        cost = iteration(self.r, batch)
        return float(cost.time_s), float(cost.energy_j)

    def area_tok2(self, w: Work) -> float:
        """Context that the tokens of a chunk see, summed."""
        return 0.5 * ((w.before + w.tokens) ** 2 - w.before**2)

    def window_area_tok2(self, w: Work) -> float:
        """The same inside the window."""
        return float(window_area_tok2(w.before, w.before + w.tokens, self.r.window_tok))

    def own_j(self, w: Work) -> float:
        """Joules that this work alone causes: its FLOP, its keys, values and state."""
        r, context = self.r, self.context(w)
        inside = min(context, r.window_tok)
        kept = r.kv_byte_per_tok * (context + w.tokens)
        kept += r.window_kv_byte_per_tok * (inside + w.tokens)
        if w.decodes:
            flop = r.body_flop_per_tok + r.head_flop
            flop += r.decode_attention_flop * context + r.window_decode_attention_flop * inside
        else:
            flop = r.prompt_flop_per_tok * w.tokens + (r.head_flop if w.sampled else 0.0)
            flop += r.attention_flop * self.area_tok2(w)
            flop += r.window_attention_flop * self.window_area_tok2(w)
        return float(r.j_per_byte * r.state_byte + r.j_per_kv_byte * kept + r.j_per_flop * flop)
