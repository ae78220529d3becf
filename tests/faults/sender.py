"""Senders: leads into a database's intake, in this process or over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from mainstay.app import App
from mainstay.intake import Receipt
from mainstay.kit import RawRequest
from mainstay.sandbox.client import Sandbox
from tests.faults.fleet import STACK
from tests.faults.victim import Orders, open_app


async def open_here(dsn: str, sandbox: Sandbox, *, stack: Path = STACK) -> App:
    """Open the stack's app in this process."""
    return await open_app(Orders(dsn=dsn, sandbox=sandbox.base_url, stack=str(stack), passed=""))


async def submit(dsn: str, sandbox: Sandbox, **fields: str) -> Receipt:
    """Submit one lead to the form ``website``."""
    app = await open_here(dsn, sandbox)
    try:
        workspace = app.by_slug["acme"]
        headers = {"content-type": "application/x-www-form-urlencoded"}
        url = "http://test/in/acme/website"
        request = RawRequest("POST", url, headers, urlencode(fields).encode(), datetime.now(UTC))
        return await app.intake.receive(workspace.sources["website"], request)
    finally:
        await app.close()
