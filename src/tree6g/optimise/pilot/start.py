"""Runs a pilot, where the proxy's extra is installed, and learns from the ledger meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import math
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tree6g.errors import LedgerError, MeterError
from tree6g.ledger.reading import open_ledger
from tree6g.meter.access import Access
from tree6g.meter.proxy.tenants import Tenants, read_tenants
from tree6g.optimise.pilot.config import Config
from tree6g.optimise.pilot.joules import learned, windows
from tree6g.optimise.pilot.metrics import families
from tree6g.optimise.pilot.price import metered_price
from tree6g.optimise.pilot.record import Recorder
from tree6g.optimise.pilot.router import Router

if TYPE_CHECKING:
    from tree6g.meter.proxy.server import Setting

SILENCE_S: Final = 600.0
LOOKS_PER_MEMORY: Final = 20
LOOKS_PER_PRICE: Final = 5


def run(
    config: Config,
    access: Access,
    *,
    length_s: float = math.inf,
    say: Callable[[str], None],
    complain: Callable[[str], None],
) -> dict[str, Any]:
    """Route until the time is over, or interrupted; `say` gets the address. What was decided.

    Raises:
        MeterError: The extra is missing, a setting is wrong, or it cannot listen.
    """
    with _recording(config.record) as record:
        router = Router(config, record=record)
        setting = setting_of(router, access)

        async def until_told() -> None:
            """Run until SIGINT or SIGTERM; what is under way may come to its end."""
            from tree6g.meter.proxy.server import running

            told = asyncio.Event()
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, told.set)
            async with running(setting) as url:
                say(url)
                learning = asyncio.create_task(keep_learning(router, complain))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(None if math.isinf(length_s) else length_s):
                        await told.wait()
                learning.cancel()

        asyncio.run(until_told())
    return {
        "requests": sum(router.decided.values()),
        "decisions": [
            {"service": service, "chosen": chosen, "sent": sent, "requests": count}
            for (service, chosen, sent), count in sorted(router.decided.items())
        ],
        "passed": dict(router.passed),
        "j_per_tok": {name: s.j_per_tok for name, s in router.servers.items()},
        "price_beq_per_j": router.price.now_beq_per_j,
    }


def setting_of(router: Router, access: Access) -> Setting:
    """The proxy's setting: the router chooses, and each server has sums of its own.

    Raises:
        MeterError: The extra is missing, or the tenants' file is wrong.
    """
    try:
        from tree6g.meter.proxy.server import Setting
    except ModuleNotFoundError as error:
        raise MeterError(
            f"expected {error.name}, which the pilot needs. Install it: pip install 'tree6g[proxy]'"
        ) from error
    config = router.config
    pages = {
        f"/metrics/{name}": standing.counts.families for name, standing in router.servers.items()
    }
    return Setting(
        access=access,
        chooser=router,
        tenants=Tenants() if config.tenants is None else read_tenants(config.tenants),
        silence_s=SILENCE_S,
        pages={**pages, "/metrics": functools.partial(families, router)},
    )


async def keep_learning(router: Router, complain: Callable[[str], None]) -> None:
    """Look into the ledger now and then: joules per token often, the price, which costs more, less.

    A live rule that knows no joules does not look at all.
    """
    config, told = router.config, ""
    wanted = config.rule == "tree" or config.mode == "shadow"
    for number in itertools.count():
        if config.ledger is None or not wanted:
            return
        await asyncio.sleep(max(config.window_s, config.memory_s / LOOKS_PER_MEMORY))
        try:
            priced = number % LOOKS_PER_PRICE == 0
            found, price = await asyncio.to_thread(look, config, priced=priced)
        except LedgerError as error:
            if str(error) != told:  # once, not at every look
                told = str(error)
                complain(f"nothing learned: {told}")
            continue
        for name, joules in found.items():
            router.servers[name].j_per_tok = joules
        if price is not None:
            router.price.metered = price


def look(
    config: Config, *, priced: bool = True
) -> tuple[dict[str, tuple[float, float]], float | None]:
    """What the ledger says now: joules per token of servers, and the price if it is wanted.

    A server that has no work of late is left out: what was known of it stays.

    Raises:
        LedgerError: It cannot be read.
    """
    if config.ledger is None:
        return {}, None
    ledger = open_ledger(config.ledger)
    ends = ledger.query("SELECT max(t1_s) AS t1_s FROM energy").to_pylist()
    if ends[0]["t1_s"] is None:
        return {}, None
    since_s = ends[0]["t1_s"] - 3.0 * config.memory_s  # what is older counts less than 5 %
    seen = windows(ledger, config.window_s, since_s)
    found = {}
    for server in config.servers:
        joules = learned(
            seen.get(server.node, ()),
            server.j_per_tok,
            window_s=config.window_s,
            memory_s=config.memory_s,
        )
        if joules is not None:
            found[server.name] = joules
    return found, metered_price(ledger, config.memory_s) if priced else None


@contextlib.contextmanager
def _recording(path: Path | None) -> Iterator[Callable[[dict[str, Any]], None]]:
    """What takes accounts of requests."""
    if path is None:
        yield lambda _: None
    else:
        with Recorder(path) as recorder:
            yield recorder
