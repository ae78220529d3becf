"""A stack whose contacts live in GoHighLevel and are mirrored into HubSpot, both simulated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest
from tests.conftest import MakeStack
from tests.faults.fleet import until

CONNECTIONS = """
    [connections]
    ghl = { connector = "gohighlevel", token = "${TOKEN}", location_id = "ve9EPM428h8vShlRW1KT" }
    hubspot = { connector = "hubspot", token = "${TOKEN}" }
    slack = { connector = "slack", token = "${TOKEN}" }
    [sources.website]
    kind = "form"
    [sources.partner]
    kind = "json"
    [alerts]
    other = ["slack:#alerts"]
"""
BEFORE = f"""{CONNECTIONS}
    [roles]
    crm = "ghl"
    [records.contact]
    system_of_record = "ghl"
"""
MIRRORED = f"""{BEFORE}    mirrors = ["hubspot"]
"""
AFTER = f"""{CONNECTIONS}
    [roles]
    crm = "hubspot"
    [records.contact]
    system_of_record = "hubspot"
    mirrors = ["ghl"]
"""


@dataclass
class Twofold:
    """A stack, as it is edited, and both its CRMs."""

    make_stack: MakeStack
    sandbox: Sandbox
    stack: StackUnderTest

    @classmethod
    async def make(cls, make_stack: MakeStack, sandbox: Sandbox, toml: str = MIRRORED, workflow: str = "") -> Twofold:
        sandbox.configure("hubspot", properties=["mainstay_tags", "hs_email_optout"])
        return cls(make_stack, sandbox, await make_stack(toml, workflow))

    @property
    def workspace_id(self) -> Any:
        return next(iter(self.stack.app.workspaces))

    async def edit(self, toml: str, workflow: str = "") -> None:
        self.stack = await self.make_stack(toml, workflow)

    async def submit(self, *names: str, **more: str) -> None:
        for name in names:
            await self.stack.submit("website", email=f"{name}@example.com", name=f"{name.title()} Li", **more)

    async def write(self, mirror: str = "hubspot") -> None:
        """Write until all is in the mirror."""

        async def is_done() -> bool:
            async with acquire(self.stack.app.pool) as connection:
                await connection.execute("UPDATE mirrors SET written_at = written_at - interval '1 hour'")
            await self.stack.app.watch_once()
            await self.stack.settle()
            found: bool = await self.value(
                """
                SELECT loaded_at IS NOT NULL AND NOT EXISTS (SELECT FROM stale_in_mirror WHERE mirror = $1)
                FROM mirrors WHERE name = $1
                """,
                mirror,
            )
            return found

        await until(is_done, f"all is in {mirror}")

    async def compare(self, mirror: str = "hubspot") -> list[tuple[str, Any]]:
        """Compare; returns what is open."""
        await self.stack.app.copies.compare(self.workspace_id, mirror)
        await self.stack.settle()
        async with acquire(self.stack.app.pool) as connection:
            rows = await connection.fetch("SELECT kind, fields FROM drifts WHERE state = 'open' ORDER BY key, kind")
        return [(row["kind"], row["fields"]) for row in rows]

    async def value(self, query: str, *arguments: Any) -> Any:
        async with acquire(self.stack.app.pool) as connection:
            return await connection.fetchval(query, *arguments)

    async def change_there(self, email: str, **properties: str) -> None:
        """Let a person edit a contact in HubSpot."""
        await self._request("PATCH", email, {"properties": properties})

    async def remove_there(self, email: str) -> None:
        """Let a person remove a contact from HubSpot."""
        await self._request("DELETE", email, None)

    async def _request(self, method: str, email: str, body: Any) -> None:
        (record,) = (
            each for each in self.sandbox.state("hubspot")["contacts"] if each["properties"].get("email") == email
        )
        address = f"{self.sandbox.url('hubspot')}/crm/v3/objects/contacts/{record['id']}"
        headers = {"Authorization": "Bearer person"}
        async with aiohttp.request(method, address, json=body, headers=headers) as answer:
            assert answer.status < 300, await answer.text()

    def hubspot(self) -> dict[str, dict[str, str]]:
        """HubSpot's contacts by e-mail; an e-mail that is there twice fails."""
        found: dict[str, dict[str, str]] = {}
        for record in self.sandbox.state("hubspot")["contacts"]:
            email = record["properties"].get("email") or record["properties"].get("phone")
            assert email not in found, f"HubSpot has {email} twice"
            found[email] = record["properties"]
        return found

    def ghl(self) -> dict[str, dict[str, Any]]:
        """GoHighLevel's contacts by e-mail; an e-mail that is there twice fails."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.sandbox.state("gohighlevel")["contacts"]:
            email = record.get("email") or record.get("phone")
            assert email not in found, f"GoHighLevel has {email} twice"
            found[email] = record
        return found
