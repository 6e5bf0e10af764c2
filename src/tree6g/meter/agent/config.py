"""The file that says what an agent meters: read whole, with all of its faults at once."""

from __future__ import annotations

import dataclasses
import math
import os
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tree6g import data
from tree6g.errors import ScenarioError, nearest
from tree6g.ledger.schema import BOUNDARIES, COMPONENTS, SERVICE_KINDS, TIERS, WORK_KINDS
from tree6g.meter.agent.fields import Faults, Fields, shown
from tree6g.scenario.document import Document, read_bytes, read_file

UNASSIGNED: Final = "unassigned"
CONFIG: Final = "a config of the meter"
CLOCK_SOURCE: Final = "clock"  # of the gaps of a clock that was set, so no target has this name
WAYS: Final = ("url", "file", "files", "sysfs", "nvml", "cpu_time", "otlp")
MAX_TARGETS: Final = 1000
MAX_SERVICES: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PATTERNS: Final = ("tenant", "model", "target", "node")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRule:
    """A service, and which work is its own; shell patterns, all that are given must match.

    Attributes:
        name: Its name in the ledger.
        kind: `ai`, `data` or `internal`.
        profile: Token service class; None for data and internal services.
        alpha_bit_per_tok: Worth of a token in place of that of the class.
        delay_budget_s: Budget of a data service.
        weight: Priority weight.
        quality: Worth of a token of a model over that of the best one, by model; 1 where absent.
        patterns: Patterns by field: tenant, model, target, node.
    """

    name: str
    kind: str
    profile: str | None = None
    alpha_bit_per_tok: float | None = None
    delay_budget_s: float | None = None
    weight: float = 1.0
    quality: Mapping[str, float] = dataclasses.field(default_factory=dict)
    patterns: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CpuModel:
    """Power of processors from their busy time: idle + (full - idle) u^exponent.

    Attributes:
        pid: Process whose share it is, with its children; None: the whole machine.
        idle_w: Power at rest.
        full_w: Power with all cores busy.
        exponent: How power bends; below 1 the first cores cost most.
        calibrated: Whether the numbers were fitted on this machine.
    """

    pid: int | None
    idle_w: float
    full_w: float
    exponent: float = 1.0
    calibrated: bool = False

    @property
    def u95_frac(self) -> float:
        """15 % where fitted on the same kind of load, else 40 % (CodeCarbon's calibration data)."""
        return 0.15 if self.calibrated else 0.40


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One source that is polled.

    Attributes:
        name: Its name, the `source` of its rows.
        way: One of `WAYS`.
        where: URL, path or pattern of paths.
        node: Node of its rows; empty: as the source says.
        tier: Tier of its nodes.
        component: Component of its energy; empty: as the source says.
        token_env: Environment variable that holds the bearer token.
        timeout_s: For one answer as a whole.
        max_byte: Of one answer.
        columns: Map of the columns of a CSV.
        contains: Targets whose energy is inside of this one's; None: not said.
        tenants_of: Target whose work this one tells apart by tenant.
        beside: Targets that count other work of the same model on the same node.
        settle_s: How long work waits for the tenant that it is of.
        cpu: Model of energy from CPU time.
    """

    name: str
    way: str
    where: str
    node: str = ""
    tier: str = "edge"
    component: str = ""
    token_env: str = ""
    timeout_s: float = 5.0
    max_byte: int = 16_000_000
    columns: tuple[str, ...] = ()
    contains: tuple[str, ...] | None = None
    tenants_of: str = ""
    beside: tuple[str, ...] = ()
    settle_s: float = 300.0
    cpu: CpuModel | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All that an agent needs to know; fields as in the file, quantities in SI."""

    name: str
    ledger: Path
    interval_s: float
    flush_s: float
    keep_s: float | None
    disk_byte: float | None
    boundary: str
    phase_weights: tuple[Mapping[str, Any], ...]
    services: tuple[ServiceRule, ...]
    targets: tuple[Target, ...]
    idle_w: Mapping[tuple[str, str], float]


def load(path: Path) -> Config:
    """The config in a YAML or TOML file.

    Paths of `phase_weights`, `file` and `files` are taken from the folder of the file, that of
    `ledger` from the folder of the command.

    Raises:
        ScenarioError: One line per fault: file, line, path, what was expected, what came.
    """
    return _config(read_file(path, what=CONFIG), path.parent)


def load_text(text: str, name: str = "meter.yaml", folder: Path = Path()) -> Config:
    """The config in a text.

    Raises:
        ScenarioError: As for `load`.
    """
    toml = name.endswith(".toml")
    return _config(read_bytes(text.encode(), name, toml=toml, what=CONFIG), folder)


