"""The file that says between which servers a pilot chooses, and for whom."""

from __future__ import annotations

import dataclasses
import fnmatch
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tree6g import data
from tree6g.errors import MeterError, ScenarioError, nearest
from tree6g.meter.agent.fields import Faults, Fields, shown
from tree6g.meter.proxy.upstream import base_url
from tree6g.metric.profile import Service, class_profile
from tree6g.scenario.document import Document, read_bytes, read_file

CONFIG: Final = "a config of the pilot"
RULES: Final = ("tree", "round-robin", "least-loaded")
MODES: Final = ("shadow", "live")
PHASES: Final = ("token_in", "token_out")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One inference server.

    Attributes:
        name: Its name, as `x-tree6g-server` tells it.
        url: Base address, without a slash at its end.
        model: Model that it answers with, and is asked for.
        node: Node of its energy and tokens in the meter's ledger; empty: none is learned.
        slots: Requests that it works on at the same time.
        idle_w: Power that it draws whatever is decided; it is in the price alone.
        j_per_tok: Joules of a prompt token that is computed and of an output token, before the
            meter tells better.
    """

    name: str
    url: str
    model: str
    node: str = ""
    slots: int = 4
    idle_w: float = 0.0
    j_per_tok: tuple[float, float] = (0.0, 0.0)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A service, whose requests are its own, and what may answer them.

    Attributes:
        service: Name, worth, budgets, quality by model.
        models: Models that may answer; empty: only the one that a request names.
        tenant: Shell pattern of its tenants.
        model: Shell pattern of the models that its requests name.
    """

    service: Service
    models: tuple[str, ...] = ()
    tenant: str = "*"
    model: str = "*"

    def takes(self, tenant: str, model: str) -> bool:
        """Whether a request is of this service."""
        return fnmatch.fnmatchcase(tenant, self.tenant) and fnmatch.fnmatchcase(model, self.model)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that a pilot needs to know; fields as in the file, quantities in SI.

    Attributes:
        servers: In the order of the file.
        clients: Services; the first that takes a request has it.
        mode: `shadow`: `default` decides, and what `rule` would have done is recorded; `live`.
        rule: Rule that is tried or used.
        default: Rule of shadow mode.
        ledger: The meter's ledger; None: energy is that of the file.
        price_beq_per_j: Worth of a joule before TREE so far is known.
        window_s: Length of the windows in which the ledger is read.
        memory_s: Time after which what was seen counts 1/e.
        explore_frac: Share of requests that go in turn, so that no server is forgotten.
        record: File of a line per request; None: none.
        tenants: File of the tenants' keys; None: none.
    """

    servers: tuple[Server, ...]
    clients: tuple[Client, ...]
    mode: str = "shadow"
    rule: str = "tree"
    default: str = "round-robin"
    ledger: Path | None = None
    price_beq_per_j: float = 0.0
    window_s: float = 10.0
    memory_s: float = 600.0
    explore_frac: float = 0.02
    record: Path | None = None
    tenants: Path | None = None


def load(path: Path) -> Config:
    """The config in a YAML or TOML file; `tenants` is taken from its folder.

    Raises:
        ScenarioError: One line per fault: file, line, path, what was expected, what came.
    """
    return _config(read_file(path, what=CONFIG), path.parent)


def parse(raw: bytes, name: str = "pilot.yaml") -> Config:
    """The config in a text; as `load`."""
    return _config(read_bytes(raw, name, what=CONFIG), Path())


def _config(document: Document, folder: Path) -> Config:
    faults = Faults(document)
    fields = Fields(document.data, (), faults)
    servers = tuple(_server(name, inner) for name, inner in fields.inner("servers"))
    models = {server.model for server in servers}
    config = Config(
        servers=servers,
        clients=tuple(_client(name, inner, models) for name, inner in fields.inner("services")),
        mode=fields.word("mode", MODES, "shadow"),
        rule=fields.word("rule", RULES, "tree"),
        default=fields.word("default", RULES[1:], "round-robin"),
        ledger=_path(fields.text("ledger")),
        price_beq_per_j=fields.number("price", 0.0),
        window_s=fields.quantity("window", "s", 10.0, low=1.0, high=3600.0),
        memory_s=fields.quantity("memory", "s", 600.0, low=10.0, high=86400.0),
        explore_frac=fields.quantity("explore", "frac", 0.02, high=1.0),
        record=_path(fields.text("record")),
        tenants=_path(fields.text("tenants"), folder),
    )
    if not servers:
        fields.fault("servers", "expected at least one: `NAME: {url: ..., model: ...}`.")
    _once(fields, "servers", {s.name: s.url for s in servers})
    fields.end()
    found = faults.lines()
    if found:
        raise ScenarioError("\n".join(found), found)
    return config


def _path(text: str, folder: Path = Path()) -> Path | None:
    return folder / text if text else None


def _server(name: str, fields: Fields) -> Server:
    _require_name(name, fields)
    url, model = fields.text("url"), fields.text("model")
    try:
        url = base_url(url, "url:")
    except MeterError as error:
        fields.fault("url", str(error))
    if not model:
        fields.fault("model", "expected the name of the model that it answers with.")
    energy = Fields(fields.raw("energy") or {}, (*fields.place, "energy"), fields.faults)
    server = Server(
        name=name,
        url=url,
        model=model,
        node=fields.text("node"),
        slots=int(fields.number("slots", 4, low=1, high=100_000)),
        idle_w=fields.quantity("idle", "w", 0.0),
        j_per_tok=(
            energy.quantity(PHASES[0], "j_per_tok", 0.0),
            energy.quantity(PHASES[1], "j_per_tok", 0.0),
        ),
    )
    energy.end()
    fields.end()
    return server


def _client(name: str, fields: Fields, models: set[str]) -> Client:
    _require_name(name, fields)
    classes = data.table("token_classes")
    profile = fields.text("profile", "assistant")
    if profile not in classes:
        fields.fault("profile", f"expected a token service class. {nearest(profile, classes)}")
        profile = "assistant"
    alpha = fields.number("alpha", 0.0) if "alpha" in fields else None
    allowed, quality = fields.names("models"), fields.numbers("quality")
    for field, names in (("models", allowed), ("quality", quality)):
        for model in names:
            if model not in models:
                fields.fault(field, f"expected a server's model. {nearest(model, models)}")
    client = Client(
        service=Service(
            name=name,
            kind="ai",
            weight=fields.number("weight", 1.0),
            profile=class_profile(profile, alpha),
            quality=quality,
            tokenizer={},
            token_class=profile,
        ),
        models=allowed,
        tenant=fields.text("tenant", "*"),
        model=fields.text("asks_for", "*"),
    )
    fields.end()
    return client


def _require_name(name: object, fields: Fields) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        text = f"expected a name of letters, digits, '.', '_', '-'; got {shown(name)}."
        fields.faults.add(fields.place, text)


def _once(fields: Fields, field: str, values: Mapping[str, str]) -> None:
    """Two names of one address would count one server's requests apart."""
    seen: dict[str, str] = {}
    for name, value in values.items():
        if seen.setdefault(value, name) != name:
            fields.fault(field, f"'{name}' and '{seen[value]}' have one address: {value}.")
