"""One trace from a delivery over its runs and steps to each vendor; and nothing at all where none is wanted."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from mainstay import telemetry
from mainstay.db import acquire
from mainstay.errors import ConfigError
from mainstay.kit.http import open_session
from mainstay.model import new_id
from mainstay.telemetry import is_tracing, set_up_tracing, span, stop_tracing, trace_of, traceparent
from mainstay.testing import StackUnderTest
from mainstay.web.binding import Server
from tests.conftest import MakeStack
from tests.web.serving import listen, serving

STACK = """
[connections.hub]
connector = "hubspot"
token = "${HUB}"

[connections.slack]
connector = "slack"
token = "${SLACK}"

[roles]
crm = "hub"

[sources.website]
kind = "json"
"""
WORKFLOW = """
    @workflow("welcome.v1", on="contact.created")
    async def welcome(ctx: Context, contact: Contact) -> None:
        await ctx.sleep("1h")
        await ctx.chat.post("#leads", f"{contact.name} {contact.email}")
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def exporter() -> Iterator[InMemorySpanExporter]:
    found = InMemorySpanExporter()
    set_up_tracing("", service="test", exporter=found)
    yield found
    stop_tracing()


def trace_id(one: ReadableSpan) -> str:
    assert one.context is not None
    return f"{one.context.trace_id:032x}"


def by_id(spans: Sequence[ReadableSpan]) -> dict[int, ReadableSpan]:
    return {one.context.span_id: one for one in spans if one.context is not None}


def line(spans: Sequence[ReadableSpan], one: ReadableSpan) -> list[str]:
    """Return a span's name and those of what it is within, outwards."""
    found = [one.name]
    known = by_id(spans)
    while one.parent is not None and one.parent.span_id in known:
        one = known[one.parent.span_id]
        found.append(one.name)
    return found


async def deliver(stack: StackUnderTest, parent: str) -> None:
    listener, base = listen()
    async with serving(Server(stack.app, trust_url=False), listener), open_session() as session:
        headers = {"traceparent": parent} if parent else {}
        lead = {"email": "sarah.jones@example.com", "name": "Sarah Jones"}
        async with session.post(f"{base}/in/acme/website?utm=x", json=lead, headers=headers) as answer:
            assert answer.status == 202
    await stack.settle()


async def test_a_lead_is_one_trace_from_its_delivery_to_the_last_call(
    make_stack: MakeStack, exporter: InMemorySpanExporter
) -> None:
    stack = await make_stack(STACK, WORKFLOW)
    await deliver(stack, PARENT)
    await stack.advance("2h")
    spans = exporter.get_finished_spans()
    assert {trace_id(one) for one in spans} == {TRACE}
    posts = [line(spans, one) for one in spans if one.name == "POST"]
    assert ["POST", "chat.post", "run welcome.v1", "run inbound.v1", "POST intake"] in posts
    assert any(each[1:] == ["crm.push_contact", "run push.v1", "run inbound.v1", "POST intake"] for each in posts), (
        posts
    )
    stints = [one for one in spans if one.name == "run welcome.v1"]
    assert len(stints) == 2, "before the sleep and after it: two pieces of work of one trace"

    text = " ".join(one.to_json() for one in spans)
    for personal in ("sarah", "Sarah", "sample-", "utm"):
        assert personal not in text
    for request in stack.sandbox.requests():
        assert request["headers"]["traceparent"].split("-")[1] == TRACE


async def test_a_run_that_fails_and_a_call_that_fails_are_marked(
    make_stack: MakeStack, exporter: InMemorySpanExporter
) -> None:
    stack = await make_stack(STACK, WORKFLOW.replace('await ctx.sleep("1h")', "pass"))
    stack.sandbox.set_fault("slack", "status", status=400)
    await deliver(stack, "")
    failed = {one.name for one in exporter.get_finished_spans() if one.status.status_code.name == "ERROR"}
    assert {"run welcome.v1", "chat.post", "POST"} <= failed
    assert "run inbound.v1" not in failed


@pytest.mark.parametrize("parent", ["", "nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "x" * 5000])
async def test_without_a_sound_parent_a_delivery_begins_a_trace_of_its_own(
    make_stack: MakeStack, exporter: InMemorySpanExporter, parent: str
) -> None:
    stack = await make_stack(STACK)
    await deliver(stack, parent)
    found = {trace_id(one) for one in exporter.get_finished_spans()}
    assert len(found) == 1
    assert found != {"0" * 32}


async def test_a_run_that_nothing_began_has_one_trace_over_all_its_stints(
    make_stack: MakeStack, exporter: InMemorySpanExporter
) -> None:
    stack = await make_stack(
        STACK,
        """
        @workflow("digest.v1", schedule="0 * * * *")
        async def digest(ctx: Context, tick: object) -> None:
            await ctx.sleep("5m")
            await ctx.chat.post("#leads", "hello")
        """,
    )
    await stack.advance("1h 10m")
    spans = [one for one in exporter.get_finished_spans() if one.name == "run digest.v1"]
    assert len(spans) >= 2, await stack.runs()
    runs = {str(run_id).replace("-", "") for run_id, _, _ in await stack.runs("digest.v1")}
    assert {trace_id(one) for one in spans} <= runs


async def test_nothing_is_kept_or_sent_where_no_traces_are_wanted(make_stack: MakeStack) -> None:
    assert not is_tracing()
    stack = await make_stack(STACK, WORKFLOW)
    await deliver(stack, PARENT)
    async with acquire(stack.app.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM traces") == 0
    assert not any("traceparent" in request["headers"] for request in stack.sandbox.requests())


def test_off_a_span_is_always_the_same_and_says_nothing() -> None:
    with span("one", {}) as first, span("two", {"a": 1}, "client", parent=PARENT) as second:
        assert first is second
        assert traceparent() == ""
        first.note({"a": 1})
        first.fail("never mind")
    stop_tracing()


def test_the_trace_of_a_run_is_made_of_its_id() -> None:
    run_id = new_id()
    assert trace_of(run_id).split("-")[1] == run_id.hex


def test_a_missing_extra_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    with pytest.raises(ConfigError, match="extra traces"):
        telemetry.set_up_tracing("http://localhost:4318", service="mainstay")
    assert not is_tracing()
