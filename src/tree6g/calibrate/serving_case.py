"""What a log of an engine says of its server, and what has to be assumed."""

from __future__ import annotations

import dataclasses
from typing import Final

from tree6g.calibrate.request_logs import RequestLog, named, row_named
from tree6g.calibrate.serving_fit import FITTED, Peaks
from tree6g.compute.accelerator import accelerator as known_accelerator
from tree6g.compute.model.footprint import footprint
from tree6g.compute.replica import Replica, replica
from tree6g.compute.serving.settings import EngineSettings, default_settings
from tree6g.data import table
from tree6g.errors import DataError
from tree6g.scenario import model_config

BUDGETS_TOK: Final = (2048, 8192)  # vLLM's for small and for large devices
_FORMATS: Final = ("fp8", "int8", "int4")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One log with everything to simulate it.

    Attributes:
        log: The log.
        prior: The replica with the constants of the packaged table.
        peaks: What its accelerators could do at most.
        settings: Settings of the engine to choose from, all but one value alike.
        words: What was assumed.
    """

    log: RequestLog
    prior: Replica
    peaks: Peaks
    settings: tuple[EngineSettings, ...]
    words: tuple[str, ...]


def case_of(
    log: RequestLog, accelerator: str | None, model: str | None, tensor_parallel: int | None
) -> Case:
    """The server of a log, by options, engine.json and the file's name, in this order.

    Raises:
        DataError: Too few requests, or a name that is not known.
        InfeasibleError: The model does not fit.
    """
    if len(log) <= FITTED:
        raise DataError(
            f"expected more than {FITTED} requests, which are fitted; {log.name} has {len(log)}."
        )
    name = named(log.name)
    device = known_accelerator(
        row_named(accelerator or name.accelerator, table("accelerators"), "accelerator")
    )
    wanted = model or name.model
    if wanted is None:
        raise DataError(f"expected a model in the name {log.name!r}; name it with --model.")
    count = int(tensor_parallel or log.engine.get("tensor_parallel") or name.tensor_parallel or 1)
    weights = next((kind for kind in _FORMATS if kind in wanted.lower()), "fp16")
    made = replica(
        device, footprint(model_config.architecture(wanted)), weights=weights, count=count
    )
    narrow = device.narrow_flop_per_s(weights)
    peaks = Peaks(
        flop_per_s=count * (device.fp16_flop_per_s if narrow is None else narrow),
        byte_per_s=count * device.bandwidth_byte_per_s,
    )
    settings, words = _settings(log, made, default_settings(device.memory_byte, device.name))
    what = f"{count} x {device.name}, {wanted} in {weights}"
    return Case(log=log, prior=made, peaks=peaks, settings=settings, words=(what, *words))


def _settings(
    log: RequestLog, made: Replica, usual: EngineSettings
) -> tuple[tuple[EngineSettings, ...], tuple[str, ...]]:
    """Settings that the engine may have had, and what is known or assumed of them in words."""
    known = log.engine
    places = int(known.get("max_num_seqs") or known.get("observed_peak_running") or 0)
    capacity = known.get("kv_cache_tok")
    budget = known.get("max_num_batched_tokens")
    caching = bool(known.get("prefix_caching", True))
    words = [
        f"{places} sequences at once, the most that the log shows"
        if places and "max_num_seqs" not in known
        else f"{places or usual.max_sequences} sequences at once"
        + ("" if places else ", vLLM's default"),
        f"KV cache of {capacity:,} tokens, as given"
        if capacity
        else f"KV cache of {made.kv_capacity_tok:,.0f} tokens, what the memory leaves",
        "decode batches padded to vLLM's captured sizes, iterations scheduled ahead as vLLM does",
        ("prefix cache on" if caching else "prefix cache off")
        + ("" if "prefix_caching" in known else ", vLLM's default")
        + "; prompts of different requests share nothing",
    ]
    base = dataclasses.replace(
        usual,
        token_budget=max(BUDGETS_TOK),
        max_sequences=places or usual.max_sequences,
        kv_capacity_tok=None if capacity is None else float(capacity),
        prefix_cache=caching,
    )
    budgets = (int(budget),) if budget else BUDGETS_TOK
    choices = tuple(
        dataclasses.replace(base, token_budget=max(b, base.max_sequences)) for b in budgets
    )
    return choices, tuple(words)
