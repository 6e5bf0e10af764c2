"""A server fleet without a network: a trace in, what its requests and its joules became out."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, Final

import numpy as np

from tree6g import data
from tree6g.compute.accelerator import Accelerator, accelerator, locked
from tree6g.compute.model.footprint import footprint, text_prompts
from tree6g.compute.replica import MEMORY_FRAC, Replica, replica
from tree6g.compute.serving.disaggregation import KvLink, serve_disaggregated
from tree6g.compute.serving.fleet import Fleet, FleetServed, serve_fleet
from tree6g.compute.serving.measures import Budgets
from tree6g.compute.serving.requests import NO_PREFIX, Requests, requests
from tree6g.compute.serving.run import gap_edges_s
from tree6g.compute.serving.scaling import Scaling, serve_scaled
from tree6g.compute.serving.settings import EngineSettings, default_settings
from tree6g.compute.serving.summary import Summary, summary
from tree6g.errors import DataError, ScenarioError
from tree6g.scenario import model_config
from tree6g.scenario.engine_constants import fitted_accelerator
from tree6g.scenario.trace import Trace

HOST_W: Final = 150.0  # per accelerator, as servers of scenarios have it
CLASS: Final = "assistant"
# 400 Gbit/s of a network card, 4 pJ/bit (typical: the link of LLMServingSim 2.0's examples)
KV_LINK: Final = KvLink(byte_per_s=50e9, latency_s=1e-5, j_per_byte=3.2e-11)
INTERVAL_S: Final = 60.0  # of rows in a ledger
READS_ONLY: Final = ("encoder", "vision")  # kinds of models whose answer is one pass


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to serve with; None is the default of the engine on that device.

    Attributes:
        accelerator: Row of the packaged table.
        engine: Engine and version whose constants are used, the first of the accelerator if None.
        model: Name of a packaged or added model, a repository, or the path of a `config.json`.
        weights: Storage format of the weights.
        count: Accelerators of a replica, with tensor parallelism inside a stage.
        stages: Pipeline stages among them.
        constants: Table of fitted constants in place of the packaged ones.
        clock: State of the table `clock_states` that the clock is locked to.
        power_limit_w: Power cap of an accelerator.
        pictures: Whether prompts of a vision-language model are pictures; else they are text.
        replicas: Replicas.
        routing: Who gets a request (`compute.serving.fleet`).
        seed: Of routing by chance.
        token_budget: Tokens of an iteration at most.
        max_sequences: Sequences at once at most.
        kv_capacity_tok: Tokens in the KV cache.
        prefix_cache: Whether prefixes that requests share are kept.
        priorities: Whether the trace's classes are served in order.
        give_up_s: Requests without a first token after this time leave.
        host_w: Power of processors, fans and memory per accelerator, always on.
        pue: Site power over equipment power.
        speed: How many times faster than in the trace requests arrive.
        prefill_replicas: Replicas besides, for prompts only; the others then only decode.
        kv_link: Between them.
        scaling: When replicas start and stop; None: all are always on.
    """

    accelerator: str
    model: str
    engine: str | None = None
    weights: str = "fp16"
    count: int = 1
    stages: int = 1
    constants: Path | None = None
    clock: str | None = None
    power_limit_w: float | None = None
    pictures: bool = False
    replicas: int = 1
    routing: str = "round_robin"
    seed: int = 0
    token_budget: int | None = None
    max_sequences: int | None = None
    kv_capacity_tok: float | None = None
    prefix_cache: bool = True
    priorities: bool = False
    give_up_s: float = math.inf
    host_w: float = HOST_W
    pue: float = 1.0
    speed: float = 1.0
    prefill_replicas: int = 0
    kv_link: KvLink = KV_LINK
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be, all at once."""
        faults = [
            f"expected {name} {rule}; got {_shown(getattr(self, name))}."
            for name, rule, sound in (
                ("count", "of at least 1", self.count >= 1),
                ("replicas", "of at least 1", self.replicas >= 1),
                ("host_w", "of at least 0 W and finite", 0.0 <= self.host_w < math.inf),
                ("pue", "from 1 to 4", 1.0 <= self.pue <= 4.0),
                ("speed", "above 0 and finite", 0.0 < self.speed < math.inf),
                ("give_up_s", "above 0 s", self.give_up_s > 0.0),
                ("prefill_replicas", "of at least 0", self.prefill_replicas >= 0),
                (
                    "scaling",
                    "only without replicas that are for prompts alone",
                    self.scaling is None or self.prefill_replicas == 0,
                ),
            )
            if not sound
        ]
        if faults:
            raise ScenarioError("\n".join(faults), faults)


def _shown(value: object) -> str:
    """A value that was refused, in words where it is no number."""
    return f"{value:g}" if isinstance(value, int | float) else "both"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A replica as it was set up.

    Attributes:
        device: The accelerator with its constants.
        model: Name of the model.
        kind: Its kind, as `compute.model.architecture` has it.
        replica: Constants of its iterations.
        settings: Settings of the engine.
        assumed: What nobody stated: a sentence each.
    """

    device: Accelerator
    model: str
    kind: str
    replica: Replica
    settings: EngineSettings
    assumed: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ServeRun:
    """A trace that was served.

    Attributes:
        options: What it was served with.
        server: A replica of the fleet.
        trace: The requests.
        done: What became of them.
        summary: Figures.
        token_class: Token service class.
        budgets: Times that it gives a request.
        host_j: Energy of the hosts.
        overhead_j: What the site draws beyond its equipment.
    """

    options: Options
    server: Server
    trace: Trace
    done: FleetServed
    summary: Summary
    token_class: str
    budgets: Budgets
    host_j: float
    overhead_j: float

    @property
    def total_j(self) -> float:
        """Accelerators, hosts and site."""
        return self.summary.energy_j + self.host_j + self.overhead_j


