"""``/metrics`` for Prometheus.

What is counted in the database is the same from every process; what is of this web process says so in its help.
Labels are names that the stack declares, and states: so there are as many series as the stack is large.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hmac import compare_digest
from importlib.metadata import version
from typing import TYPE_CHECKING
from uuid import UUID

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from mainstay.db import acquire
from mainstay.errors import DatabaseUnavailableError
from mainstay.insight.measures import Measures, measure
from mainstay.insight.verdict import WORKER_SILENT_AFTER

if TYPE_CHECKING:
    from mainstay.db import Pool
    from mainstay.web.intake import Receive, Scope, Send

disable_created_metrics()  # type: ignore[no-untyped-call]  # its package has no type for it

PATH = "/metrics"
PARTS = ("intake", "ping", "api", "pages")
"""The parts of the web side that requests are counted by."""
_FRESH_SECONDS = 2.0
_PATIENCE_SECONDS = 8.0
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_KINDS = {
    "source": ("mainstay_deliveries", "Deliveries, by what became of them at the door.", "source", "result"),
    "run": ("mainstay_runs_ended", "Runs that ended, by how.", "workflow", "state"),
    "attempt": ("mainstay_vendor_calls", "Steps tried at a connection, by how they went.", "connection", "result"),
    "pull": ("mainstay_pulled_changes", "Changes that a pull brought, by what they were.", "connection", "result"),
}
_PARKED = "waiting"  # a wait is counted as well, and ends nothing


class Metrics:
    """The figures of this web process, and the reader of those in the database.

    ``slugs`` gives the workspaces that may be read; ``token`` is what has to be shown: without one nobody may read.
    """

    def __init__(self, pool: Pool, slugs: Callable[[], Mapping[UUID, str]], token: str) -> None:
        self._pool = pool
        self._slugs = slugs
        self._token = token
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._seconds = Histogram(
            "mainstay_http_request_seconds",
            "Time to answer a request, of this web process.",
            ["part"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._answers = Counter(
            "mainstay_http_requests",
            "Requests answered, of this web process.",
            ["part", "code"],
            registry=self._registry,
        )
        self._timed = {part: self._seconds.labels(part) for part in PARTS}
        self._counted = {
            (part, code): self._answers.labels(part, f"{code}xx") for part in PARTS for code in range(1, 6)
        }
        self._lock = asyncio.Lock()
        self._read: tuple[float, bytes] = (-_FRESH_SECONDS, b"")

    def answered(self, part: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._timed[part].observe(seconds)
        counted = self._counted.get((part, status // 100))
        if counted is not None:
            counted.inc()

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer Prometheus."""
        if not self._token:
            await _answer(send, 404, b"not found\n")
        elif scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, 405, b"method not allowed\n")
        elif not self._is_known(dict(scope["headers"]).get(b"authorization", b"")):
            await _answer(send, 401, b"not authorised\n", (b"www-authenticate", b"Bearer"))
        else:
            body = generate_latest(self._registry) + await self._of_database()
            kind = CONTENT_TYPE_LATEST.encode()
            await _answer(send, 200, body if scope["method"] == "GET" else b"", (b"content-type", kind))

    def _is_known(self, shown: bytes) -> bool:
        scheme, _, token = shown.partition(b" ")
        return scheme.lower() == b"bearer" and compare_digest(token.strip(), self._token.encode())

    async def _of_database(self) -> bytes:
        """Read it once for all who ask in the same moment."""
        async with self._lock:
            read_at, text = self._read
            if time.monotonic() - read_at >= _FRESH_SECONDS:
                text = generate_latest(_only(await self._measured()))
                self._read = time.monotonic(), text
            return text

    async def _measured(self) -> _Families:
        slugs = self._slugs()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), acquire(self._pool) as connection:
                silent_after = WORKER_SILENT_AFTER.total_seconds()
                found = await measure(connection, list(slugs), datetime.now(UTC), silent_after=silent_after)
        except (DatabaseUnavailableError, TimeoutError):
            # Told as a figure: what cannot be read is itself what somebody wants to be alerted of.
            return _Families(None, slugs)
        return _Families(found, slugs)


class _Families(Collector):
    def __init__(self, measures: Measures | None, slugs: Mapping[UUID, str]) -> None:
        self._measures = measures
        self._slugs = slugs

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("mainstay_build_info", "The version that answers.", labels=["version"])
        info.add_metric([version("mainstay")], 1)
        yield info
        found = self._measures
        yield GaugeMetricFamily("mainstay_database_up", "Whether PostgreSQL answers.", value=int(found is not None))
        if found is None:
            return
        yield GaugeMetricFamily("mainstay_workers", "Workers heard of lately.", value=found.workers)
        if found.worker_age is not None:
            text = "Seconds since a worker was heard of last."
            yield GaugeMetricFamily("mainstay_worker_silence_seconds", text, value=found.worker_age)
        yield from self._totals(found)
        yield from self._standing(found)

    def _totals(self, found: Measures) -> Iterator[Metric]:
        for kind, (name, text, what, how) in _KINDS.items():
            family = CounterMetricFamily(name, text, labels=["workspace", what, how])
            for workspace_id, each in found.workspaces.items():
                for (told, named, label), count in sorted(each.totals.items()):
                    if told == kind and label != _PARKED:
                        family.add_metric([self._slugs[workspace_id], named, label], count)
            yield family

    def _standing(self, found: Measures) -> Iterator[Metric]:
        runs = GaugeMetricFamily("mainstay_runs", "Runs by state, 10,000 at most.", labels=["workspace", "state"])
        age = GaugeMetricFamily(
            "mainstay_queue_age_seconds", "How long ago the oldest run on the queue was made.", labels=["workspace"]
        )
        incidents = GaugeMetricFamily("mainstay_incidents_open", "Incidents that are open.", labels=["workspace"])
        is_open = GaugeMetricFamily(
            "mainstay_connection_open", "Whether calls to a connection go.", labels=["workspace", "connection"]
        )
        held = GaugeMetricFamily(
            "mainstay_connection_held_runs", "Runs that wait at a connection.", labels=["workspace", "connection"]
        )
        monitors = GaugeMetricFamily(
            "mainstay_monitor_up", "0 for a monitor that is down.", labels=["workspace", "kind", "monitor"]
        )
        for workspace_id, each in found.workspaces.items():
            slug = self._slugs[workspace_id]
            for state, count in each.runs.items():
                runs.add_metric([slug, state], count)
            age.add_metric([slug], each.queue_age)
            incidents.add_metric([slug], each.incidents)
            for name, (state, waiting) in each.gates.items():
                is_open.add_metric([slug, name], int(state == "open"))
                held.add_metric([slug, name], waiting)
            for (kind, name), state in each.monitors.items():
                monitors.add_metric([slug, kind, name], int(state != "down"))
        yield from (runs, age, incidents, is_open, held, monitors)


def _only(collector: Collector) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry


async def _answer(send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    said = dict(headers)
    said.setdefault(b"content-type", b"text/plain; charset=utf-8")
    said |= {b"content-length": str(len(body)).encode(), b"cache-control": b"no-store"}
    await send({"type": "http.response.start", "status": status, "headers": list(said.items())})
    await send({"type": "http.response.body", "body": body})
