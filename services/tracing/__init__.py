"""OpenTelemetry's traces, where they are asked for: one trace from a trainer or a job through all that it reaches.

Off unless `OTEL_EXPORTER_OTLP_ENDPOINT` (or `..._TRACES_ENDPOINT`) says where to; then the extra `otel` must be
installed, and OpenTelemetry's own variables decide the rest. Off, a span costs one comparison. No text of a program, a
prompt or an exception ever becomes part of a span: a message may quote what was submitted.
"""

from services.tracing.setup import configure, flush
from services.tracing.spans import Span, carrier, current_trace_id, is_on, span

__all__ = ["Span", "carrier", "configure", "current_trace_id", "flush", "is_on", "span"]
