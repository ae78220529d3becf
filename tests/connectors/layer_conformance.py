"""What every connector with the role ``layer`` keeps, whatever its vendor; a new one subclasses and runs the same.

::

    class TestConformance(LayerConformance):
        vendor = LayerVendor("make", CONNECTOR, "https://hook.eu1.make.com/sampleHookAddress")

The vendor is the sandbox's, over real HTTP. Each request of each test is held against Standard Webhooks.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import aiohttp
import pytest
from pydantic import ValidationError

from mainstay.kit import (
    Connector,
    Http,
    NeedsHumanError,
    NotAuthenticError,
    PermanentError,
    RawRequest,
    Sent,
    TransientError,
    standard_webhooks,
)
from mainstay.kit.hook import HookConnection
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import validate_recorded

KEY = "0193b2c4-7a10-7abc-9def-0123456789ab-3"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NEXT_SECRET = "whsec_" + "QUJD" * 11
DATA = {"name": "Zoë 李", "text": "Grüße 👍 <&>", "rooms": [1, 2.5, None, True], "nested": {"a": "b"}}


@dataclass(frozen=True)
class LayerVendor:
    """What the suite asks about one vendor; ``more`` are settings that it needs besides."""

    name: str
    connector: Connector
    url: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def settings(self, **values: Any) -> HookConnection:
        assert self.connector.settings is not None
        made = self.connector.settings.model_validate(
            {"connector": self.name, "url": self.url, "secret": SECRET, **self.more, **values}
        )
        assert isinstance(made, HookConnection)
        return made


@dataclass
class Bench:
    """One vendor, empty at the start, and attempts against it."""

    vendor: LayerVendor
    sandbox: Sandbox
    session: aiohttp.ClientSession
    timeout: float = 5.0
    attempts: list[Http] = field(default_factory=list)

    async def send(self, event: str = "lead.qualified", data: Any = None, key: str = KEY, **values: Any) -> Sent:
        settings = self.vendor.settings(**{"base_url": self.sandbox.url(self.vendor.name)} | values)
        assert self.vendor.connector.http is not None
        http = Http(
            self.session, replace(self.vendor.connector.http(settings), timeout=self.timeout), idempotency_key=key
        )
        self.attempts.append(http)
        sent: Sent = await self.vendor.connector.roles["layer"](settings, http, None).send_event(
            event, DATA if data is None else data
        )
        return sent

    async def events(self) -> list[dict[str, Any]]:
        state = await asyncio.to_thread(self.sandbox.state, self.vendor.name)
        return list(state["events"])

    async def configure(self, **values: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.configure(self.vendor.name, **values))

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.set_fault(self.vendor.name, kind, **{"count": 1} | options))

    async def verify(self, event: Mapping[str, Any], secret: str) -> None:
        """Verify as a receiver does, who has one secret."""
        request = RawRequest("POST", "http://receiver", event["headers"], event["body"].encode(), datetime.now(UTC))
        standard_webhooks.verify(request, [secret])


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


class LayerConformance:
    """The tests."""

    vendor: ClassVar[LayerVendor]

    @pytest.fixture
    async def bench(self, sandbox: SandboxProcess) -> AsyncIterator[Bench]:
        await sandbox.aio.reset()
        async with aiohttp.ClientSession() as session:
            bench = Bench(self.vendor, sandbox.sandbox, session)
            yield bench
            for record in await asyncio.to_thread(bench.sandbox.requests, self.vendor.name):
                validate_recorded(record)

    async def test_an_event_arrives_signed(self, bench: Bench) -> None:
        assert await bench.send() == Sent(KEY)

        (event,) = await bench.events()
        assert (event["event"], event["id"], event["data"]) == ("lead.qualified", KEY, DATA)
        assert event["headers"]["webhook-id"] == KEY
        await bench.verify(event, SECRET)
        with pytest.raises(NotAuthenticError):
            await bench.verify(event, NEXT_SECRET)

    async def test_while_one_secret_replaces_another_both_verify(self, bench: Bench) -> None:
        await bench.send(secret=[NEXT_SECRET, SECRET])
        (event,) = await bench.events()
        for secret in (NEXT_SECRET, SECRET):
            await bench.verify(event, secret)

    async def test_a_try_whose_answer_was_lost_has_the_same_id_and_body(self, bench: Bench) -> None:
        bench.timeout = 0.5
        await bench.fault("timeout_after")
        with pytest.raises(TransientError) as lost:
            await bench.send()
        assert lost.value.unsure
        await bench.send()
        told = {(event["id"], event["body"]) for event in await bench.events()}
        assert len(told) == 1

    async def test_two_events_have_two_ids(self, bench: Bench) -> None:
        await bench.send(key="one")
        await bench.send(key="two")
        await bench.send(key="")
        assert len({event["id"] for event in await bench.events()}) == 3

    async def test_of_the_address_the_record_shows_the_host_alone(self, bench: Bench) -> None:
        url = self.vendor.url + "?token=sampleQueryToken"
        await bench.send(url=url)
        await bench.configure(is_on=False)
        with pytest.raises(NeedsHumanError) as refused:
            await bench.send(url=url)
        shown = json.dumps([http.exchanges for http in bench.attempts]) + str(refused.value) + repr(refused.value)
        shown += repr(self.vendor.settings(url=url)) + str(self.vendor.settings(url=url).model_dump())
        for secret in ("sampleHookAddress", "sampleQueryToken", SECRET, SECRET.removeprefix("whsec_")):
            assert secret not in shown
        assert [event["path"] for event in await bench.events()] == ["/" + self.vendor.url.split("/", 3)[3]]

    async def test_a_hook_that_is_off_needs_a_person(self, bench: Bench) -> None:
        await bench.configure(is_on=False)
        with pytest.raises(NeedsHumanError, match="url|listening|activate"):
            await bench.send()
        assert await bench.events() == []

    async def test_a_full_queue_heals(self, bench: Bench) -> None:
        await bench.configure(is_full=True)
        with pytest.raises(TransientError):
            await bench.send()

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    async def test_what_heals_is_transient(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status, **({"retry_after": 7} if status == 429 else {}))
        with pytest.raises(TransientError) as caught:
            await bench.send()
        assert caught.value.retry_after == (7 if status == 429 else None)
        assert (await bench.send()).id == KEY

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    async def test_what_a_person_must_mend(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status)
        with pytest.raises(NeedsHumanError):
            await bench.send()

    async def test_what_is_too_large_there_is_permanent(self, bench: Bench) -> None:
        await bench.fault("status", status=413)
        with pytest.raises(PermanentError, match="tell of less"):
            await bench.send()

    async def test_what_is_too_large_is_not_sent(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match="tell of less"):
            await bench.send(data={"text": "x" * 16_000_000})
        assert await asyncio.to_thread(bench.sandbox.request_count, self.vendor.name) == 0

    @pytest.mark.parametrize("data", [{"x": object()}, {"x": "\ud800"}, {"x": {1, 2}}, {"x": 2**70}])
    async def test_what_is_no_json_is_permanent(self, bench: Bench, data: Any) -> None:
        with pytest.raises(PermanentError, match="cannot be written as JSON"):
            await bench.send(data=data)

    @pytest.mark.parametrize("event", ["", " ", "lead qualified", "lead.\r\nqualified", "x" * 201])
    async def test_an_event_has_a_name(self, bench: Bench, event: str) -> None:
        with pytest.raises(PermanentError, match="needs a name"):
            await bench.send(event)

    async def test_an_answer_that_is_no_json_changes_nothing(self, bench: Bench) -> None:
        await bench.fault("truncated")
        assert (await bench.send()).id == KEY

    @pytest.mark.parametrize(
        ("url", "words"),
        [
            ("", "whole address"),
            ("hooks", "whole address"),
            ("https://", "whole address"),
            ("https://hook.eu1.make.com:x/abc", "whole address"),
            ("http://hook.eu1.make.com/abc", "must begin with https"),
            ("ftp://hook.eu1.make.com/abc", "must begin with https"),
            ("file:///etc/passwd", "whole address"),
            ("https://user:pw@hook.eu1.make.com/abc", "without user, password"),
            ("https://hook.eu1.make.com/", "what follows the host"),
            ("https://hook.eu1.make.com/a b", "whole address"),
        ],
    )
    def test_an_address_is_whole_and_encrypted(self, url: str, words: str) -> None:
        with pytest.raises(ValidationError, match=words) as refused:
            self.vendor.settings(url=url)
        assert "user:pw" not in str(refused.value)

    @pytest.mark.parametrize("secret", ["", [], "plain", "whsec_", "whsec_!", "whsec_QUJD"])
    def test_a_secret_is_long_and_whole(self, secret: Any) -> None:
        with pytest.raises(ValidationError, match="secret"):
            self.vendor.settings(secret=secret)

    def test_what_a_repeat_does_is_said(self) -> None:
        assert self.vendor.connector.idempotency["layer.send_event"] == "none"
