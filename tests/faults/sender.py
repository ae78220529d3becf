"""Senders: leads into a database's intake, in this process or over HTTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import aiohttp

from mainstay.app import App
from mainstay.intake import Receipt
from mainstay.kit import RawRequest
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import STACK
from tests.faults.victim import Orders, open_app


async def open_here(dsn: str, sandbox: Sandbox, *, stack: Path = STACK) -> App:
    """Open the stack's app in this process."""
    return await open_app(Orders(dsn=dsn, sandbox=sandbox.base_url, stack=str(stack), passed=""))


async def submit(dsn: str, sandbox: Sandbox, *, stack: Path = STACK, **fields: str) -> Receipt:
    """Submit one lead to the form ``website``."""
    app = await open_here(dsn, sandbox, stack=stack)
    try:
        return await submit_to(app, **fields)
    finally:
        await app.close()


async def submit_to(app: App, **fields: str) -> Receipt:
    """Submit one lead to the form ``website`` of an app that is open."""
    return await app.intake.receive(app.by_slug["acme"].sources["website"], _request(fields))


async def submit_many(dsn: str, sandbox: Sandbox, emails: Iterable[str], *, stack: Path, slug: str = "acme") -> None:
    """Submit many leads to the form ``website``."""
    app = await open_here(dsn, sandbox, stack=stack)
    try:
        source = app.by_slug[slug].sources["website"]
        for email in emails:
            await app.intake.receive(source, _request({"email": email, "name": email.partition("@")[0]}))
    finally:
        await app.close()


def _request(fields: Mapping[str, str]) -> RawRequest:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return RawRequest(
        "POST", "http://test/in/workspace/website", headers, urlencode(fields).encode(), datetime.now(UTC)
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a sender hears."""

    status: int
    delivery: str
    retry_after: str


async def post(
    session: aiohttp.ClientSession,
    port: str,
    source: str,
    fields: Mapping[str, str],
    *,
    key: str = "",
    slug: str = "acme",
) -> Answer:
    """Post one form; ``key`` is the delivery's id."""
    headers = {"idempotency-key": key} if key else {}
    async with session.post(f"http://127.0.0.1:{port}/in/{slug}/{source}", data=fields, headers=headers) as response:
        said = await response.json(content_type=None)
        return Answer(response.status, said.get("delivery", ""), response.headers.get("retry-after", ""))


async def insist(
    session: aiohttp.ClientSession, port: str, fields: Mapping[str, str], *, key: str, seconds: float = 60.0
) -> list[int]:
    """Post until it is taken, as a sender does that re-sends; returns every status on the way, 0 for no answer."""
    statuses: list[int] = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            answer = await post(session, port, "website", fields, key=key)
        except (aiohttp.ClientError, TimeoutError):
            statuses.append(0)
        else:
            statuses.append(answer.status)
            if answer.status in {200, 202}:
                return statuses
        # A sender's own pause, much shorter than a real one's.
        await asyncio.sleep(0.2)
    raise AssertionError(f"never taken: {statuses}")
