"""Chooses a server for every request, and learns from what became of it."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tree6g.meter.proxy.ask import Call
from tree6g.meter.proxy.counts import Counts, Outcome
from tree6g.meter.proxy.upstream import Course
from tree6g.metric.profile import Profile, Service
from tree6g.optimise.pilot.config import Client, Config, Server
from tree6g.optimise.pilot.offer import Offer, expected_beq, fits
from tree6g.optimise.pilot.price import Price
from tree6g.optimise.pilot.rules import InTurn, by_load, by_tree
from tree6g.optimise.pilot.sizes import Sizes
from tree6g.optimise.pilot.speed import Speed, Waits

HEADER: Final = "x-tree6g-server"
REST_S: Final = 5.0  # a server that could not be reached is tried last for so long
NOBODY: Final = Client(
    service=Service(
        name="unassigned", kind="ai", weight=0.0, profile=Profile(id="none"), quality={},
        tokenizer={},
    )
)  # fmt: skip


@dataclasses.dataclass(slots=True)
class Standing:
    """What is known of a server.

    Attributes:
        busy: Requests of ours that it has.
        speed: How long it takes.
        j_per_tok: Joules of a prompt token and of an output token.
        down_until_s: Until when it is tried last, by the router's clock.
        counts: Sums of the requests that it answered, as the proxy counts them.
    """

    speed: Speed
    j_per_tok: tuple[float, float]
    counts: Counts
    busy: int = 0
    down_until_s: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided of a request, and by what.

    Attributes:
        client: Whose it is.
        tenant: Its tenant.
        call: What it asks for.
        offers: Expectation of every server that may answer, by name.
        chosen: Server that the rule on trial takes.
        order: Servers as they are really tried.
        explored: Sent in turn, so that no server is forgotten.
        price_beq_per_j: Price at that time.
    """

    client: Client
    tenant: str
    call: Call
    offers: Mapping[str, Offer]
    chosen: str
    order: Sequence[str]
    explored: bool
    price_beq_per_j: float


