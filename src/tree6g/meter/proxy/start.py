"""Starts the proxy, where its extra is installed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from tree6g.errors import MeterError
from tree6g.meter.access import Access
from tree6g.meter.proxy.tenants import HEADER, Tenants, read_tenants
from tree6g.meter.proxy.upstream import OneServer, base_url


def run(
    to: str,
    access: Access,
    *,
    tenants: Path | None,
    header: str = HEADER,
    ask: bool = True,
    silence_s: float,
    say: Callable[[str], None],
) -> None:
    """Run a proxy until interrupted or told to end; `say` gets its address.

    Raises:
        MeterError: The extra is missing, a setting is wrong, or it cannot listen.
    """
    chooser = OneServer(base_url(to))
    named = read_tenants(tenants, header) if tenants is not None else Tenants(header=header)
    try:
        from tree6g.meter.proxy.server import Setting, running
    except ModuleNotFoundError as error:
        raise MeterError(
            f"expected {error.name}, which the proxy needs. Install it: pip install 'tree6g[proxy]'"
        ) from error
    setting = Setting(access=access, chooser=chooser, tenants=named, ask=ask, silence_s=silence_s)

    async def until_told() -> None:
        """Run until SIGINT or SIGTERM; what is under way may come to its end."""
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told.set)
        async with running(setting) as url:
            say(url)
            await told.wait()

    asyncio.run(until_told())
