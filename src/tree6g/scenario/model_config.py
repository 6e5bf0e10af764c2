"""Models that a user brings: `config.json` files, kept in a folder of the user's own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tree6g.compute.model import catalogue
from tree6g.compute.model.architecture import Architecture
from tree6g.compute.model.config import from_config
from tree6g.compute.model.footprint import Footprint, footprint, image_footprint
from tree6g.compute.model.networks import network
from tree6g.errors import DataError

FOLDER_VARIABLE: Final = "TREE6G_MODELS"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")
_LARGEST_BYTE: Final = 4_000_000  # a config is some kilobytes; weights are not read by mistake


def folder() -> Path:
    """Where added models are kept.

    `TREE6G_MODELS`, else `tree6g/models` below `XDG_DATA_HOME`, else below `~/.local/share`.
    """
    named = os.environ.get(FOLDER_VARIABLE)
    if named:
        return Path(named)
    data_home = os.environ.get("XDG_DATA_HOME")
    base = Path(data_home) if data_home else Path.home() / ".local" / "share"
    return base / "tree6g" / "models"


def added() -> tuple[str, ...]:
    """Names of the models that the user added."""
    where = folder()
    return tuple(sorted(p.stem for p in where.glob("*.json"))) if where.is_dir() else ()


def architecture(text: str) -> Architecture:
    """The model of a name or file: a `config.json`, an added model, or a packaged one.

    Args:
        text: Path of a JSON file, name of an added model, or name or repository of a packaged one;
            an added model goes before a packaged one of its name.

    Raises:
        DataError: There is no such model, or its config cannot be read or counted.
    """
    if text.endswith(".json"):
        path = Path(text)
        return from_config(read_config(path), path.parent.name or path.stem)
    own = folder() / f"{text.lower()}.json"
    if _NAME.fullmatch(text.lower()) and own.is_file():
        return from_config(read_config(own), text.lower())
    return catalogue.architecture(text)


def model_footprint(text: str) -> Footprint:
    """The summary of a model with tokens, or of a packaged convolutional network.

    Raises:
        DataError: As for `architecture`.
    """
    if text in catalogue.image_names():
        return image_footprint(network(text))
    return footprint(architecture(text))


def known(text: str) -> bool:
    """Whether a name means an added or a packaged model."""
    if text.lower() in added():
        return True
    try:
        catalogue.find(text)
    except DataError:
        return False
    return True


def add(name: str, file: Path, *, replace: bool = False) -> Path:
    """Keep a config under a name, after it was counted.

    Args:
        name: Lower-case letters, digits, dots, hyphens and underscores.
        file: The `config.json`.
        replace: Whether a model of that name that was added before is overwritten.

    Raises:
        DataError: The name cannot be a name or is taken, or the config cannot be read or counted.
    """
    if not _NAME.fullmatch(name):
        raise DataError(
            f"expected a name of a-z, 0-9, dots, hyphens and underscores; got {name!r}."
        )
    if name in catalogue.names():
        raise DataError(f"expected a new name; '{name}' is a packaged model. Choose another.")
    config = read_config(file)
    from_config(config, name)
    target = folder() / f"{name}.json"
    if target.exists() and not replace:
        raise DataError(f"expected a new name; '{name}' was added before: {target}. Use --replace.")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_suffix(".part")
    part.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(target)
    return target


def read_config(file: Path) -> Mapping[str, Any]:
    """The fields of a `config.json`.

    Raises:
        DataError: The file cannot be read, or is no JSON object.
    """
    try:
        if file.is_file() and file.stat().st_size > _LARGEST_BYTE:
            raise DataError(f"Expected a config.json of some kilobytes; {file} is far larger.")
        config = json.loads(file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError(
            f"Expected a config.json; {file} cannot be read: {error.strerror or error}."
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(f"Expected a config.json; {file} is no JSON: {error}.") from error
    if not isinstance(config, dict):
        raise DataError(
            f"Expected a config.json with fields; {file} holds a {type(config).__name__}."
        )
    return config
