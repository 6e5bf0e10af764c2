"""HTML as strings that are escaped unless they say that they are markup already."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable

# Cc: control characters, Cs: lone surrogates; neither can stand in HTML, SVG or UTF-8 text.
# Cf holds the characters that turn the direction of text around, which can disguise a name.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Cf"})
_LINK = re.compile(r"https?://[^\s<>\"')\]]+[^\s<>\"')\].,;:]")
_HARMLESS = frozenset("\u00ad\u200c\u200d")


class Markup(str):
    """A string that is HTML; every other string is text and is escaped when it enters a page."""

    __slots__ = ()


def visible(text: object) -> str:
    r"""Text with every character that cannot be shown, or that hides others, made visible.

    Line breaks and tabs become spaces; names come from ledgers and are not to be trusted.

    >>> visible("a\tb\nc")
    'a b c'
    """
    return "".join(_visible(c) for c in str(text))


def _visible(char: str) -> str:
    if char in "\n\r\t":
        return " "
    hidden = unicodedata.category(char) in _UNPRINTABLE and char not in _HARMLESS
    return "\ufffd" if hidden else char


def escape(value: object) -> Markup:
    """Text as markup; what is markup already stays as it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(visible(value), quote=True))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Several parts as one piece of markup, each escaped if it is text."""
    return Markup(escape(between).join(escape(p) for p in parts))


def tag(name: str, /, *children: object, **attributes: object) -> Markup:
    """An element with escaped children and attributes.

    An attribute that is None is left out; `class_` writes `class`, `aria_label` writes
    `aria-label`.

    >>> tag("p", "1 < 2", class_="note")
    '<p class="note">1 &lt; 2</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(visible(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in {"meta", "br", "hr", "col"}:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def linked(text: str) -> Markup:
    """Text in which every web address is a link; the only way one enters a page."""
    parts, end = [], 0
    for match in _LINK.finditer(text):
        parts += [escape(text[end : match.start()]), _link(match[0])]
        end = match.end()
    return join([*parts, escape(text[end:])])


def _link(address: str) -> Markup:
    return tag("a", address, href=address, rel="noopener noreferrer nofollow")