class Router:
    """The chooser of the proxy; it lives in one thread, that of the event loop.

    Attributes:
        servers: What is known of each, by name.
        price: What a joule is worth.
        decided: Decisions by service, server that was chosen and server that answered.
        passed: Times that a server could not take a request, by its name.
    """

    def __init__(
        self,
        config: Config,
        *,
        record: Callable[[dict[str, Any]], None] = lambda _: None,
        clock_s: Callable[[], float] = time.monotonic,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """Route by a config; `record` takes the account of every request."""
        self.config = config
        self.servers = {
            s.name: Standing(Speed(s.slots), s.j_per_tok, Counts(wall_s())) for s in config.servers
        }
        idle_w = sum(s.idle_w for s in config.servers)
        self.price = Price(config.price_beq_per_j, idle_w, config.memory_s)
        self.decided: Counter[tuple[str, str, str]] = Counter()
        self.passed: Counter[str] = Counter()
        self.by_name = {s.name: s for s in config.servers}
        self.by_url = {s.url: s for s in config.servers}
        self._sizes: defaultdict[str, Sizes] = defaultdict(Sizes)
        self._turn, self._tried = InTurn(), InTurn()
        self._record, self._clock_s = record, clock_s
        self._explore = 0.0

    def choose(self, call: Call | None, tenant: str) -> Course:
        """The way of a request; what is not counted goes to the first server that answers."""
        if call is None:
            return Course(*(self.by_name[n].url for n in self._up([*self.by_name])))
        client = next((c for c in self.config.clients if c.takes(tenant, call.model)), NOBODY)
        return Way(self, self.decide(client, tenant, call))

    def decide(self, client: Client, tenant: str, call: Call) -> Decision:
        """Expect, choose, and put servers that are down last."""
        names = [s.name for s in permitted(self.config.servers, client, call.model)]
        price = self.price.now_beq_per_j
        prompt_tok, output_tok = self._size(client).expect(call)
        offers = {n: self._offer(n, client, prompt_tok, output_tok) for n in names}
        up = self._up(names)
        chosen = self._order(self.config.rule, up, offers, price, self._tried)
        order, explored = chosen, False
        if self.config.mode == "shadow":
            order = self._order(self.config.default, up, offers, price, self._turn)
        elif self.config.rule == "tree" and self._explores(len(names)):
            order, explored = self._turn.order(up), True
        return Decision(
            client=client,
            tenant=tenant,
            call=call,
            offers=offers,
            chosen=chosen[0],
            order=self._up(order),
            explored=explored,
            price_beq_per_j=price,
        )

    def _order(
        self,
        rule: str,
        names: Sequence[str],
        offers: Mapping[str, Offer],
        price: float,
        turn: InTurn,
    ) -> list[str]:
        """Names in the order of a rule, those that are down behind the others."""
        if rule == "tree":
            return self._up(by_tree([offers[name] for name in names], price))
        if rule == "round-robin":
            return self._up(turn.order(names))
        busy = {name: self.servers[name].busy for name in names}
        return self._up(by_load(names, busy, {name: self.by_name[name].slots for name in names}))

    def _offer(self, name: str, client: Client, prompt_tok: float, output_tok: float) -> Offer:
        standing, service = self.servers[name], client.service
        waits = standing.speed.expect(prompt_tok, output_tok, standing.busy)
        model = self.by_name[name].model
        return Offer(
            server=name,
            utility_beq=expected_beq(service, model, prompt_tok, output_tok, waits),
            energy_j=_joules(standing, prompt_tok, output_tok),
            fits=fits(service.profile, waits),
            busy=standing.busy,
            waits=waits,
        )

    def _up(self, names: Sequence[str]) -> list[str]:
        """The names, those of servers that are down last."""
        now_s = self._clock_s()
        return sorted(names, key=lambda name: self.servers[name].down_until_s > now_s)

    def _explores(self, servers: int) -> bool:
        """Whether this request is one of the few that go in turn."""
        if servers < 2:
            return False
        self._explore += self.config.explore_frac
        due = self._explore >= 1.0
        self._explore -= float(due)
        return due

    def _size(self, client: Client) -> Sizes:
        return self._sizes[client.service.name]

    def pass_over(self, name: str) -> None:
        """A server could not take a request: others go first for a while."""
        self.passed[name] += 1
        self.servers[name].down_until_s = self._clock_s() + REST_S

    def finish(self, decision: Decision, name: str, busy: int, outcome: Outcome) -> None:
        """Learn from a request that has ended, and give account of it."""
        call, standing = decision.call, self.servers[name]
        standing.counts.add(decision.tenant, self.by_name[name].model, outcome)
        service = decision.client.service
        self.decided[service.name, decision.chosen, name] += 1
        usage = outcome.usage
        entry: dict[str, Any] = {
            "time_s": round(outcome.start_s, 3),
            "service": service.name,
            "tenant": decision.tenant,
            "asked_model": call.model,
            "rule": self.config.rule,
            "mode": self.config.mode,
            "sent": name,
            "chosen": decision.chosen,
            "explored": decision.explored,
            "ended": outcome.ended,
            "price_beq_per_j": decision.price_beq_per_j,
            "offers": {n: _shown(o) for n, o in decision.offers.items()},
            "e2e_s": outcome.e2e_s,
            "ttft_s": outcome.ttft_s,
        }
        known = usage is not None and usage.prompt_tok is not None
        if outcome.ended == "done" and usage is not None and known:
            prompt_tok = float((usage.prompt_tok or 0) - (usage.cached_tok or 0))
            output_tok = float(usage.output_tok or 0)
            standing.speed.add(outcome, prompt_tok, output_tok, busy)
            self._size(decision.client).add(call, prompt_tok, output_tok)
            entry |= self._account(decision, name, (prompt_tok, output_tok), outcome)
        self._record(entry)

    def _account(
        self, decision: Decision, name: str, tokens: tuple[float, float], outcome: Outcome
    ) -> dict[str, Any]:
        """What the request has earned, and what it would have where the rule wanted it.

        Both with its real tokens; of the server that answered with its real times, of the other
        with those that were expected.
        """
        service = decision.client.service
        real = _seen(outcome, tokens[1])
        earned_beq = expected_beq(service, self.by_name[name].model, *tokens, real)
        spent_j = _joules(self.servers[name], *tokens)
        self.price.add(earned_beq, spent_j, self._clock_s())
        would = {"utility_beq": earned_beq, "energy_j": spent_j}
        if decision.chosen != name:
            waits = decision.offers[decision.chosen].waits
            model = self.by_name[decision.chosen].model
            would = {
                "utility_beq": expected_beq(service, model, *tokens, waits),
                "energy_j": _joules(self.servers[decision.chosen], *tokens),
            }
        return {
            "prompt_tok": tokens[0],
            "output_tok": tokens[1],
            "earned": {"utility_beq": earned_beq, "energy_j": spent_j},
            "would_earn": would,
        }


class Way(Course):
    """The way of one request over the servers of a decision."""

    __slots__ = ("_busy", "_decision", "_router")

    def __init__(self, router: Router, decision: Decision) -> None:
        super().__init__(*(router.by_name[name].url for name in decision.order))
        self._router, self._decision, self._busy = router, decision, -1

    def model(self, server: str) -> str:
        """The model of the server; of requests that name none too."""
        return self._router.by_url[server].model

    def told(self, server: str) -> Mapping[str, str]:
        """Who answers."""
        return {HEADER: self._router.by_url[server].name}

    def sent(self, server: str) -> None:
        """One more request there."""
        standing = self._router.servers[self._router.by_url[server].name]
        self._busy = standing.busy
        standing.busy += 1

    def passed(self, server: str, why: str) -> None:
        """One less, and others first."""
        del why
        name = self._router.by_url[server].name
        self._router.servers[name].busy -= 1
        self._busy = -1
        self._router.pass_over(name)

    def ended(self, server: str, outcome: Outcome) -> None:
        """One less, and what became of it."""
        if not server:
            return  # its client went before it was sent
        name = self._router.by_url[server].name
        if self._busy >= 0:
            self._router.servers[name].busy -= 1
        self._router.finish(self._decision, name, max(self._busy, 0), outcome)


def permitted(servers: Sequence[Server], client: Client, asked: str) -> list[Server]:
    """Servers that may answer: those of the models that the service allows.

    A service that allows none by name gets the model that it asks for; if no server has that, the
    model of the first server, which is the one that a service without wishes gets.
    """
    allowed = client.models
    if not allowed:
        known = any(server.model == asked for server in servers)
        allowed = (asked,) if known else (servers[0].model,)
    return [server for server in servers if server.model in allowed]


def _seen(outcome: Outcome, output_tok: float) -> Waits:
    """Real times of an answer; a budget whose time is not seen counts as kept."""
    streamed = outcome.stream_s is not None and output_tok > 1
    return Waits(
        ttft_s=outcome.ttft_s or 0.0,
        tpot_s=(outcome.stream_s or 0.0) / (output_tok - 1) if streamed else 0.0,
        e2e_s=outcome.e2e_s,
    )


def _joules(standing: Standing, prompt_tok: float, output_tok: float) -> float:
    e_in, e_out = standing.j_per_tok
    return e_in * prompt_tok + e_out * output_tok


def _shown(offer: Offer) -> dict[str, Any]:
    return {
        "utility_beq": offer.utility_beq,
        "energy_j": offer.energy_j,
        "ttft_s": offer.waits.ttft_s,
        "tpot_s": offer.waits.tpot_s,
        "e2e_s": offer.waits.e2e_s,
        "fits": offer.fits,
        "busy": offer.busy,
    }
