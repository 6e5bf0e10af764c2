"""Options and output of `tree6g compare --errors`: one ledger laid over another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import typer

from tree6g.cli import options
from tree6g.errors import ScenarioError

if TYPE_CHECKING:
    from tree6g.calibrate.overlay import Overlay
    from tree6g.ledger.reading import Ledger
    from tree6g.metric.figure import Query


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How ledgers are to be laid over each other.

    Attributes:
        errors: Whether; None: if one of two is measured and the other is not.
        align: Way to align clocks.
        shift_s: What is added to the other's times instead.
        window_s: Length of a window.
        services: Names of the other's services to those of the reference.
    """

    errors: bool | None
    align: str | None
    shift_s: float | None
    window_s: float | None
    services: Mapping[str, str]


def asked(
    *,
    errors: bool | None,
    align: str | None,
    shift: str | None,
    window: str | None,
    pairs: Sequence[str] | None,
) -> Asked:
    """What the options ask for; any of the others means --errors.

    Raises:
        ScenarioError: A quantity or a pair that is none.
    """
    given = any(text is not None for text in (align, shift, window)) or bool(pairs)
    if given and errors is False:
        raise ScenarioError("--align, --shift, --window and --pair do not go with --no-errors.")
    window_s = None if window is None else options.quantity("--window", window, "s")
    if window_s == 0.0:
        raise ScenarioError(f"--window: expected a length of time above 0; got {window!r}.")
    return Asked(
        errors=True if given else errors,
        align=align,
        shift_s=None if shift is None else _shift_s(shift),
        window_s=window_s,
        services=_pairs(pairs or ()),
    )


def overlay_of(ledgers: Mapping[str, Ledger], query: Query, over: Asked) -> Overlay | None:
    """The overlay if it is asked for, or fits.

    Raises:
        ScenarioError: It is asked for and there are not two ledgers.
    """
    from tree6g.calibrate.overlay import is_measured, overlay

    fits = len(ledgers) == 2 and len({is_measured(ledger) for ledger in ledgers.values()}) == 2
    if over.errors is False or (over.errors is None and not fits):
        return None
    if len(ledgers) != 2:
        raise ScenarioError(f"--errors: expected two designs; got {len(ledgers)}.")
    return overlay(
        ledgers,
        query,
        align=over.align,
        shift_s=over.shift_s,
        window_s=over.window_s,
        services=over.services,
    )


def to_dict(overlay: Overlay | None) -> dict[str, object]:
    """The errors under their key of `--json`, if there are any."""
    return {} if overlay is None else {"errors": overlay.to_dict()}


def show(overlay: Overlay | None) -> None:
    """Print the errors for people, if there are any."""
    if overlay is None:
        return
    from tree6g.report import overlay as words
    from tree6g.report.plaintext import to_text
    from tree6g.report.summary import ascii_only

    typer.echo("")
    for line in words.sentences(overlay):
        typer.echo(ascii_only(line))
    typer.echo(f"\n{to_text(words.error_table(overlay, short=True))}")


def _shift_s(text: str) -> float:
    """A shift, which may be negative."""
    sign = -1.0 if text.lstrip().startswith("-") else 1.0
    return sign * options.quantity("--shift", text.strip().lstrip("+-"), "s")


def _pairs(texts: Sequence[str]) -> dict[str, str]:
    parts = [text.partition("=") for text in texts]
    wrong = [
        text for text, (a, sign, b) in zip(texts, parts, strict=True) if not (a and sign and b)
    ]
    if wrong:
        raise ScenarioError(f"--pair: expected OTHER=REFERENCE; got {wrong[0]!r}.")
    return {a: b for a, _, b in parts}
