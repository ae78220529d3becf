"""A transaction that PostgreSQL breaks off, and a wake that is lost: nothing of the story is missing afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from mainstay.db import Connection, Write
from mainstay.records import push
from mainstay.testing import StackUnderTest
from tests.faults.fleet import ONCE, Books, vendor_copies

WRITES: dict[str, Callable[[StackUnderTest], tuple[object, str]]] = {
    "process deliveries": lambda stack: (stack.app.journey, "_process"),
    "note pushes": lambda stack: (stack.app.pusher, "_succeed"),
}


@pytest.mark.stack("tests/faults/stack")
@pytest.mark.parametrize("name", WRITES)
async def test_a_deadlock_loses_no_attempt(
    name: str, stack: StackUnderTest, books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, attribute = WRITES[name](stack)
    write: Write[Any, Any] = getattr(owner, attribute)
    calls = 0

    async def broken_off(connection: Connection, items: Sequence[Any]) -> Sequence[Any]:
        nonlocal calls
        calls += 1
        results: Sequence[Any] = await write.apply(connection, items)
        if calls == 1:
            raise asyncpg.exceptions.DeadlockDetectedError("another transaction went first")
        return results

    monkeypatch.setattr(owner, attribute, replace(write, apply=broken_off))
    await stack.submit("website", email="sarah@example.com", phone="", name="Sarah Johnson")
    await stack.advance("1m")

    assert calls == 2
    assert not await books.problems(stack.sandbox)
    assert vendor_copies(stack.sandbox, "sarah@example.com") == ONCE


@pytest.mark.stack("tests/faults/stack")
async def test_a_lost_wake_only_delays(stack: StackUnderTest, books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_arguments: Any, **_options: Any) -> None:
        pass

    fault = stack.sandbox.set_fault("gohighlevel", "status", status=503)
    await stack.submit("website", email="sarah@example.com", phone="", name="Sarah Johnson")
    monkeypatch.setattr(push, "wake", lost)
    stack.sandbox.clear("gohighlevel", fault)
    await stack.advance("2m")

    assert not await books.problems(stack.sandbox)
    assert vendor_copies(stack.sandbox, "sarah@example.com") == ONCE
    waited = "SELECT count(*) FROM attempts WHERE name = 'crm.add_tag' AND state = 'waiting'"
    assert await books.value(waited) == 1
