"""What changes at servers and why, in plain words, and the same as data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from tree6g.optimise.servers.choice import Running
from tree6g.optimise.servers.pool import Option, Pool
from tree6g.units import show


def sentences(running: Running, shares: Mapping[str, float]) -> Iterator[str]:
    """What changes at the servers of a pool.

    Args:
        running: The pool in its setting.
        shares: Share of today's rates that services have.
    """
    pool, option = running.pool, running.option
    names = ", ".join(pool.names)
    if option is None:
        yield f"{names}: off, which saves {_watts(pool.idle_w)}: none of its services is served."
        return
    if option.setting == pool.today.setting:
        others = "no other that is as punctual draws less" if len(pool.options) > 1 else "no choice"
        yield f"{names}: set up as today; {others}."
        return
    yield from _number(running, names)
    yield from _pace(running, names, shares)


def _number(running: Running, names: str) -> Iterator[str]:
    """Servers and accelerators that go."""
    pool, option = running.pool, running.option
    assert option is not None  # noqa: S101 - told apart by the caller
    now, then = pool.today.setting, option.setting
    saved = _watts(pool.idle_w - running.idle_w)
    if then.servers != now.servers:
        yield (
            f"{names}: {then.servers} of {now.servers} stay on, which saves {saved} of idle power; "
            f"{option.on_time_frac:.1%} of the tokens come on time."
        )
    if then.count != now.count:
        yield (
            f"{names}: {then.count} of {now.count} accelerators each, which saves {saved} of idle "
            f"power; {option.on_time_frac:.1%} of the tokens come on time."
        )


def _pace(running: Running, names: str, shares: Mapping[str, float]) -> Iterator[str]:
    """Clock and batch: what they do to tokens and watts."""
    pool, option = running.pool, running.option
    assert option is not None  # noqa: S101 - told apart by the caller
    now, then = pool.today.setting, option.setting
    share = pool.share_frac(shares)
    before, after = _token(pool, pool.today, 1.0), _token(pool, option, share)
    watts = f"{_watts(pool.active_w)} to {_watts(running.active_w(shares))} above idle"
    if then.clock != now.clock:
        yield (
            f"{names}: clock {_clock(then.clock)} instead of {_clock(now.clock)}. A token takes "
            f"{after[1]} instead of {before[1]} and the first {after[0]} instead of {before[0]}, "
            f"{option.on_time_frac:.1%} of them come on time; from {watts}."
        )
    if then.max_batch != now.max_batch:
        yield (
            f"{names}: at most {then.max_batch} sequences at once instead of {now.max_batch}; "
            f"from {watts}."
        )
    running_now = float(option.curve.running(option.rate_tps(pool.demand_tps, share)))
    yield (
        f"A further GPU second of {names} would bring nothing: all that is asked for is made, and "
        f"{math.exp(-running_now):.0%} of its time it waits for work."
    )


def described(running: Running, shares: Mapping[str, float]) -> dict[str, Any]:
    """A pool in its setting under the keys of `--json`."""
    pool, option = running.pool, running.option
    setting = None if option is None else option.setting
    share = pool.share_frac(shares)
    return {
        "place": pool.place,
        "names": list(pool.names),
        "servers": 0 if setting is None else setting.servers,
        "count": None if setting is None else setting.count,
        "clock": None if setting is None else setting.clock,
        "max_batch": None if setting is None else setting.max_batch,
        "idle_power_w": running.idle_w,
        "active_power_w": running.active_w(shares),
        "tpot_s": None if option is None else _pace_s(pool, option, share),
        "on_time_frac": None if option is None else option.on_time_frac,
        "fit_error_frac": None if option is None else option.error.power_frac,
        "run_error_frac": pool.scale / pool.expected_scale - 1.0,
        "settings_tried": len(pool.options),
    }


def _token(pool: Pool, option: Option, share: float) -> tuple[str, str]:
    """Time to the first token at the server, and of each further one."""
    rate_tps = option.rate_tps(pool.demand_tps, share)
    return show(float(option.curve.ttft_s(rate_tps)), "s"), show(_pace_s(pool, option, share), "s")


def _pace_s(pool: Pool, option: Option, share: float) -> float:
    return float(option.curve.tpot_s(option.rate_tps(pool.demand_tps, share)))


def _clock(name: str | None) -> str:
    return "the highest" if name is None else name


def _watts(power_w: float) -> str:
    return show(power_w, "w")
