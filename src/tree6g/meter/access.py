"""Where a server of ours listens and whom it answers: addresses, names, tokens, TLS."""

from __future__ import annotations

import dataclasses
import hmac
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tree6g.errors import MeterError

LEAST_TOKEN: Final = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a server listens and whom it answers.

    Attributes:
        host: Address or name to listen on.
        port: Port; 0 takes a free one.
        token: What a request must know; None answers everybody, on a loopback address alone.
        certificate: File of the certificate chain (PEM); None: no TLS.
        key: File of its key; None: in the certificate's file.
        plain_http: Someone else encrypts (a reverse proxy): no TLS although others may connect.
        names: Further host names under which browsers reach the server.
    """

    host: str = "127.0.0.1"
    port: int = 8460
    token: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    plain_http: bool = False
    names: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Refuse to be open to others without token and TLS.

        Raises:
            MeterError: With what to do.
        """
        if self.token is not None and (
            len(self.token) < LEAST_TOKEN
            or not self.token.isascii()
            or not self.token.isprintable()
        ):
            raise MeterError(
                f"expected a token of at least {LEAST_TOKEN} plain characters; got "
                f"{len(self.token)}. This makes one: openssl rand -hex 24"
            )
        if self.key is not None and self.certificate is None:
            raise MeterError("expected --certificate beside --key: a key alone encrypts nothing.")
        if is_loopback(self.host):
            return
        if self.token is None:
            raise MeterError(
                f"expected a token, because {self.host!r} can be reached from other machines. Add "
                "--token TEXT (openssl rand -hex 24 makes one) or set TREE6G_TOKEN; or leave out "
                "--host, and only this machine reaches it (ssh -L "
                f"{self.port}:127.0.0.1:{self.port} brings it to yours)."
            )
        if self.certificate is None and not self.plain_http:
            raise MeterError(
                f"expected TLS, because {self.host!r} can be reached from other machines and the "
                "token would travel in the clear. Add --certificate FILE.pem --key FILE.pem, or "
                "--plain-http if a reverse proxy in front encrypts."
            )


def is_loopback(host: str) -> bool:
    """Whether an address or name is that of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_allowed(header: str | None, local_address: str, names: Sequence[str]) -> bool:
    """Whether a request's `Host` is ours.

    A page of another site can point a name of its own at this machine (DNS rebinding); its requests
    then carry that name. Allowed are `localhost`, loopback addresses, the address that the
    connection came in on, and the names that the user gave.
    """
    if not header:
        return False
    name = _host_of(header)
    if name is None:
        return False
    if name == "localhost" or name in {n.lower() for n in names}:
        return True
    try:
        address = ipaddress.ip_address(name)
        return address.is_loopback or address == ipaddress.ip_address(local_address)
    except ValueError:
        return False


def _host_of(header: str) -> str | None:
    """The host of a `Host` header without its port; None if it is malformed."""
    if header.startswith("["):
        name, closed, port = header[1:].partition("]")
        port = port.removeprefix(":") if port.startswith(":") or not port else "?"
        return name.lower() if closed and (not port or port.isdigit()) else None
    name, sign, port = header.partition(":")
    return name.lower() if name and (not sign or port.isdigit()) else None


def same_text(one: str, other: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def tls_context(access: Access) -> ssl.SSLContext | None:
    """What encrypts connections; None without a certificate.

    Raises:
        MeterError: The certificate or its key cannot be used.
    """
    if access.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(access.certificate, access.key)
    except (OSError, ssl.SSLError) as error:
        raise MeterError(
            f"expected a certificate with its key in PEM form in {access.certificate}"
            f"{f' and {access.key}' if access.key else ''}; got: {error}."
        ) from error
    return context
