"""What can be followed from outside: which run a log line is about, and traces over web, workers and vendors."""

from mainstay.telemetry.about import about, told_about
from mainstay.telemetry.tracing import Span, is_tracing, set_up_tracing, span, stop_tracing, trace_of, traceparent

__all__ = [
    "Span",
    "about",
    "is_tracing",
    "set_up_tracing",
    "span",
    "stop_tracing",
    "told_about",
    "trace_of",
    "traceparent",
]
