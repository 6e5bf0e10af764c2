"""Options of commands that answer requests: where they listen, and whom they answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tree6g.meter.access import Access

Host = Annotated[str, typer.Option("--host", help="Address to listen on.")]
Port = Annotated[int, typer.Option("--port", help="Port; 0 takes a free one.", min=0, max=65535)]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        envvar="TREE6G_TOKEN",
        help="What a request must know, if it has no tenant's key; needed beyond this machine.",
    ),
]
Certificate = Annotated[
    Path | None, typer.Option("--certificate", help="Certificate chain for TLS (PEM).")
]
Key = Annotated[Path | None, typer.Option("--key", help="Key of the certificate (PEM).")]
PlainHttp = Annotated[
    bool, typer.Option("--plain-http", help="No TLS here: a reverse proxy in front encrypts.")
]
Names = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-host", metavar="NAME", help="Host name under which clients come; repeatable."
    ),
]


def access(
    host: str,
    port: int,
    token: str | None,
    certificate: Path | None,
    key: Path | None,
    names: Sequence[str] | None,
    *,
    plain_http: bool,
) -> Access:
    """What the options say.

    Raises:
        MeterError: Open to others without token or TLS.
    """
    from tree6g.meter.access import Access

    return Access(
        host=host,
        port=port,
        token=token,
        certificate=certificate,
        key=key,
        plain_http=plain_http,
        names=tuple(names or ()),
    )
