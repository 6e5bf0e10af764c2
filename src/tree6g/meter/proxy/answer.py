"""An answer on its way through: bytes go on as they come, and what they say of tokens is noted.

Three forms, told apart by the answer's `Content-Type`: a stream of server-sent events, a stream of
lines of JSON (Ollama), and one JSON text. A stream is looked at event by event; JSON is read only
where an event can hold what is looked for, so that a token costs microseconds.

Only an event that brings nothing but the usage that we asked for is taken out. While that is
possible the beginning of an event that has not come whole is held back; nothing else ever is.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import Any, Final, Literal

from tree6g.meter.proxy.usage import Usage, loads, usage_of

Form = Literal["events", "lines", "whole", "other"]

MAX_EVENT_BYTE: Final = 1 << 20  # longer ones go through unread
MAX_WHOLE_BYTE: Final = 16 << 20
_EVENT_END: Final = re.compile(rb"\r\n\r\n|\n\r?\n|\r\r")
_LINE_END: Final = re.compile(rb"\n")
_TOLD: Final = re.compile(
    rb'"(?:usage|timings)"\s*:\s*\{|"(?:prompt_)?eval_count"|"tokens_predicted"'
    rb'|"(?:done|stop)"\s*:\s*true|"error"\s*:\s*[{"]'
)
_FINAL_TYPES: Final = ("response.completed", "response.incomplete", "response.failed")
_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}  # 47: with either head


def form_of(content_type: str) -> Form:
    """Form of an answer by its `Content-Type`."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return "events"
    if kind in {"application/x-ndjson", "application/jsonl", "application/json-lines"}:
        return "lines"
    return "whole" if kind == "application/json" or kind.endswith("+json") else "other"


