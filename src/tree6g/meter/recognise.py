"""Which source a text is from, by its content alone, and what it says.

Prometheus text may hold several sources at once (an engine, a proxy and the cards of one machine);
each reads its own series. A JSON object that no source knows, but whose members are known, is a
folder of samples.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from tree6g.errors import MeterError
from tree6g.meter import exposition
from tree6g.meter.exposition import Scrape
from tree6g.meter.plausible import doubted
from tree6g.meter.reading import Found, merged
from tree6g.meter.sources import (
    amd_gpu,
    codecarbon,
    column_map,
    dcgm,
    green_yang,
    intel_gpu,
    ipmi,
    ipmi_exporter,
    kepler,
    node_exporter,
    pdu,
    pdu_inlets,
    pm,
    pm_xml,
    proc_stat,
    proxy,
    redfish,
    redfish_exporter,
    scaphandre,
    shelly,
    srsran,
    sysfs,
    triton_gpu,
    viavi,
)
from tree6g.meter.sources.engine import Engine, read_engine
from tree6g.meter.sources.litellm import LITELLM
from tree6g.meter.sources.llama_cpp import LLAMA_CPP
from tree6g.meter.sources.ollama import OLLAMA
from tree6g.meter.sources.ray_serve import RAY_SERVE
from tree6g.meter.sources.rows import header
from tree6g.meter.sources.sglang import SGLANG
from tree6g.meter.sources.tensorrt_llm import TENSORRT_LLM
from tree6g.meter.sources.tgi import TGI
from tree6g.meter.sources.triton import TRITON
from tree6g.meter.sources.vllm import VLLM, VLLM_ON_RAY

MAX_BYTE: Final = 256_000_000
PROMETHEUS: Final = "prometheus"  # a text of it, of no source that is known
MAX_MEMBERS: Final = 1000  # of a folder of samples
ENGINES: Final[tuple[Engine, ...]] = (
    VLLM, VLLM_ON_RAY, SGLANG, LLAMA_CPP, TGI, TENSORRT_LLM, TRITON, LITELLM, RAY_SERVE, OLLAMA,
)  # fmt: skip
METERS: Final[tuple[Callable[[Scrape], Found], ...]] = (
    dcgm.read_dcgm,
    triton_gpu.read_triton_gpu,
    kepler.read_kepler,
    scaphandre.read_scaphandre,
    node_exporter.read_node_exporter,
    pdu.read_pdu_exposition,
    pdu_inlets.read_pdu_inlets,
    ipmi_exporter.read_ipmi_exporter,
    redfish_exporter.read_redfish_exporter,
    amd_gpu.read_amd_gpu,
    intel_gpu.read_intel_gpu,
    proxy.read_proxy,
)
_JSON: Final[tuple[tuple[Callable[[Any], bool], Callable[[Any], Found]], ...]] = (
    (sysfs.is_sysfs, sysfs.read_sysfs),
    (redfish.is_redfish, redfish.read_redfish),
    (green_yang.is_green, green_yang.read_green),
    (shelly.is_shelly, shelly.read_shelly),
    (pdu.is_pdu, pdu.read_pdu),
    (srsran.is_srsran, lambda data: srsran.read_srsran([data])),
)
_KNOWN: Final = (
    "Prometheus text (vLLM, SGLang, llama.cpp, TGI, TensorRT-LLM, Triton, LiteLLM, Ray Serve, "
    "tree6g meter proxy, DCGM, AMD, Intel, Kepler, Scaphandre, node_exporter, snmp_exporter, "
    "ipmi_exporter, redfish_exporter), 3GPP PM XML, JSON of Redfish, Shelly, PDUs, srsRAN or "
    "sysfs, CSV of CodeCarbon or VIAVI, or any CSV with --column"
)


def recognise(raw: bytes, columns: Sequence[str] = ()) -> Found:
    """What a text says.

    Args:
        raw: The text as it came; gzip is unpacked.
        columns: Map of the columns of a CSV, see `column_map`.

    Raises:
        MeterError: It is no source that is known, or breaks what it claims to be.
    """
    raw = _unpacked(raw)
    if columns:
        return doubted(column_map.read_columns(_text(raw), column_map.columns_of(columns)))
    start = raw.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if pm_xml.is_pm_xml(raw):
        return doubted(pm.read_pm(raw))
    if exposition.is_exposition(raw):
        found = read_scrape(exposition.read(raw))
    elif start in {b"{", b"["}:
        found = _json(raw)
    else:
        found = _table(raw)
    if not found.format:
        raise MeterError(f"expected {_KNOWN}; got {raw[:60]!r} of {len(raw):,} byte.")
    return doubted(found)


def read_scrape(scrape: Scrape) -> Found:
    """What the sources of one scrape say."""
    parts = [read_engine(engine, scrape) for engine in ENGINES]
    parts += [read(scrape) for read in METERS]
    found = merged(parts)
    problems = (*scrape.layout.problems, *found.problems)
    if not found.format:
        names = ", ".join(list(scrape.layout.places)[:8])
        problems = (*problems, f"no series of a source that is known here; it has {names or '-'}.")
    return Found(
        format=f"{PROMETHEUS} ({found.format})" if found.format else PROMETHEUS,
        readings=found.readings,
        problems=problems,
    )


def _unpacked(raw: bytes) -> bytes:
    if raw[:2] == b"\x1f\x8b":
        unpack = zlib.decompressobj(wbits=31)
        try:
            raw = unpack.decompress(raw, MAX_BYTE)
        except zlib.error as error:
            raise MeterError(f"expected gzip; {error}.") from error
        if unpack.unconsumed_tail:
            raise MeterError(f"expected at most {MAX_BYTE:,} byte unpacked; there are more.")
    if len(raw) > MAX_BYTE:
        raise MeterError(f"expected at most {MAX_BYTE:,} byte; got {len(raw):,}.")
    if not raw.strip():
        raise MeterError("expected a scrape or a file with content; it is empty.")
    return raw


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MeterError(f"expected text in UTF-8; byte {error.start} is none.") from error


def _json(raw: bytes) -> Found:
    text = _text(raw)
    try:
        data = _loads(text)
    except ValueError as error:
        return _lines(text, error)
    if isinstance(data, list):
        return merged(_object(item) for item in data[:MAX_MEMBERS] if isinstance(item, Mapping))
    return _object(data) if isinstance(data, Mapping) else Found(format="")


def _loads(text: str) -> Any:
    """JSON as Python; one that is nested too deeply is refused as a fault of its form."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _lines(text: str, whole: ValueError) -> Found:
    """JSON lines; a last line that is cut off is told."""
    lines, problems = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            data = _loads(line)
        except ValueError as error:
            problems.append(f"line {number}: no JSON: {str(error)[:80]}.")
            continue
        if isinstance(data, Mapping):
            lines.append(data)
    reports = [data for data in lines if srsran.is_srsran(data)]
    if not reports:
        raise MeterError(f"expected JSON, or JSON lines of srsRAN; {str(whole)[:120]}.")
    found = srsran.read_srsran(reports)
    return dataclasses.replace(found, problems=(*problems[:20], *found.problems))


