"""What following work costs a lead: where no traces are wanted, and where they are.

    python bench/telemetry.py [--rounds 5] [--leads 20000]

Of one lead: the spans that it has with an intake, a processing run, a push, a workflow of one step, and three calls;
what the context of log lines costs; and the request that the web counts. CPU time of this process, the median of the
rounds, in µs a lead, beside the 3.5 ms of CPU that a lead takes (bench/turns.py). The limit: off, at most 1 % of that.
Exits with 1 beyond it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from mainstay.model import new_id
from mainstay.telemetry import about, is_tracing, set_up_tracing, span, stop_tracing, traceparent
from mainstay.web.metrics import Metrics

LEAD_US = 3_500.0
MOST_SHARE = 0.01
RUNS, STEPS, CALLS = 3, 4, 3


class _Nowhere(SpanExporter):
    def export(self, spans: tuple[ReadableSpan, ...]) -> SpanExportResult:  # type: ignore[override]
        del spans
        return SpanExportResult.SUCCESS


def _follow() -> None:
    """Do of one lead what the product does to follow it, as at each of its places."""
    with span("POST intake", {"http.request.method": "POST", "mainstay.part": "intake"}, "server", parent=""):
        traceparent()
    for _ in range(RUNS):
        run_id = new_id()
        facts = {"run": run_id, "workspace": run_id, "delivery": run_id, "workflow": "welcome.v1"}
        with about(**facts):
            if is_tracing():
                named = {f"mainstay.{name}": fact for name, fact in facts.items()}
                with span("run welcome.v1", named, "consumer"):
                    traceparent()
            else:
                traceparent()
    for _ in range(STEPS):
        if is_tracing():
            with span("chat.post", {"mainstay.step": 1, "mainstay.connection": "slack"}):
                pass
    for _ in range(CALLS):
        with span("POST", {"http.request.method": "POST", "url.full": "https://slack.example/x"}, "client") as current:
            traceparent()
            current.note({"http.response.status_code": 200})


def _ids() -> None:
    for _ in range(RUNS):
        new_id()


def _cost(work: Callable[[], None], leads: int, rounds: int) -> float:
    found = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(leads):
            work()
        found.append((time.process_time() - began) / leads * 1e6)
    return statistics.median(found)


def main() -> int:
    """Measure and tell; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--leads", type=int, default=20_000)
    given = parser.parse_args()
    ids = _cost(_ids, given.leads, given.rounds)
    off = _cost(_follow, given.leads, given.rounds) - ids
    metrics = Metrics(None, dict, "")  # type: ignore[arg-type]  # counting alone asks no database
    counted = _cost(lambda: metrics.answered("intake", 202, 0.004), given.leads, given.rounds)
    set_up_tracing("", service="bench", exporter=_Nowhere())
    on = _cost(_follow, given.leads // 10, given.rounds) - ids
    stop_tracing()
    for name, cost in (
        ("no traces wanted", off),
        ("request counted for /metrics", counted),
        ("traces, sent nowhere", on),
    ):
        print(f"{name:30} {cost:8.1f} µs a lead   {cost / LEAD_US:7.2%} of its CPU")
    share = (off + counted) / LEAD_US
    print(f"{'limit':30} {'':8}                {MOST_SHARE:7.2%}   {'kept' if share <= MOST_SHARE else 'BROKEN'}")
    return 0 if share <= MOST_SHARE else 1


if __name__ == "__main__":
    sys.exit(main())