class AnswerReader:
    """Notes what an answer says.

    Attributes:
        chunks: Events of a stream that bring something, without the usage alone.
        first_s: When the first of them came that holds output, by the caller's clock.
        last_s: When the last of them came.
        usage: Tokens; None as long as nothing has said them.
        final: The answer has said that it is complete.
        failed: The answer is an error, or ends in one.
        model: Model by the answer.
        why: Why it cannot be read; empty if it can.
    """

    def __init__(self, form: Form, *, encoding: str = "", take_out: bool = False) -> None:
        """Read an answer of a form and a `Content-Encoding`."""
        encoding = encoding.strip().lower()
        packed = encoding not in {"", "identity"}
        self.chunks = 0
        self.first_s: float | None = None
        self.last_s: float | None = None
        self.usage: Usage | None = None
        self.final = self.failed = False
        self.model = ""
        self.why = "" if not packed or encoding in _BITS else f"it is packed as {encoding[:20]}"
        self._form: Form = "other" if self.why else form
        self._unpack = zlib.decompressobj(_BITS[encoding]) if encoding in _BITS else None
        self._take_out = take_out and not packed and form == "events"
        self._end = _EVENT_END if form == "events" else _LINE_END
        self._rest = bytearray()
        self._skip = False  # inside an event that is too long

    def feed(self, data: bytes, now_s: float) -> bytes:
        """Take the next bytes of the answer; gives what is to go on to the client."""
        if self._form == "other":
            return data
        plain = data if self._unpack is None else self._unpacked(self._unpack, data)
        if self._form == "whole":
            self._collect(plain)
            return data
        kept = self._split(plain, now_s)
        return kept if self._take_out else data

    def end(self, now_s: float) -> bytes:
        """The answer has come to its end; gives what had been held back."""
        rest, self._rest = bytes(self._rest), bytearray()
        if self._form == "whole":
            self._whole(rest)
            return b""
        if rest and not self._skip and self._form != "other" and self._event(rest, now_s):
            return b""  # the usage alone, without the empty line after it
        return rest if self._take_out else b""

    def cut(self) -> bytes:
        """The answer broke off; gives what had been held back."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest if self._take_out else b""

    def _collect(self, plain: bytes) -> None:
        if len(self._rest) + len(plain) > MAX_WHOLE_BYTE:
            self.why, self._form = f"it is above {MAX_WHOLE_BYTE:,} byte", "other"
            self._rest = bytearray()
        else:
            self._rest += plain

    def _whole(self, raw: bytes) -> None:
        data = loads(raw)
        self._note(data)
        self.final = data is not None

    def _split(self, plain: bytes, now_s: float) -> bytes:
        """Look at each event that has come whole; gives them without those that are taken out."""
        kept: list[bytes] = []
        # What an end can begin with may be among the last bytes that were there before.
        at, look = 0, max(len(self._rest) - 3, 0)
        self._rest += plain
        text = bytes(self._rest)
        for match in self._end.finditer(text, look):
            event = text[at : match.end()]
            if self._skip:
                self._skip = False
                kept.append(event)
            elif not self._event(event, now_s):
                kept.append(event)
            at = match.end()
        del self._rest[:at]
        if len(self._rest) > MAX_EVENT_BYTE or self._skip:
            self._skip = True
            kept.append(bytes(self._rest[:-3]))
            del self._rest[:-3]
        return b"".join(kept)

    def _event(self, event: bytes, now_s: float) -> bool:
        """Note what an event says; whether it is to be taken out."""
        text = _data(event) if self._form == "events" else event.strip()
        if not text:
            return False
        if text == b"[DONE]":
            self.final = True
            return False
        data = loads(text) if self.first_s is None or _TOLD.search(text) else None
        if data is not None:
            self._note(data)
        if _usage_alone(data):
            self.final = True
            return self._take_out
        self.chunks += 1
        self.last_s = now_s
        if self.first_s is None and _has_output(data):
            self.first_s = now_s
        return False

    def _note(self, data: object) -> None:
        usage = usage_of(data)
        self.usage = usage or self.usage
        if not isinstance(data, Mapping):
            return
        self.failed |= bool(data.get("error")) or data.get("type") == "response.failed"
        self.final |= bool(data.get("done") is True or data.get("stop") is True)
        self.final |= data.get("type") in _FINAL_TYPES
        model = data.get("model")
        if isinstance(model, str) and not self.model:
            self.model = model

    def _unpacked(self, unpack: Any, data: bytes) -> bytes:
        """The plain text of what has come, bounded; of what cannot be unpacked, nothing."""
        try:
            plain: bytes = unpack.decompress(data, MAX_WHOLE_BYTE)
        except zlib.error as error:
            self.why, self._form = f"it cannot be unpacked: {error}", "other"
            return b""
        if unpack.unconsumed_tail:
            self.why, self._form = f"it unpacks to above {MAX_WHOLE_BYTE:,} byte", "other"
            return b""
        return plain


def _data(event: bytes) -> bytes:
    """The data of an event, its lines put together."""
    if event.startswith(b"data:") and event.find(b"\n", 0, -2) < 0 and b"\r" not in event:
        return event[5:].strip()  # by far the most frequent form
    lines = [line for line in event.splitlines() if line.startswith(b"data:")]
    return b"\n".join(line[5:] for line in lines).strip()


def _usage_alone(data: object) -> bool:
    """Whether an event of OpenAI's API brings the usage and no choice."""
    if not isinstance(data, Mapping) or not isinstance(data.get("usage"), Mapping):
        return False
    return data.get("choices") == []


def _has_output(data: object) -> bool:
    """Whether an event holds output: text, reasoning or a call of a tool."""
    if not isinstance(data, Mapping):
        return False
    choices = data.get("choices")
    if isinstance(choices, list):
        return any(_choice(choice) for choice in choices)
    message = data.get("message")
    if isinstance(message, Mapping):
        return _filled(message)
    delta = data.get("delta")  # the responses API
    if isinstance(delta, str):
        return bool(delta)
    return bool(data.get("response") or data.get("content")) if "type" not in data else False


def _choice(choice: object) -> bool:
    if not isinstance(choice, Mapping):
        return False
    delta = choice.get("delta")
    return bool(choice.get("text")) or (isinstance(delta, Mapping) and _filled(delta))


_OUTPUT: Final = ("content", "reasoning_content", "reasoning", "thinking", "refusal", "tool_calls")


def _filled(message: Mapping[str, Any]) -> bool:
    return any(message.get(name) for name in _OUTPUT)
