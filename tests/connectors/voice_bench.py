"""A vendor of AI callers in the sandbox, and attempts against it: what its conformance suite works on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import aiohttp
import pytest

from mainstay.kit import (
    Call,
    ConnectionSettings,
    Connector,
    Http,
    RawRequest,
    SourceSettings,
)
from mainstay.sandbox import Sandbox, SandboxProcess
from mainstay.sandbox.senders import SignedRequest
from tests.contracts.vendor_specs import validate_recorded
from tests.sources import request

TOKEN = "sample-voice-key-1111"
SECRET = "sample-webhook-secret"
TO = "+13125550147"
STEP = "0192aa00-0000-7000-8000-00000000000a-3"
VARIABLES = {"first_name": "Zoë 李", "company": "Rohre & Söhne „Blitz“ 🛠", "note": 'a "quoted"\nline {x}'}


@dataclass(frozen=True)
class Placed:
    """A call as the vendor holds it, in our words."""

    id: str
    to: str
    agent: str
    variables: Mapping[str, Any]


class VoiceVendor(Protocol):
    """What the suite asks about one vendor."""

    name: str
    connector: Connector
    agent: str
    unknown_id: str
    outcomes: Mapping[str, Any]
    """What the simulator's setting ``outcomes`` takes for each of ours, and for ``invalid``: no number to phone."""
    no_credit: Mapping[str, Any]
    """The simulator's settings of an account that must pay first."""
    owned: Mapping[str, Any]
    """The simulator's settings of an account that has what the connection names."""

    def settings(self, base_url: str) -> ConnectionSettings:
        """The connection's settings, with ``TOKEN``."""
        ...

    def source(self) -> SourceSettings:
        """The source's settings, with ``SECRET``."""
        ...

    def calls(self, state: Mapping[str, Any]) -> list[Placed]:
        """Every call there, oldest first."""
        ...

    def report(self, call: Mapping[str, Any], outcome: Any) -> SignedRequest:
        """What the vendor sends when a call of its state ended so."""
        ...


@dataclass
class Bench:
    """One vendor, empty at the start, and attempts against it."""

    vendor: VoiceVendor
    sandbox: Sandbox
    session: aiohttp.ClientSession
    timeout: float = 5.0
    attempts: list[Http] = field(default_factory=list)

    def http(self, key: str = STEP, *, tried_ago: float = 0.0, **settings: Any) -> tuple[Any, Http]:
        connector = self.vendor.connector
        connection = self.vendor.settings(self.sandbox.url(self.vendor.name)).model_copy(update=settings)
        assert connector.http is not None
        http = Http(self.session, replace(connector.http(connection), timeout=self.timeout), idempotency_key=key)
        http.tried_ago = tried_ago
        self.attempts.append(http)
        return connection, http

    def voice(self, key: str = STEP, **options: Any) -> Any:
        """The role for one new attempt of a step."""
        connection, http = self.http(key, **options)
        return self.vendor.connector.roles["voice"](connection, http, None)

    async def check(self) -> str:
        connection, http = self.http()
        assert self.vendor.connector.check is not None
        return await self.vendor.connector.check(connection, http)

    async def placed(self) -> list[Placed]:
        return self.vendor.calls(await self.state())

    async def only(self) -> Placed:
        placed = await self.placed()
        assert len(placed) == 1
        return placed[0]

    async def state(self) -> dict[str, Any]:
        return await asyncio.to_thread(self.sandbox.state, self.vendor.name)

    async def effects(self) -> list[str]:
        return [effect["kind"] for effect in (await self.state())["effects"]]

    async def requests(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self.sandbox.requests, self.vendor.name)

    async def configure(self, **settings: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.configure(self.vendor.name, **settings))

    async def ends(self, outcome: str, to: str = TO) -> None:
        await self.configure(outcomes={to: self.vendor.outcomes[outcome]})

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.set_fault(self.vendor.name, kind, **{"count": 1} | options))


def call(**values: Any) -> Call:
    """A call of ours."""
    given: dict[str, Any] = {"to": TO, "name": "Zoë 李", "variables": VARIABLES}
    return Call(**(given | values))


def delivered(sent: SignedRequest) -> RawRequest:
    return request(sent.body, sent.headers)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
async def bench(vendor: VoiceVendor, sandbox: SandboxProcess) -> AsyncIterator[Bench]:
    await sandbox.aio.reset()
    async with aiohttp.ClientSession() as session:
        bench = Bench(vendor, sandbox.sandbox, session)
        yield bench
        with contextlib.suppress(pytest.skip.Exception):
            for record in await bench.requests():
                validate_recorded(record)
