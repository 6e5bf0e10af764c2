"""Who may ask a page: a token, and for a browser a cookie in its place."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import Final

from tree6g.meter.access import same_text

COOKIE: Final = "tree6g"
HEADERS: Final = (
    (
        "Content-Security-Policy",
        (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
)


class Keeper:
    """Compares what requests bring with the token, in constant time.

    A browser gets a cookie in place of the token: a value of this process alone, which tells nobody
    the token and ends with the process.
    """

    def __init__(self, token: str | None) -> None:
        """Guard with a token; None lets everybody in."""
        self._token = token
        self._secret = secrets.token_bytes(32)

    def knows(self, token: str) -> bool:
        """Whether a text is the token."""
        return self._token is not None and same_text(token, self._token)

    def lets_in(self, authorization: str | None, cookies: str | None) -> bool:
        """Whether a request brings the token as `Authorization: Bearer`, or the cookie."""
        if self._token is None:
            return True
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and self.knows(token.strip()):
            return True
        return same_text(_cookie(cookies), self._pass())

    def cookie(self, *, secure: bool) -> str:
        """Value of `Set-Cookie` for a browser that brought the token."""
        end = "; Secure" if secure else ""
        return f"{COOKIE}={self._pass()}; Path=/; HttpOnly; SameSite=Strict{end}"

    def _pass(self) -> str:
        return hmac.new(self._secret, (self._token or "").encode(), hashlib.sha256).hexdigest()


def _cookie(header: str | None) -> str:
    try:
        found = SimpleCookie(header or "").get(COOKIE)
    except CookieError:
        return ""
    return found.value if found is not None else ""
