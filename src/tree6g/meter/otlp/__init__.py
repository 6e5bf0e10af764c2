"""OTLP: metrics that instrumented applications and hosts send, as readings.

| file | what it does |
|---|---|
| `request` | bytes of a request, JSON or protobuf, as plain data |
| `points` | plain data as points of the metrics that are known here |
| `store` | points over time as counters, and those as readings |
| `receiver` | listens for requests |

Source: OpenTelemetry Protocol Specification (OTLP/HTTP); metrics data model; semantic conventions
of generative AI and of hardware.
"""
