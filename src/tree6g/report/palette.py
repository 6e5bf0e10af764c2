"""Colours by role. Figures are drawn in the light ones, which stand for CSS variables in the page.

Contrast: text and lines reach 4.5:1 on the paper of their theme, fills 3:1. No meaning rests on
colour alone: fills carry hatches, lines carry markers, and both carry a label.
"""

from __future__ import annotations

from typing import Final

# role: (light, dark). The light values are unique, so that each can be traced back to its role.
COLOURS: Final[dict[str, tuple[str, str]]] = {
    "paper": ("#ffffff", "#15171b"),
    "panel": ("#f4f5f2", "#1e2126"),
    "ink": ("#1b1f24", "#e9e7e2"),
    "muted": ("#5a626c", "#a3a9b2"),
    "rule": ("#d5d9de", "#3a4048"),
    "accent": ("#0b6e4f", "#5fcba5"),
    "bits": ("#3d5a80", "#8fb3e0"),
    "energy": ("#b5471b", "#f2935f"),
    "value": ("#0c7052", "#5ecaa4"),
    "c1": ("#2f6db3", "#7db1ea"),
    "c2": ("#c2541d", "#f0935e"),
    "c3": ("#2b8467", "#61c6a5"),
    "c4": ("#8656a6", "#c59ce2"),
    "c5": ("#9a7409", "#e3bc4f"),
    "c6": ("#27808f", "#6cc5d4"),
    "c7": ("#b04475", "#ec8cb6"),
    "c8": ("#6b727b", "#9ba2ab"),
}
SERIES: Final = ("c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8")
# Lines only: dots and circles make files ten times as large.
HATCHES: Final = ("", "////", "\\\\\\\\", "||||", "----", "xxxx", "++++", "//")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES: Final = (
    "-",
    "--",
    "-.",
    ":",
    (0, (5, 1, 1, 1, 1, 1)),
    (0, (8, 2)),
    (0, (1, 3)),
    (0, (3, 6)),
)


def light(role: str) -> str:
    """The colour that a figure is drawn in."""
    return COLOURS[role][0]


def role_of(colour: str) -> str | None:
    """The role of a light colour, None for a colour that is not of the palette."""
    return _ROLES.get(colour.lower())


def css(theme: int) -> str:
    """CSS variables of a theme: 0 light, 1 dark."""
    return ";".join(f"--{role}:{pair[theme]}" for role, pair in COLOURS.items())


_ROLES: Final = {pair[0]: role for role, pair in COLOURS.items()}
