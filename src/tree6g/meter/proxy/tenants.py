"""Whose a request is: by its key, a header, or its model. Keys are compared and never shown."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tree6g.errors import MeterError, ScenarioError
from tree6g.scenario import document

NONE: Final = "none"
HEADER: Final = "X-Tenant"
MAX_NAME: Final = 64
_HASH_LETTERS: Final = 8  # tell keys apart and give nothing of them away
# What client libraries send where a server wants no key.
_NO_KEYS: Final = frozenset(
    {"", "-", "empty", "none", "null", "no-key", "nokey", "sk-no-key-required", "ollama", "dummy"}
)
_KEY_HEADERS: Final = ("x-api-key", "api-key")
_SHA256: Final = re.compile(r"sha256:([0-9a-fA-F]{64})")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tenants:
    """How tenants are told apart.

    Attributes:
        names: Name by SHA-256 of a key, in hexadecimal.
        header: Header that names the tenant of a request without a key.
    """

    names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    header: str = HEADER

    def of(self, headers: Mapping[str, str], model: str) -> str:
        """The tenant: name of the key, else its hash, else the header, else model, else `none`."""
        key = key_of(headers)
        if key:
            digest = _digest(key)
            return self.names.get(digest) or f"key-{digest[:_HASH_LETTERS]}"
        named = _plain(headers.get(self.header, ""))
        return named or _plain(model) or NONE

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request brings a key that has a name."""
        key = key_of(headers)
        return bool(key) and _digest(key) in self.names


def key_of(headers: Mapping[str, str]) -> str:
    """The key of a request, from `Authorization`, `x-api-key` or `api-key`; empty if none."""
    scheme, _, text = headers.get("Authorization", "").strip().partition(" ")
    keys = [text.strip() if scheme.lower() == "bearer" else text and f"{scheme} {text}"]
    keys += [headers.get(name, "").strip() for name in _KEY_HEADERS]
    return next((key for key in keys if key.lower() not in _NO_KEYS), "")


def read_tenants(path: Path, header: str = HEADER) -> Tenants:
    """Tenants of a YAML file: name to key, to `sha256:` and 64 hexadecimal digits, or to a list.

    Raises:
        MeterError: The file cannot be read, or something in it is wrong: all of it at once.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(document.MAX_BYTE + 1)
        read = document.read_yaml(raw.decode("utf-8-sig"), str(path))
    except OSError as error:
        raise MeterError(f"cannot read {path}: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise MeterError(f"{path}: expected text in UTF-8; byte {error.start} is none.") from error
    except ScenarioError as error:
        raise MeterError("\n".join(error.problems)) from error
    problems = [f"{path}: {problem.text}" for problem in read.problems]
    names: dict[str, str] = {}
    if not isinstance(read.data, Mapping):
        raise MeterError(f"{path}: expected lines NAME: KEY.")
    for name, digest, problem in _entries(read.data):
        if problem or names.get(digest, name) != name:
            problems.append(f"{path}: {problem or f'the key of {name!r} is also another one'}.")
        else:
            names[digest] = name
    if problems:
        raise MeterError("\n".join(problems))
    return Tenants(names=names, header=header)


def _entries(data: Mapping[Any, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, hash of a key, and what is wrong; no key is ever part of a message."""
    for name, value in data.items():
        label = str(name)
        if label != _plain(label):
            yield label, "", f"expected a name of 1 to {MAX_NAME} printable characters: {label!r}"
        keys = value if isinstance(value, list) else [value]
        if not keys:
            yield label, "", f"expected a key of {label!r}; the list is empty"
        for key in keys:
            if not isinstance(key, str) or key.strip().lower() in _NO_KEYS:
                yield label, "", f"expected the key of {label!r} as a text in quotes"
            elif key.startswith("sha256:") and not _SHA256.fullmatch(key):
                yield label, "", f"expected 64 hexadecimal digits after sha256: of {label!r}"
            else:
                hashed = _SHA256.fullmatch(key)
                yield label, hashed[1].lower() if hashed else _digest(key.strip()), ""


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def _plain(text: str) -> str:
    """A name of bounded length without control characters."""
    return "".join(c if c.isprintable() else "?" for c in text.strip()[:MAX_NAME])