def setup(options: Options) -> Server:
    """The replica that options describe.

    Raises:
        DataError: No such accelerator, engine, model or format.
        InfeasibleError: The model does not fit.
    """
    device = _device(options)
    known = model_config.architecture(options.model)
    model = footprint(known)
    if not options.pictures:
        model = text_prompts(model)
    elif not model.vision_flop_per_tok:
        raise DataError(f"expected a model that reads pictures; '{model.name}' reads text alone.")
    made = replica(
        device, model, weights=options.weights, count=options.count, stages=options.stages
    )
    usual = default_settings(device.memory_byte, device.name)
    given: dict[str, Any] = {
        name: getattr(options, name)
        for name in ("token_budget", "max_sequences", "kv_capacity_tok")
        if getattr(options, name) is not None
    }
    settings = dataclasses.replace(
        usual,
        prefix_cache=options.prefix_cache,
        priorities=options.priorities,
        **_matched(usual, given),
    )
    return Server(
        device=device,
        model=model.name,
        kind=known.kind,
        replica=made,
        settings=settings,
        assumed=tuple(_assumed(options, device, made, settings, given)),
    )


def _device(options: Options) -> Accelerator:
    """The accelerator with its constants, at its clock, under its power limit."""
    if options.constants is None:
        device = accelerator(options.accelerator, options.engine)
    else:
        device = fitted_accelerator(options.constants, options.accelerator, options.engine)
    device = locked(device, options.clock)
    if options.power_limit_w is None:
        return device
    least_w = device.static_w
    if not least_w < options.power_limit_w <= device.tdp_w:
        raise DataError(
            f"expected a power limit above {least_w:.0f} W, what '{device.name}' draws in any "
            f"iteration, and at most {device.tdp_w:.0f} W; got {options.power_limit_w:g} W."
        )
    return dataclasses.replace(device, tdp_w=options.power_limit_w)


def serve_trace(
    trace: Trace, options: Options, *, token_class: str = CLASS, bin_s: float | None = None
) -> ServeRun:
    """Serve a trace.

    Args:
        trace: Requests; prefix groups, sessions and classes are used where it has them.
        options: What to serve with.
        token_class: Token service class, whose budgets say what is on time.
        bin_s: Width of bins of energy over time, which a ledger needs.

    Raises:
        DataError, InfeasibleError: As `setup`; or the trace's prefixes cannot be, or it asks for
            answers of a model that only reads.
    """
    budgets = budgets_of(token_class)
    server = setup(options)
    if server.kind in READS_ONLY and (trace.output_tok > 1).any():
        raise DataError(
            f"expected a model that writes; '{server.model}' only reads, and {trace.source} asks "
            "for answers of more than one token. Give it output_tokens of 1: a pass per request."
        )
    done = _serve(trace, options, server, bin_s)
    host_j = options.count * options.host_w * math.fsum(on_s(done))
    return ServeRun(
        options=options,
        server=server,
        trace=trace,
        done=done,
        summary=summary(done, budgets),
        token_class=token_class,
        budgets=budgets,
        host_j=host_j,
        overhead_j=(options.pue - 1.0) * (done.energy_j + host_j),
    )


