"""A served trace in words and as plain data."""

from __future__ import annotations

import dataclasses
import math
import textwrap
from typing import Any, Final

from tree6g.compute.serving.measures import Spread
from tree6g.engine.serving import Options, ServeRun
from tree6g.report import numerals

_WIDTH: Final = 98
_LATENCIES: Final = (
    ("TTFT", "ttft_s", "arrival to first token"),
    ("TPOT", "tpot_s", "per further token, a value per request"),
    ("ITL", "itl_s", "between tokens, a value per token"),
    ("E2E", "e2e_s", "arrival to last token"),
    ("queueing", "queue_s", "arrival to first iteration"),
)
_SPREAD: Final = ("mean", "p50", "p90", "p99", "most")


def lines(run: ServeRun) -> list[str]:
    """The outcome for a terminal, in plain ASCII."""
    found = [*_requests(run), "", *_latencies(run), "", *_energy(run), "", *_assumed(run)]
    return [_ascii(line).rstrip() for line in found]


def result(run: ServeRun) -> dict[str, Any]:
    """The outcome under the keys of `--json`; the same for the same input."""
    s = run.summary
    body = {
        field.name: getattr(s, field.name)
        for field in dataclasses.fields(s)
        if field.name not in {name for _, name, _ in _LATENCIES}
    }
    lost = s.requests - s.served
    spreads = {name: _spread(getattr(s, name)) for _, name, _ in _LATENCIES}
    return {
        **_asked(run),
        **body,
        "lost": lost,
        **spreads,
        "j_per_tok": _per(s.energy_j, s.output_tok),
        "total_j_per_tok": _per(run.total_j, s.output_tok),
        "j_per_request": {
            name: _per(value, s.served)
            for name, value in (
                ("prefill", s.prefill_j),
                ("decode", s.decode_j),
                ("recompute", s.recompute_j),
                ("idle", s.idle_j),
                ("rest", s.rest_j),
                ("transfer", s.transfer_j),
            )
        },
        "host_j": run.host_j,
        "overhead_j": run.overhead_j,
        "total_j": run.total_j,
        "mean_power_w": _per(s.energy_j, s.end_s),
        "mean_total_power_w": _per(run.total_j, s.end_s),
        "conservation_error_frac": s.unaccounted_frac,
        "energy_u95_frac": run.server.device.u95_frac,
        "assumed": list(run.server.assumed),
        "notes": list(run.trace.notes),
    }


def _asked(run: ServeRun) -> dict[str, Any]:
    """What was served with what."""
    options = run.options
    return {
        "trace": run.trace.source,
        "accelerator": options.accelerator,
        "engine": run.server.device.engine,
        "model": run.server.model,
        "weights": options.weights,
        "tensor_parallel": options.count // options.stages,
        "pipeline": options.stages,
        "clock": options.clock,
        "power_limit_w": options.power_limit_w,
        "pictures": options.pictures,
        "speed": options.speed,
        "give_up_s": options.give_up_s if math.isfinite(options.give_up_s) else None,
        "replicas": options.replicas,
        "prefill_replicas": options.prefill_replicas,
        "scaling": None if options.scaling is None else dataclasses.asdict(options.scaling),
        "routing": options.routing,
        "token_class": run.token_class,
        "settings": _settings(run),
    }


