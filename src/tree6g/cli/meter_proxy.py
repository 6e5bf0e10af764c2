"""`tree6g meter proxy`: who uses how many tokens of an inference server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from tree6g.cli import listening, options
from tree6g.cli.console import print_json
from tree6g.cli.listening import Certificate, Host, Key, Names, PlainHttp, Port, Token

To = Annotated[str, typer.Option("--to", metavar="URL", help="Base address of the server.")]
TenantsFile = Annotated[
    Path | None,
    typer.Option("--tenants", help="YAML file of tenants, a line NAME: KEY or sha256:HEX each."),
]
Header = Annotated[
    str, typer.Option("--tenant-header", help="Header that names the tenant where there is no key.")
]
AskUsage = Annotated[
    bool,
    typer.Option(
        "--ask-usage/--no-ask-usage",
        help="Ask for the usage of streams whose client does not, and take it out again.",
    ),
]
Silence = Annotated[
    str, typer.Option("--timeout", help="Without a byte of the server so long, a request fails.")
]


def proxy(  # noqa: PLR0913  # the options of a command are its arguments
    *,
    to: To,
    host: Host = "127.0.0.1",
    port: Port = 8461,
    tenants: TenantsFile = None,
    tenant_header: Header = "X-Tenant",
    token: Token = None,
    certificate: Certificate = None,
    key: Key = None,
    plain_http: PlainHttp = False,
    names: Names = None,
    ask_usage: AskUsage = True,
    timeout: Silence = "10 min",
    as_json: options.Json = False,
) -> None:
    """Stand before an inference server and count tokens by tenant and model. Ends with Ctrl-C.

    For every server that speaks OpenAI's API (vLLM, llama.cpp, SGLang, TGI, LiteLLM), and for
    Ollama. Clients use its address in place of the server's; /metrics has the sums.

    Example: tree6g meter proxy --to http://127.0.0.1:8000 --tenants tenants.yaml
    """
    from tree6g.meter.proxy.start import run

    access = listening.access(host, port, token, certificate, key, names, plain_http=plain_http)

    def say(url: str) -> None:
        """Print where it answers."""
        if as_json:
            print_json({"url": url, "metrics": f"{url}/metrics", "to": to, "token": bool(token)})
        else:
            typer.echo(f"{url}  before {to}  (Ctrl-C ends; {url}/metrics has the sums)")
        sys.stdout.flush()

    silence_s = options.quantity("--timeout", timeout, "s")
    run(
        to,
        access,
        tenants=tenants,
        header=tenant_header,
        ask=ask_usage,
        silence_s=silence_s,
        say=say,
    )
