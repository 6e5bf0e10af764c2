"""Bytes of an export request as plain data: the JSON form, whichever form came."""

from __future__ import annotations

import json
import zlib
from typing import Any, Final

from tree6g.errors import MeterError

MAX_BYTE: Final = 64 << 20
JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"


def request_of(raw: bytes, content_type: str = JSON, encoding: str = "") -> dict[str, Any]:
    """An export request of metrics.

    Args:
        raw: Body of the request.
        content_type: JSON or protobuf.
        encoding: `gzip` or nothing.

    Raises:
        MeterError: It is no such request, is too large, or its form needs the extra `otlp`.
    """
    kind = content_type.partition(";")[0].strip().lower()
    plain = _unpacked(raw, encoding.strip().lower())
    if kind == PROTOBUF:
        return _protobuf(plain)
    if kind != JSON:
        raise MeterError(f"expected Content-Type {JSON} or {PROTOBUF}; got {kind[:60]!r}.")
    try:
        data = json.loads(plain)
    except (ValueError, RecursionError) as error:
        raise MeterError(f"expected JSON of OTLP; got: {str(error)[:120]}.") from error
    if not isinstance(data, dict):
        raise MeterError(f"expected a JSON object of OTLP; got {type(data).__name__}.")
    return data


def _unpacked(raw: bytes, encoding: str) -> bytes:
    if encoding in {"", "identity"}:
        return raw
    if encoding != "gzip":
        raise MeterError(f"expected Content-Encoding gzip or none; got {encoding[:40]!r}.")
    unpack = zlib.decompressobj(wbits=31)
    try:
        plain = unpack.decompress(raw, MAX_BYTE)
    except zlib.error as error:
        raise MeterError(f"expected gzip; {error}.") from error
    if unpack.unconsumed_tail or not unpack.eof:
        raise MeterError(f"expected whole gzip of at most {MAX_BYTE:,} byte unpacked.")
    return plain


def _protobuf(raw: bytes) -> dict[str, Any]:
    try:
        from google.protobuf.json_format import MessageToDict
        from google.protobuf.message import DecodeError
        from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
    except ModuleNotFoundError as error:
        raise MeterError(
            "protobuf of OTLP needs opentelemetry-proto: pip install 'tree6g[otlp]'. Or let the "
            "sender use JSON: OTEL_EXPORTER_OTLP_PROTOCOL=http/json."
        ) from error
    message = metrics_service_pb2.ExportMetricsServiceRequest()
    try:
        message.ParseFromString(raw)
    except (DecodeError, RecursionError) as error:
        raise MeterError(f"expected protobuf of OTLP; got: {str(error)[:120]}.") from error
    made: dict[str, Any] = MessageToDict(message, use_integers_for_enums=True)
    return made