def _serve(trace: Trace, options: Options, server: Server, bin_s: float | None) -> FleetServed:
    """The requests through the kind of fleet that the options describe."""
    fleet = Fleet(
        replica=server.replica,
        settings=server.settings,
        count=options.replicas,
        routing=options.routing,
        seed=options.seed,
    )
    wanted = asked(trace, options)
    how: dict[str, Any] = {"bin_s": bin_s, "gap_edges_s": gap_edges_s()}
    if options.prefill_replicas:
        prefill = dataclasses.replace(fleet, count=options.prefill_replicas)
        return serve_disaggregated(
            prefill, fleet, options.kv_link, wanted, session_id=trace.session_id, **how
        )
    if options.scaling is not None:
        return serve_scaled(fleet, options.scaling, wanted, session_id=trace.session_id, **how)
    return serve_fleet(fleet, wanted, session_id=trace.session_id, **how)


def on_s(done: FleetServed) -> list[float]:
    """Time for which each replica was on or starting; its host is on as long."""
    off_s = [float((rest.off_s[:, 1] - rest.off_s[:, 0]).sum()) for rest in done.rests]
    return [done.end_s - away_s for away_s in off_s or [0.0] * len(done.servers)]


def budgets_of(token_class: str) -> Budgets:
    """The budgets of a packaged token service class.

    Raises:
        DataError: No such class, or one that does not stream and so has no such budgets.
    """
    row = data.row("token_classes", token_class)
    if row.get("ttft_budget_s") is None or row.get("tpot_budget_s") is None:
        raise DataError(
            f"expected a token class with budgets of first token and pace; got {token_class!r}, "
            "which has one deadline."
        )
    return Budgets(
        ttft_s=data.number(row, "ttft_budget_s"), tpot_s=data.number(row, "tpot_budget_s")
    )


def asked(trace: Trace, options: Options) -> Requests:
    """The requests of a trace as a server sees them."""
    prefix_id, prefix_tok = trace.prefix_id, trace.prefix_tok
    if prefix_id is None or prefix_tok is None:
        prefix_id, prefix_tok = np.array(NO_PREFIX), np.array(0)
    return requests(
        trace.arrival_s / options.speed,
        trace.input_tok,
        trace.output_tok,
        priority=0 if trace.priority is None else trace.priority,
        prefix_id=prefix_id,
        prefix_tok=prefix_tok,
        give_up_s=options.give_up_s,
    )


def read(file: Path, form: str | None = None) -> Trace:
    """Read a trace of any known form (`scenario.trace`)."""
    from tree6g.scenario.trace import read_trace

    return read_trace(file, form=form)


def _matched(usual: EngineSettings, given: dict[str, Any]) -> dict[str, Any]:
    """Given settings, and those that must not stay beyond or below them."""
    budget = given.get("token_budget", usual.token_budget)
    places = given.get("max_sequences", usual.max_sequences)
    if "max_sequences" not in given:
        given = {**given, "max_sequences": min(places, budget)}
    elif "token_budget" not in given:
        given = {**given, "token_budget": max(places, budget)}
    return given


def _assumed(
    options: Options,
    device: Accelerator,
    made: Replica,
    settings: EngineSettings,
    given: dict[str, Any],
) -> list[str]:
    """What was not stated, in words."""
    words = []
    if "token_budget" not in given or "max_sequences" not in given:
        words.append(
            f"engine settings of current vLLM on this device: {settings.token_budget:,} tokens an "
            f"iteration, {settings.max_sequences:,} sequences, blocks of {settings.block_tok} "
            f"tokens, decode batches padded to captured graph sizes up to "
            f"{max(settings.sizes, default=0)}, an iteration scheduled ahead"
        )
    if "kv_capacity_tok" not in given:
        words.append(
            f"KV cache of {made.kv_capacity_tok:,.0f} tokens: what the weights leave of "
            f"{MEMORY_FRAC:.0%} of the memory"
        )
    table = "the packaged table" if options.constants is None else options.constants.name
    words.append(
        f"constants of {device.name} with {device.engine} from {table}, energy within "
        f"{device.u95_frac:.0%} (95 %)"
    )
    return words
