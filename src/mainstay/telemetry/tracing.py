"""OpenTelemetry traces, where the extra ``traces`` is installed and an address is set; else nothing, at no cost.

The only file that knows OpenTelemetry. A trace crosses processes as W3C ``traceparent``: in with a request, kept with
each run, out with each call to a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self
from uuid import UUID

from mainstay.errors import ConfigError, Problem

Kind = Literal["server", "client", "consumer", "internal"]
_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Span:
    """A piece of work that is followed. This one, for where none is, does nothing."""

    __slots__ = ()

    def note(self, facts: Mapping[str, object]) -> None:
        """Add facts. No secret, and nothing of a person."""

    def fail(self, reason: str) -> None:
        """Mark the work as failed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


_NO_SPAN = Span()


class _Tracing:
    """What was set up: a tracer, and OpenTelemetry's own modules."""

    def __init__(self, provider: Any) -> None:
        from opentelemetry import context, trace  # noqa: PLC0415 - an extra, and only where it is wanted
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self.provider = provider
        self.tracer = provider.get_tracer("mainstay")
        self.trace = trace
        self.context = context
        self.propagator = TraceContextTextMapPropagator()
        self.kinds = {
            "server": trace.SpanKind.SERVER,
            "client": trace.SpanKind.CLIENT,
            "consumer": trace.SpanKind.CONSUMER,
            "internal": trace.SpanKind.INTERNAL,
        }


_tracing: _Tracing | None = None


class _RealSpan(Span):
    __slots__ = ("_facts", "_kind", "_name", "_on", "_parent", "_span", "_token")

    def __init__(self, on: _Tracing, name: str, kind: Kind, parent: str, facts: Mapping[str, object]) -> None:
        self._on, self._name, self._kind, self._parent = on, name, kind, parent
        self._facts = facts

    def __enter__(self) -> Self:
        on = self._on
        parent = on.propagator.extract({"traceparent": self._parent}) if self._parent else None
        facts = _plain(self._facts)
        self._span = on.tracer.start_span(self._name, context=parent, kind=on.kinds[self._kind], attributes=facts)
        self._token = on.context.attach(on.trace.set_span_in_context(self._span))
        return self

    def note(self, facts: Mapping[str, object]) -> None:
        self._span.set_attributes(_plain(facts))

    def fail(self, reason: str) -> None:
        self._span.set_status(self._on.trace.Status(self._on.trace.StatusCode.ERROR, reason[:200]))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # By its class alone: its text may quote what a person wrote. What unwinds a run that waits is no Exception.
        if isinstance(error, Exception):
            self.fail(type(error).__name__)
        self._on.context.detach(self._token)
        self._span.end()


def _plain(facts: Mapping[str, object]) -> dict[str, Any]:
    return {
        name: value if isinstance(value, bool | int | float | str) else str(value)
        for name, value in facts.items()
        if value is not None
    }


def is_tracing() -> bool:
    """Tell whether anything is followed."""
    return _tracing is not None


def span(name: str, facts: Mapping[str, object], kind: Kind = "internal", *, parent: str = "") -> Span:
    """Follow a piece of work, within the one at hand or under a ``traceparent``; a context manager.

    ``facts`` are ids, names and numbers: no secret, and nothing of a person.
    """
    if _tracing is None:
        return _NO_SPAN
    return _RealSpan(_tracing, name, kind, parent, facts)


def trace_of(run_id: UUID) -> str:
    """Return the trace of a run that no request began: made of its id, so that all that drive it say the same."""
    return f"00-{run_id.hex}-{run_id.hex[16:]}-01"


def traceparent() -> str:
    """Return the work at hand in W3C's form, for whoever goes on with it; empty where nothing is followed."""
    if _tracing is None:
        return ""
    carrier: dict[str, str] = {}
    _tracing.propagator.inject(carrier)
    return carrier.get("traceparent", "")


def set_up_tracing(endpoint: str, *, service: str, exporter: Any = None) -> None:
    """Send traces to an OTLP endpoint (``http://collector:4318``) from now on; a test gives its own ``exporter``.

    Raises:
        ConfigError: the extra is not installed.
    """
    global _tracing  # noqa: PLW0603 - one for a process, as OpenTelemetry's own is
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor  # noqa: PLC0415
    except ImportError:
        mend = 'install it with:  pip install "mainstay[traces]"'
        raise ConfigError(
            Problem("", _VARIABLE, f"{_VARIABLE} is set, and the extra traces is missing", mend)
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if exporter is None:
        # In a thread of its own, and dropped where nobody takes them: a collector that is away harms no work.
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=10)
        provider.add_span_processor(BatchSpanProcessor(exporter))
    else:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    _tracing = _Tracing(provider)


def stop_tracing() -> None:
    """Send what is left, and follow nothing more."""
    global _tracing  # noqa: PLW0603
    if _tracing is not None:
        _tracing.provider.shutdown()
        _tracing = None