def _config(document: Document, folder: Path) -> Config:
    faults = Faults(document)
    fields = Fields(document.data, (), faults)
    name = fields.text("name", "meter")
    if not _NAME.fullmatch(name):
        fields.fault("name", f"expected letters, digits, '.', '_' or '-'; got {shown(name)}.")
    interval_s = fields.quantity("interval", "s", 10.0, low=0.1, high=3600.0)
    targets = tuple(_target(n, f, interval_s, folder) for n, f in fields.inner("targets"))
    config = Config(
        name=name,
        ledger=Path(fields.text("ledger") or Path("tree6g-out") / name),
        interval_s=interval_s,
        flush_s=fields.quantity("flush", "s", max(60.0, interval_s), low=interval_s, high=86400.0),
        keep_s=fields.quantity("keep", "s", 0.0, low=60.0) or None,
        disk_byte=fields.quantity("disk", "byte", 0.0, low=1e6) or None,
        boundary=fields.word("boundary", BOUNDARIES, "operator"),
        phase_weights=_weights(fields, folder),
        services=tuple(_service(n, f) for n, f in fields.inner("services")),
        targets=targets,
        idle_w=_idle(fields),
    )
    if not 0 < len(targets) <= MAX_TARGETS:
        fields.fault("targets", f"expected 1 to {MAX_TARGETS} targets; got {len(targets)}.")
    if len(config.services) > MAX_SERVICES:
        fields.fault("services", f"expected at most {MAX_SERVICES}; got {len(config.services)}.")
    _relations(config, faults)
    fields.end()
    found = faults.lines()
    if found:
        raise ScenarioError("\n".join(found), found)
    return config


def _target(name: str, fields: Fields, interval_s: float, folder: Path) -> Target:
    _require_name(name, fields)
    if name == CLOCK_SOURCE:
        fields.faults.add(fields.place, "expected another name: gaps of the clock here have it.")
    ways = [way for way in WAYS if way in fields]
    if len(ways) != 1:
        got = " and ".join(ways) or "none of them"
        fields.faults.add(fields.place, f"expected one of {', '.join(WAYS)}; got {got}.")
    way = ways[0] if ways else "url"
    target = Target(
        name=name,
        way=way,
        where=_where(way, fields, folder),
        node=fields.text("node"),
        tier=fields.word("tier", TIERS, ""),
        component=fields.word("component", COMPONENTS, ""),
        token_env=fields.text("token_env"),
        timeout_s=fields.quantity("timeout", "s", min(5.0, 0.8 * interval_s), low=0.05, high=600.0),
        max_byte=int(fields.quantity("max_size", "byte", 16e6, low=1e3, high=256e6)),
        columns=fields.names("columns"),
        contains=fields.names("contains") if "contains" in fields else None,
        tenants_of=fields.text("tenants_of"),
        beside=fields.names("beside"),
        settle_s=fields.quantity("settle", "s", 300.0, high=86400.0),
        cpu=_cpu(fields) if way == "cpu_time" else None,
    )
    fields.end()
    return target


def _where(way: str, fields: Fields, folder: Path) -> str:
    if way in {"nvml", "cpu_time"}:
        fields.raw(way)
        return way
    text = fields.text(way)
    if way == "otlp":
        return text
    if way != "url":
        return str(folder / text) if text else ""
    try:
        parts = urllib.parse.urlsplit(text)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good, parts = False, None
    if not good:
        fields.fault("url", f"expected http://HOST:PORT/PATH or https://...; got {shown(text)}.")
    elif parts is not None and (parts.username or parts.password):
        fields.fault("url", "expected no password in a URL; name a variable in token_env instead.")
    return text


def _cpu(fields: Fields) -> CpuModel:
    what = Fields(fields.raw("cpu_time"), (*fields.place, "cpu_time"), fields.faults)
    pid, whole = what.raw("pid"), what.flag("all", default=False)
    if whole == (pid is not None):
        fields.fault("cpu_time", "expected either {pid: NUMBER} or {all: true}.")
    if pid is not None and (isinstance(pid, bool) or not isinstance(pid, int) or pid < 1):
        fields.fault("cpu_time", f"expected the number of a process; got {shown(pid)}.")
        pid = None
    what.end()
    idle_w = fields.quantity("idle", "w", 0.0)
    full_w = fields.quantity("full", "w", 0.0)
    if "full" not in fields or "idle" not in fields or not full_w > idle_w:
        fields.fault("full", "expected idle and full power in W, full above idle.")
    return CpuModel(
        pid=pid,
        idle_w=idle_w,
        full_w=full_w,
        exponent=fields.number("exponent", 1.0, low=0.1, high=5.0),
        calibrated=fields.flag("calibrated", default=False),
    )