def _object(data: Mapping[str, Any]) -> Found:
    for known, read in _JSON:
        if known(data):
            return read(data)
    members = [(str(name), member) for name, member in data.items() if isinstance(member, Mapping)]
    parts = []
    for name, member in members[:MAX_MEMBERS]:
        found = next((read(member) for known, read in _JSON if known(member)), None)
        if found is None:
            parts.append(Found(format="", problems=(f"{name}: no source that is known here.",)))
        else:
            parts.append(_named(name, found))
    made = merged(parts)
    lost = tuple(problem for part in parts if not part.format for problem in part.problems)
    return dataclasses.replace(made, problems=(*made.problems, *lost))


def _named(name: str, found: Found) -> Found:
    """Readings of a member, under its name."""
    readings = [
        dataclasses.replace(
            r, name=f"{name}: {r.name}", part_of=f"{name}: {r.part_of}" if r.part_of else ""
        )
        for r in found.readings
    ]
    problems = tuple(f"{name}: {problem}" for problem in found.problems)
    return Found(format=found.format, readings=tuple(readings), problems=problems)


def _table(raw: bytes) -> Found:
    text = _text(raw)
    titles = header(text)
    if codecarbon.is_codecarbon(titles):
        return codecarbon.read_codecarbon(text)
    if viavi.is_viavi(titles):
        return viavi.read_viavi(text)
    found = ipmi.read_ipmi(text)
    return found if found.format else proc_stat.read_proc_stat(text)
