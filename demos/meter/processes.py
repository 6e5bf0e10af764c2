"""Programs of the demonstration, each a process of its own, all ended with it."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

PATIENCE_S = 60.0


class Programs:
    """Child processes by name, each with a log file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        """Start a program; standard error goes to `<name>.log`, output to `<name>.out`."""
        log, out = self.folder / f"{name}.log", self.folder / f"{name}.out"
        with log.open("wb") as error, out.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=error, stdin=subprocess.DEVNULL, env=os.environ
            )
        self.running[name] = process
        return process

    def await_answer(self, name: str, url: str) -> None:
        """Wait until a program answers at an address.

        Raises:
            RuntimeError: It ended, or did not answer in time; with the end of its log.
        """
        end_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < end_s:
            if self.running[name].poll() is not None:
                break
            with contextlib.suppress(OSError, urllib.error.URLError):
                urllib.request.urlopen(url, timeout=5.0).close()
                return
            time.sleep(0.1)
        raise RuntimeError(f"{name} does not answer at {url}:\n{self.said(name)}")

    def end(self, name: str) -> int:
        """Ask a program to end, and wait; its exit code."""
        process = self.running.pop(name)
        process.terminate()
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def said(self, name: str) -> str:
        """The last lines that a program wrote."""
        text = (self.folder / f"{name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-15:])


@contextlib.contextmanager
def programs(folder: Path) -> Iterator[Programs]:
    """Programs that are all ended at the end of the block."""
    made = Programs(folder)
    try:
        yield made
    finally:
        for name in list(made.running)[::-1]:
            made.end(name)


def free_port() -> int:
    """A port on loopback that nothing listens at."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