def _settings(run: ServeRun) -> dict[str, Any]:
    settings, replica = run.server.settings, run.server.replica
    return {
        "token_budget": settings.token_budget,
        "max_sequences": settings.max_sequences,
        "block_tok": settings.block_tok,
        "kv_capacity_tok": settings.blocks(replica.kv_capacity_tok) * settings.block_tok,
        "prefix_cache": settings.prefix_cache,
        "priorities": settings.priorities,
        "async_scheduling": settings.async_scheduling,
        "graph_sizes_up_to": max(settings.sizes, default=0),
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {"count": spread.count, **{name: getattr(spread, name) for name in _SPREAD}}


def _per(amount: float, base: float) -> float | None:
    return amount / base if base > 0 else None


def _requests(run: ServeRun) -> list[str]:
    s, options = run.summary, run.options
    several = f"{options.replicas} replicas" if options.replicas > 1 else "one replica"
    if options.prefill_replicas:
        several = f"{options.prefill_replicas} for prompts and {several}"
    if options.scaling is not None:
        several = f"{options.scaling.least} to {several}"
    what = f"{several} of {run.server.model} in {options.weights} on {options.count} x "
    lost = [
        f"{count:,} {why}"
        for count, why in ((s.refused, "too long for the KV cache"), (s.gave_up, "gave up"))
        if count
    ]
    routed = f", {options.routing}" if options.replicas > 1 else ""
    cached = f", {numerals.percent(s.cached_tok / s.input_tok)} cached" if s.cached_tok else ""
    gone = f" ({', '.join(lost)})" if lost else ""
    fair = "" if s.fairness is None else f", fairness {s.fairness:.3f} (Jain)"
    return [
        f"{what}{options.accelerator}{routed}{_stated(options)}",
        (
            f"requests     {s.served:,} of {s.requests:,} served, {s.requests - s.served:,} lost"
            f"{gone}; {s.preemptions:,} preemptions"
        ),
        (
            f"tokens       {s.input_tok:,.0f} in{cached}, {s.output_tok:,.0f} out, "
            f"{numerals.plain(s.tok_per_s)} out per second"
        ),
        (
            f"load         {numerals.percent(s.busy_frac)} busy, {numerals.plain(s.mean_running)} "
            f"running and {numerals.plain(s.mean_waiting)} waiting on average: {s.saturation}"
        ),
        (
            f"goodput      {numerals.plain(s.goodput_hz)} requests/s, "
            f"{numerals.percent(s.goodput_frac)} of all: TTFT <= {run.budgets.ttft_s:g} s, "
            f"TPOT <= {1e3 * run.budgets.tpot_s:g} ms ({run.token_class})"
        ),
        (
            f"on time      {numerals.percent(s.on_time_frac)} of the tokens, fluidity "
            f"{s.fluidity:.3f}{fair}"
        ),
    ]


def _stated(options: Options) -> str:
    """What was asked for beside the usual, of the device and of the requests."""
    watts = options.power_limit_w
    words = (
        f"{options.stages} pipeline stages" if options.stages > 1 else "",
        f"clock locked to {options.clock}" if options.clock else "",
        f"at most {numerals.quantity(watts, 'w')} each" if watts is not None else "",
        "prompts are pictures" if options.pictures else "",
        f"requests {options.speed:g} times as fast" if options.speed != 1.0 else "",
    )
    return "".join(f", {word}" for word in words if word)


def _latencies(run: ServeRun) -> list[str]:
    heads = ("mean", "p50", "p90", "p99", "largest")
    rows = [f"{'':<10}" + "".join(f"{head:>10}" for head in heads)]
    for name, field, meaning in _LATENCIES:
        spread: Spread = getattr(run.summary, field)
        known = spread.count > 0
        cells = [numerals.quantity(getattr(spread, at), "s") if known else "-" for at in _SPREAD]
        rows.append(f"{name:<10}" + "".join(f"{cell:>10}" for cell in cells) + f"  {meaning}")
    return rows


def _energy(run: ServeRun) -> list[str]:
    s = run.summary
    parts = (
        ("prompts", s.prefill_j),
        ("answers", s.decode_j),
        ("recomputed", s.recompute_j),
        ("idle", s.idle_j),
        ("off and starting", s.rest_j),
        ("transfers", s.transfer_j),
    )
    known = [(name, joules) for name, joules in parts if joules]
    shares = ", ".join(f"{name} {numerals.percent(joules / s.energy_j)}" for name, joules in known)
    each = ", ".join(
        f"{name} {numerals.quantity(joules / s.served, 'j')}" for name, joules in known if s.served
    )
    mean_w = s.energy_j / s.end_s if s.end_s else 0.0
    total_j = run.total_j or 1.0
    places = ", ".join(
        f"{name} {numerals.quantity(joules, 'j')} ({numerals.percent(joules / total_j)})"
        for name, joules in (
            ("accelerators", s.energy_j),
            ("hosts", run.host_j),
            ("site overhead", run.overhead_j),
        )
    )
    per_token = numerals.plain(s.energy_j / max(s.output_tok, 1.0))
    with_all = numerals.plain(run.total_j / max(s.output_tok, 1.0))
    return [
        (
            f"J/token      {per_token} per output token (accelerators, "
            f"+- {numerals.percent(run.server.device.u95_frac)}), {with_all} with hosts and site"
        ),
        f"J/request    {each or '-'}",
        (
            f"accelerators {numerals.quantity(s.energy_j, 'j')}: {shares or 'none'}; "
            f"{numerals.quantity(mean_w, 'w')} on average"
        ),
        f"all          {places}",
        f"conservation {s.unaccounted_frac:.1e}: requests and idle against iterations",
    ]


def _assumed(run: ServeRun) -> list[str]:
    found = []
    for word, texts in (("assumed", run.server.assumed), ("note", run.trace.notes)):
        for text in texts:
            found += textwrap.wrap(f"{word}: {text}", _WIDTH, subsequent_indent="  ")
    return found


def _ascii(text: str) -> str:
    return text.replace(numerals.NBSP, " ").replace("\u00b5", "u").replace(numerals.DASH, "-")
