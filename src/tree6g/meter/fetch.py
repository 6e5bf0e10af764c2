"""The bytes of a target, a URL or a file, within bounds of time and size."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Final

from tree6g.errors import MeterError
from tree6g.meter.recognise import MAX_BYTE

ACCEPT: Final = (
    "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.9,*/*;q=0.1"
)
CHUNK_BYTE: Final = 1 << 16
QUIET_S: Final = 5.0  # without a byte
WHOLE_S: Final = 30.0  # for all of it


def is_url(target: str) -> bool:
    """Whether a target is a URL and not a file."""
    return "://" in target


def fetch(target: str, *, quiet_s: float = QUIET_S, whole_s: float = WHOLE_S) -> bytes:
    """What a URL answers, or a file holds.

    Raises:
        MeterError: It cannot be had, takes too long, or is too large.
    """
    return _get(target, quiet_s, whole_s) if is_url(target) else _read(Path(target))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTE + 1)
    except OSError as error:
        raise MeterError(f"cannot read {path}: {error.strerror or error}.") from error
    if len(raw) > MAX_BYTE:
        raise MeterError(f"expected at most {MAX_BYTE:,} byte in {path}; there are more.")
    return raw


def _get(url: str, quiet_s: float, whole_s: float) -> bytes:
    try:
        scheme = urllib.parse.urlsplit(url).scheme
        if scheme not in {"http", "https"}:
            raise MeterError(f"expected a URL of http or https; got {url[:200]!r}.")
        request = urllib.request.Request(url, headers={"Accept": ACCEPT})  # noqa: S310  # checked
        with urllib.request.urlopen(request, timeout=quiet_s) as answer:  # noqa: S310  # checked
            return _body(url, answer, time.monotonic() + whole_s)
    except urllib.error.HTTPError as error:
        error.close()
        hint = " Metrics are usually at /metrics." if error.code == 404 else ""
        raise MeterError(f"{url} answers {error.code} {error.reason}.{hint}") from error
    except urllib.error.URLError as error:
        raise MeterError(f"cannot reach {url}: {error.reason}.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise MeterError(f"cannot read {url}: {error or type(error).__name__}.") from error


def _body(url: str, answer: http.client.HTTPResponse, until_s: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(CHUNK_BYTE):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTE:
            raise MeterError(f"expected at most {MAX_BYTE:,} byte from {url}; there are more.")
        if time.monotonic() > until_s:
            raise MeterError(f"{url} has sent {size:,} byte and has not come to an end in time.")
    return b"".join(parts)
