"""What every connector with the role ``chat`` or ``sms`` keeps, whatever its vendor; a new one subclasses and runs it.

::

    class TestConformance(SMSConformance):
        vendor = MessageVendor("twilio", CONNECTOR, {"auth_token": TOKEN}, texts, page=50)

The vendor is the sandbox's, over real HTTP. Each request of each test is held against the vendor's contract.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import aiohttp
import pytest

from mainstay.kit import Connector, Http, NeedsHumanError, Sent, TransientError, VendorError
from mainstay.sandbox import SandboxProcess
from tests.contracts.vendor_specs import validate_recorded

# Of hundreds that are alike the first tell as much.
MOST_HELD = 20
TOKEN = "sample-11111111-2222"
TEXT = "Hi Zoë 李 👍 „heute“ & <morgen>\nbis gleich"


@dataclass(frozen=True)
class MessageVendor:
    """What the suite asks about one vendor.

    ``texts`` are the messages that it holds, oldest first, as people see them; ``page`` is how many the look-up asks
    for at once.
    """

    name: str
    connector: Connector
    keys: Mapping[str, Any]
    texts: Callable[[Mapping[str, Any]], list[str]]
    page: int


@dataclass
class Bench:
    """One vendor, empty at the start, and attempts against it."""

    vendor: MessageVendor
    process: SandboxProcess
    session: aiohttp.ClientSession
    role: str
    operation: str
    to: str
    timeout: float = 5.0
    attempts: list[Http] = field(default_factory=list)

    def make(self, key: str = "run-1", **values: Any) -> Any:
        connector, name = self.vendor.connector, self.vendor.name
        assert connector.settings is not None
        assert connector.http is not None
        base = self.process.sandbox.url(name)
        given = {"connector": name, "base_url": base, **self.vendor.keys, **values}
        settings = connector.settings.model_validate(given)
        http = Http(self.session, replace(connector.http(settings), timeout=self.timeout), idempotency_key=key)
        self.attempts.append(http)
        return connector.roles[self.role](settings, http, None)

    async def send(self, text: str = TEXT, **values: Any) -> Sent:
        sent: Sent = await getattr(self.make(**values), self.operation)(self.to, text)
        return sent

    async def find(self, text: str = TEXT, key: str = "run-1") -> Sent | None:
        role = self.make(key)
        self.attempts[-1].tried_ago = 60.0
        found: Sent | None = await getattr(role, f"find_{self.operation}")(self.to, text)
        return found

    async def texts(self) -> list[str]:
        return self.vendor.texts(await asyncio.to_thread(self.process.sandbox.state, self.vendor.name))

    async def fault(self, kind: Any, **options: Any) -> None:
        await self.process.aio.set_fault(self.vendor.name, kind, **{"count": 1} | options)

    @property
    def promise(self) -> str:
        return self.vendor.connector.idempotency[f"{self.role}.{self.operation}"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


class MessageConformance:
    """The tests of both roles."""

    vendor: ClassVar[MessageVendor]
    role: ClassVar[str]
    operation: ClassVar[str]
    to: ClassVar[str]

    @pytest.fixture
    async def bench(self, sandbox: SandboxProcess) -> AsyncIterator[Bench]:
        await sandbox.aio.reset()
        async with aiohttp.ClientSession() as session:
            bench = Bench(self.vendor, sandbox, session, self.role, self.operation, self.to)
            yield bench
            with contextlib.suppress(pytest.skip.Exception):
                records = await sandbox.aio.requests(self.vendor.name)
                for record in [
                    *records[:MOST_HELD],
                    *(each for each in records[MOST_HELD:] if each["method"] == "GET"),
                ]:
                    validate_recorded(record)

    async def test_texts_of_any_script_arrive_whole_and_two_steps_send_two(self, bench: Bench) -> None:
        first, second = await bench.send(key="run-1"), await bench.send(key="run-2")

        assert first.id
        assert first.id != second.id
        assert await bench.texts() == [TEXT, TEXT]

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "truncated", "status_after"])
    async def test_a_lost_answer_is_unsure_and_the_message_is_found(self, bench: Bench, kind: str) -> None:
        bench.timeout = 1.0
        # A gateway that gave up on an answer says 502 of what was done.
        await bench.fault(kind, status=502, method="POST")
        with pytest.raises(TransientError) as lost:
            await bench.send()
        assert lost.value.unsure

        bench.timeout = 5.0
        assert bench.promise == "lookup"
        assert await bench.find() is not None
        assert len(await bench.texts()) == 1

    @pytest.mark.parametrize("kind", ["timeout_before", "drop_before", "reset"])
    async def test_a_message_that_was_not_taken_is_not_found(self, bench: Bench, kind: str) -> None:
        bench.timeout = 1.0
        await bench.fault(kind, method="POST")
        with pytest.raises(TransientError):
            await bench.send()

        bench.timeout = 5.0
        assert await bench.find() is None

    async def test_it_is_found_over_many_pages(self, bench: Bench) -> None:
        sent = await bench.send()
        await asyncio.gather(
            *(bench.send(f"later {number}", key=f"run-{number + 2}") for number in range(self.vendor.page + 3))
        )

        found = await bench.find()

        assert found is not None
        assert found.id == sent.id

    async def test_a_look_up_that_is_refused_leaves_the_doubt(self, bench: Bench) -> None:
        await bench.send()
        await bench.fault("status", status=503, method="GET")
        with pytest.raises(VendorError):
            await bench.find()

    async def test_what_heals_is_transient_and_a_pause_that_is_asked_for_is_kept(self, bench: Bench) -> None:
        await bench.fault("status", status=429, retry_after=7)
        with pytest.raises(TransientError) as caught:
            await bench.send()
        assert (caught.value.retry_after, caught.value.unsure) == (7, False)

        await bench.fault("status", status=503)
        with pytest.raises(TransientError):
            await bench.send()
        assert await bench.texts() == []

    async def test_access_that_was_revoked_needs_a_person_and_is_never_shown(self, bench: Bench) -> None:
        await bench.process.aio.configure(self.vendor.name, tokens=["another"])
        with pytest.raises(NeedsHumanError) as refused:
            await bench.send()

        shown = json.dumps([http.exchanges for http in bench.attempts]) + str(refused.value)
        assert TOKEN not in shown
        assert await bench.texts() == []

    @pytest.mark.parametrize("kind", ["html", "reshaped", "empty"])
    async def test_an_answer_of_another_form_is_no_success(self, bench: Bench, kind: str) -> None:
        await bench.fault(kind, method="POST")
        with pytest.raises(TransientError) as caught:
            await bench.send()
        assert caught.value.unsure


class ChatConformance(MessageConformance):
    """The role ``chat``."""

    role = "chat"
    operation = "post"
    to = "#leads"


class SMSConformance(MessageConformance):
    """The role ``sms``."""

    role = "sms"
    operation = "send"
    to = "+13125550147"
