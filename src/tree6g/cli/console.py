"""What commands share at their edge: one JSON object out, plain lines for errors, progress."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import typer

from tree6g.errors import ScenarioError, Tree6gError

USER_ERROR: Final = 2
INTERRUPTED: Final = 130
BROKEN_PIPE: Final = 141
PATIENCE_S: Final = 2.0  # shorter work needs no progress on a terminal


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """The command with every error a user can cause turned into plain lines and an exit code."""

    @functools.wraps(command)
    def call(**arguments: Any) -> None:
        """The command; ends with an exit code where it fails."""
        as_json = bool(arguments.get("as_json"))
        try:
            command(**arguments)
            if sys.stdout is not None:  # None: closed by whoever started us
                sys.stdout.flush()
        except Tree6gError as error:
            _fail(type(error).__name__, _problems(error), as_json=as_json)
        except BrokenPipeError as error:
            _silence_output()
            raise typer.Exit(BROKEN_PIPE) from error
        except OSError as error:
            _fail("FileError", (_file_problem(error),), as_json=as_json)
        except KeyboardInterrupt as error:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from error

    return call


def print_json(data: Mapping[str, Any]) -> None:
    """Print one JSON object; a value that is not finite is a bug and stops here."""
    typer.echo(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))


def progress() -> Callable[[float, str], None]:
    """A callback that writes progress to standard error.

    On a terminal one line is rewritten; elsewhere, after some seconds, a line per ten per cent.
    """
    start_s, shown = [time.monotonic()], [0.0]
    live = sys.stderr.isatty()
    step = 0.01 if live else 0.1

    def show(done_frac: float, what: str) -> None:
        """Say how much is done, not too often and not in short runs."""
        if done_frac < shown[0]:  # the next run of several
            start_s[0], shown[0] = time.monotonic(), 0.0
        due = done_frac >= shown[0] + step or shown[0] < done_frac == 1.0
        if time.monotonic() - start_s[0] < PATIENCE_S or not due:
            return
        shown[0] = done_frac
        text = f"{done_frac:4.0%}  {what}"
        end = "\r" if live and done_frac < 1.0 else "\n"
        sys.stderr.write(f"{text:<70}{end}" if live else f"{text}\n")
        sys.stderr.flush()

    return show


def _file_problem(error: OSError) -> str:
    what = error.strerror or str(error)
    if isinstance(error, FileExistsError | NotADirectoryError) and error.filename:
        path = Path(str(error.filename))
        file = next((part for part in (path, *path.parents) if part.is_file()), None)
        if file is not None:
            return (
                f"expected a folder to write to; '{file}' is a file. Name a folder, or one that is "
                "not there yet."
            )
    if error.filename:
        return f"{what}: {error.filename}"
    _silence_output()  # only the output has no name; what is left in its buffer has no way out
    return f"cannot write the output: {what}."


def _silence_output() -> None:
    """Point the output elsewhere, so that closing it on the way out stays silent."""
    with contextlib.suppress(OSError, AttributeError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _problems(error: Tree6gError) -> tuple[str, ...]:
    lines = error.problems if isinstance(error, ScenarioError) else (str(error),)
    return tuple(line for text in lines for line in text.splitlines())


def _fail(kind: str, problems: tuple[str, ...], *, as_json: bool) -> None:
    for problem in problems:
        typer.echo(f"error: {problem}", err=True)
    if as_json:
        print_json({"error": {"kind": kind, "problems": list(problems)}})
    raise typer.Exit(USER_ERROR)
