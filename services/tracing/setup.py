"""Turns tracing on for this process, where the environment wants it."""

import os

from services.tracing import spans

_WHERE_TO = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


def configure(service: str) -> None:
    """Export spans as `service`, over OTLP's HTTP, from now on; nothing where no variable says where to.

    Call it in each process that makes spans, behind its last fork. `OTEL_SERVICE_NAME` counts before `service`.

    Raises:
        ModuleNotFoundError: tracing is wanted, but the extra `otel` is not installed.
    """
    if not any(os.environ.get(name) for name in _WHERE_TO) or os.environ.get("OTEL_SDK_DISABLED", "") == "true":
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    name = os.environ.get("OTEL_SERVICE_NAME") or service
    provider = TracerProvider(resource=Resource.create({"service.name": name}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    spans.use(provider)


def flush() -> None:
    """Send what was not sent yet; for processes that end without their exit handlers."""
    spans.flush()