def _service(name: str, fields: Fields) -> ServiceRule:
    _require_name(name, fields)
    kind = fields.word("kind", SERVICE_KINDS, "ai")
    profile = fields.text("profile") or None
    classes = data.table("token_classes")
    if kind == "ai" and profile is None:
        profile = "assistant"
    if kind != "ai" and profile is not None:
        fields.fault(
            "profile", f"expected none for a service of kind {kind}; tokens have profiles."
        )
    elif profile is not None and profile not in classes:
        fields.fault("profile", f"expected a token service class. {nearest(profile, classes)}")
    patterns = {field: fields.text(field) for field in _PATTERNS}
    rule = ServiceRule(
        name=name,
        kind=kind,
        profile=profile,
        alpha_bit_per_tok=fields.number("alpha", math.nan) if "alpha" in fields else None,
        delay_budget_s=fields.quantity("delay_budget", "s", 0.0) or None,
        weight=fields.number("weight", 1.0),
        quality=fields.numbers("quality"),
        patterns={field: text for field, text in patterns.items() if text},
    )
    if name == UNASSIGNED and (kind != "internal" or rule.patterns):
        fields.fault("kind", f"'{UNASSIGNED}' is of kind internal and takes what nobody takes.")
    fields.end()
    return rule


def _require_name(name: str, fields: Fields) -> None:
    if not _NAME.fullmatch(name):
        fields.faults.add(
            fields.place, f"expected a name of letters, digits, '.', '_', '-'; got {shown(name)}."
        )


def _weights(fields: Fields, folder: Path) -> tuple[Mapping[str, Any], ...]:
    """Rows of phase weights, inline or from a file that `tree6g fit phase-weights` wrote."""
    value = fields.raw("phase_weights")
    if isinstance(value, str):
        document = read_file(folder / value, what="phase weights")
        value = document.data
    if isinstance(value, Mapping):
        value = value.get("phase_weights")
    if value is None:
        if "phase_weights" in fields:
            fields.fault("phase_weights", "expected rows {kind, weight} in this file; got none.")
        return ()
    if not isinstance(value, list):
        fields.fault("phase_weights", f"expected a file or a list of rows; got {shown(value)}.")
        return ()
    place = (*fields.place, "phase_weights")
    return tuple(_weight(Fields(r, (*place, i), fields.faults)) for i, r in enumerate(value))


def _weight(fields: Fields) -> Mapping[str, Any]:
    row: dict[str, Any] = {"kind": fields.word("kind", WORK_KINDS, "")}
    row["weight"] = fields.number("weight", 1.0)
    if not row["kind"] or "weight" not in fields:
        fields.faults.add(fields.place, "expected kind and weight; got a row without one.")
    for word in ("node", "model"):
        if word in fields:
            row[word] = fields.text(word)
    fields.end()
    return row


def _idle(fields: Fields) -> Mapping[tuple[str, str], float]:
    value = fields.raw("idle")
    if value is None:
        return {}
    inner = Fields(value, (*fields.place, "idle"), fields.faults)
    found = {}
    for key in value if isinstance(value, Mapping) else ():
        node, sign, component = key.rpartition("/")
        if not sign or component not in COMPONENTS:
            inner.fault(key, f"expected NODE/COMPONENT. {nearest(component, COMPONENTS)}")
        found[node, component] = inner.quantity(key, "w", 0.0)
    inner.end()
    return found


def _relations(config: Config, faults: Faults) -> None:
    """Names in relations exist, nothing holds itself, and a node has one tier."""
    targets = {target.name: target for target in config.targets}
    for target in config.targets:
        place = ("targets", target.name)
        total = (target.tenants_of,) if target.tenants_of else ()
        for name in (*(target.contains or ()), *total, *target.beside):
            if name not in targets or name == target.name:
                known = nearest(name, targets)
                faults.add(place, f"expected the name of another target; got {name!r}. {known}")
        if target.tenants_of in targets and targets[target.tenants_of].tenants_of:
            faults.add(place, f"'{target.tenants_of}' tells tenants apart itself; name its total.")
    _tree(config, faults)
    tiers: dict[str, str] = {}
    for target in config.targets:
        if not (target.node and target.tier):
            continue
        tier = tiers.setdefault(target.node, target.tier)
        if tier != target.tier:
            text = f"node '{target.node}' is of tier '{tier}' already; say one of them."
            faults.add(("targets", target.name), text)


def _tree(config: Config, faults: Faults) -> None:
    """What contains what is a tree: everything is inside of one thing at most, never of itself."""
    owner: dict[str, str] = {}
    for target in config.targets:
        for name in target.contains or ():
            if owner.setdefault(name, target.name) != target.name:
                text = f"'{name}' is inside '{owner[name]}' already; name it once."
                faults.add(("targets", target.name), text)
    for name in list(owner):
        seen = [name]
        while seen[-1] in owner and owner[seen[-1]] not in seen:
            seen.append(owner[seen[-1]])
        if owner.get(seen[-1]) == name:
            faults.add(("targets", name), "expected a tree of `contains`; this one holds itself.")


def token_of(target: Target) -> str | None:
    """The bearer token, from the environment; None if none is needed.

    Raises:
        ScenarioError: The variable is not set.
    """
    if not target.token_env:
        return None
    token = os.environ.get(target.token_env)
    if not token or not token.isprintable():
        raise ScenarioError(
            f"target '{target.name}': expected a token in the environment variable "
            f"{target.token_env}; it is {'empty' if token == '' else 'not there or no text'}."
        )
    return token
