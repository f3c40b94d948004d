"""Spans, and the headers that carry a trace from one process to the next (https://www.w3.org/TR/trace-context/)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span as OtelSpan

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attribute = str | int | float | bool

_providers: list["TracerProvider"] = []
"""The one that is in use; empty while tracing is off."""


class Span:
    """What the work within a span may tell of itself; nothing happens while tracing is off."""

    def __init__(self, span: "OtelSpan | None" = None) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        """Give it the name that is known only now."""
        if self._span is not None:
            self._span.update_name(name)

    def tell(self, **attributes: Attribute) -> None:
        """Add attributes; `_` in their names stands for a point."""
        if self._span is not None:
            self._span.set_attributes({key.replace("_", "."): value for key, value in attributes.items()})

    def fail(self, kind: str) -> None:
        """Mark it as failed, with the kind of the failure and no message."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR)
            self._span.set_attribute("error.type", kind)


_OFF = Span()


def is_on() -> bool:
    """Whether spans go anywhere."""
    return bool(_providers)


@contextmanager
def span(
    name: str, kind: Kind = "internal", *, caller: Mapping[str, str] | None = None, **attributes: Attribute
) -> Iterator[Span]:
    """The body as a span: below the current one, or below the one that the headers `caller` carry."""
    if not _providers:
        yield _OFF
        return
    from opentelemetry import propagate
    from opentelemetry.trace import SpanKind

    started = (
        _providers[-1]
        .get_tracer("linewise")
        .start_as_current_span(
            name,
            context=None if caller is None else propagate.extract(caller),
            kind=SpanKind[kind.upper()],
            record_exception=False,
            set_status_on_exception=False,
        )
    )
    with started as current:
        telling = Span(current)
        telling.tell(**attributes)
        try:
            yield telling
        except BaseException as error:
            telling.fail(type(error).__name__)
            raise


def carrier() -> dict[str, str]:
    """The headers that make what is asked for with them part of the current trace; none while tracing is off."""
    headers: dict[str, str] = {}
    if _providers:
        from opentelemetry import propagate

        propagate.inject(headers)
    return headers


def current_trace_id() -> str | None:
    """The current trace's id as 32 hexadecimal digits, or None."""
    if not _providers:
        return None
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else None


def use(provider: "TracerProvider") -> None:
    """Make spans with `provider` from now on."""
    _providers[:] = [provider]


def flush() -> None:
    """Send what was not sent yet."""
    for provider in _providers:
        provider.force_flush()
