"""Requests to an OpenAI-compatible endpoint, and what it says that they took.

Prompts are random words of a short list behind a number drawn anew, so that no server has them in a
cache unless it is meant to. `ignore_eos` and `cache_prompt` are asked of the server; one that
refuses fields it does not know is asked without them.
"""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import time
import urllib.parse
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from tree6g.errors import MeterError

KEY_VARIABLE: Final = "TREE6G_ENDPOINT_KEY"
ANSWER_S: Final = 600.0
REFUSED: Final = (400, 422)
ABSENT: Final = (404, 405, 501)
WORDS: Final = (
    "river", "stone", "cloud", "garden", "window", "paper", "music", "bridge", "winter", "summer",
    "copper", "silver", "orange", "simple", "quiet", "market", "island", "forest", "engine",
    "letter", "signal", "number", "table", "orbit",
)  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server counted for one request.

    Attributes:
        prompt_tok: Prompt tokens that were computed, without those from a cache.
        cached_tok: Prompt tokens from a cache; None where the server does not say.
        output_tok: Output tokens.
        busy_s: Time that the server says it worked on it; None where it does not say.
    """

    prompt_tok: int
    cached_tok: int | None
    output_tok: int
    busy_s: float | None


class Endpoint:
    """One server, with what it was found to accept."""

    def __init__(self, url: str, *, model: str | None = None) -> None:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise MeterError(f"expected an address such as http://127.0.0.1:8080; got {url!r}.")
        self.url = url
        self.host, self.scheme = parts.hostname, parts.scheme
        self.port = parts.port or (443 if parts.scheme == "https" else 80)
        self.base = parts.path.rstrip("/").removesuffix("/v1")
        self.model = model
        self._chat = False
        self._plain = False

    def slots(self) -> int | None:
        """How many requests llama.cpp works on at a time; None for servers that do not say."""
        status, body = self.look("/props")
        try:
            return int(json.loads(body)["total_slots"]) if status == 200 else None
        except (ValueError, KeyError, TypeError):
            return None

    def look(self, path: str) -> tuple[int, bytes]:
        """Status and body of another page of the server, such as `/metrics`.

        Raises:
            MeterError: The server cannot be reached.
        """
        return self._call("GET", self.base + path, None)

    def ask(self, prompt: str, output_tok: int, *, cached: bool = False) -> Answer:
        """Send a prompt and wait for the whole answer.

        Args:
            prompt: The text.
            output_tok: Length of the answer; servers that end at their own will may give less.
            cached: Whether a cached prefix may be used, where the server can be told.

        Raises:
            MeterError: The server cannot be reached, refuses, or does not say its token counts.
        """
        for _ in range(4):
            body = self._body(prompt, output_tok, cached=cached)
            path = f"{self.base}/v1/{'chat/' if self._chat else ''}completions"
            status, text = self._call("POST", path, body)
            if status == 200:
                return _answer(self.url, text)
            if status in ABSENT and not self._chat:
                self._chat = True
            elif status in REFUSED and not self._plain:
                self._plain = True
            elif status == 503:
                time.sleep(1.0)
            else:
                break
        said = text[:200].decode("utf-8", "replace")
        raise MeterError(f"{self.url} answers {status}: {said}. Is it OpenAI-compatible?")

    def _body(self, prompt: str, output_tok: int, *, cached: bool) -> Mapping[str, Any]:
        body: dict[str, Any] = {"max_tokens": output_tok, "temperature": 0.0, "stream": False}
        if self._chat:
            body["messages"] = [{"role": "user", "content": prompt}]
        else:
            body["prompt"] = prompt
        if self.model:
            body["model"] = self.model
        if not self._plain:
            body |= {"ignore_eos": True, "cache_prompt": cached}
        return body

    def _call(self, verb: str, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self.scheme == "https" else http.client.HTTPConnection
        connection = kind(self.host, self.port, timeout=ANSWER_S)
        key = os.environ.get(KEY_VARIABLE)
        headers = {"Content-Type": "application/json"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            connection.request(verb, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise MeterError(
                f"cannot reach {self.url}: {error or type(error).__name__}."
            ) from error
        finally:
            connection.close()


def prompt(rng: np.random.Generator, words: int) -> str:
    """A prompt of about as many tokens as words."""
    return f"{rng.integers(10, 99)} " + " ".join(rng.choice(WORDS, max(1, words - 1)))


def _answer(url: str, text: bytes) -> Answer:
    try:
        body = json.loads(text)
        usage = body["usage"]
        asked, output = int(usage["prompt_tokens"]), int(usage["completion_tokens"])
        details = usage.get("prompt_tokens_details") or {}
        timings = body.get("timings") or {}
        cached = details.get("cached_tokens", timings.get("cache_n"))
        cached = None if cached is None else int(cached)
        busy = None
        if "prompt_ms" in timings and "predicted_ms" in timings:
            busy = (float(timings["prompt_ms"]) + float(timings["predicted_ms"])) / 1e3
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MeterError(
            f"expected of {url} an answer with usage.prompt_tokens and usage.completion_tokens; "
            f"got {text[:200].decode('utf-8', 'replace')}."
        ) from error
    return Answer(
        prompt_tok=asked - (cached or 0), cached_tok=cached, output_tok=output, busy_s=busy
    )
