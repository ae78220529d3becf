"""What every connector with the role ``email`` keeps, whatever its vendor; a new one subclasses and runs the same.

::

    class TestConformance(EmailConformance):
        vendor = EmailVendor("resend", CONNECTOR, {"api_key": TOKEN}, mails)

The vendor is the sandbox's, over real HTTP or SMTP. Each request over HTTP is held against the vendor's contract.
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
from pydantic import ValidationError

from mainstay.kit import (
    Connector,
    EmailMessage,
    Http,
    NeedsHumanError,
    PermanentError,
    Sent,
    TransientError,
    VendorError,
)
from mainstay.sandbox import SandboxProcess
from tests.contracts.vendor_specs import validate_recorded

TOKEN = "sample-11111111-2222"
SENDER = '"Rohre & Söhne, Zoë" <hello@acme.example>'
MAIL = EmailMessage("sarah@example.com", "Grüße 👍 „heute“", "Hi Zoë 李,\nbis gleich.\n")


@dataclass(frozen=True)
class Mail:
    """A mail as the vendor holds it, in our words."""

    to: str
    sender: str
    subject: str
    text: str
    html: str = ""
    reply_to: str = ""


@dataclass(frozen=True)
class EmailVendor:
    """What the suite asks about one vendor; ``by_http`` is False for one that is spoken to otherwise."""

    name: str
    connector: Connector
    keys: Mapping[str, Any]
    mail: Callable[[Mapping[str, Any]], Mail]
    by_http: bool = True

    def settings(self, base_url: str, **values: Any) -> Any:
        assert self.connector.settings is not None
        return self.connector.settings.model_validate(
            {"connector": self.name, "base_url": base_url, "from": SENDER, **self.keys, **values}
        )


@dataclass
class Bench:
    """One vendor, empty at the start, and attempts against it."""

    vendor: EmailVendor
    process: SandboxProcess
    session: aiohttp.ClientSession
    timeout: float = 5.0
    attempts: list[Http] = field(default_factory=list)

    def role(self, key: str = "run-1", **values: Any) -> Any:
        connector = self.vendor.connector
        base = (
            self.process.sandbox.url(self.vendor.name)
            if self.vendor.by_http
            else f"smtp://127.0.0.1:{self.process.smtp_port}"
        )
        settings = self.vendor.settings(base, **values)
        assert connector.http is not None
        http = Http(self.session, replace(connector.http(settings), timeout=self.timeout), idempotency_key=key)
        self.attempts.append(http)
        return connector.roles["email"](settings, http, None)

    async def send(self, mail: EmailMessage = MAIL, **values: Any) -> Sent:
        sent: Sent = await self.role(**values).send(mail)
        return sent

    async def again(self, mail: EmailMessage = MAIL) -> None:
        """Do what the engine does after a try in doubt: look where it can be looked, then send."""
        role = self.role()
        self.attempts[-1].tried_ago = 60.0
        if self.vendor.connector.idempotency["email.send"] == "lookup" and await role.find_send(mail):
            return
        await self.send(mail)

    async def mails(self) -> list[Mail]:
        kept = await asyncio.to_thread(self.process.sandbox.messages, self.vendor.name)
        return [self.vendor.mail(each) for each in kept]

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(
            lambda: self.process.sandbox.set_fault(self.vendor.name, kind, **{"count": 1} | options)
        )


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


class EmailConformance:
    """The tests."""

    vendor: ClassVar[EmailVendor]

    @pytest.fixture
    async def bench(self, sandbox: SandboxProcess) -> AsyncIterator[Bench]:
        await sandbox.aio.reset()
        async with aiohttp.ClientSession() as session:
            bench = Bench(self.vendor, sandbox, session)
            yield bench
            if self.vendor.by_http:
                with contextlib.suppress(pytest.skip.Exception):
                    for record in await asyncio.to_thread(sandbox.sandbox.requests, self.vendor.name):
                        validate_recorded(record)

    async def test_a_mail_arrives_whole(self, bench: Bench) -> None:
        sent = await bench.send(replace(MAIL, html="<p>Hi Zoë 李</p>\n", reply_to="dana@acme.example"))
        assert sent.id
        (mail,) = await bench.mails()
        assert mail == Mail(
            "sarah@example.com",
            "hello@acme.example",
            MAIL.subject,
            MAIL.text,
            "<p>Hi Zoë 李</p>\n",
            "dana@acme.example",
        )

    async def test_a_plain_mail_has_no_other_parts(self, bench: Bench) -> None:
        await bench.send()
        assert await bench.mails() == [Mail("sarah@example.com", "hello@acme.example", MAIL.subject, MAIL.text)]

    async def test_two_steps_send_two_mails(self, bench: Bench) -> None:
        first, second = await bench.send(key="run-1"), await bench.send(key="run-2")
        assert first.id != second.id
        assert len(await bench.mails()) == 2

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after"])
    async def test_a_lost_answer_leaves_one_mail_or_says_so(self, bench: Bench, kind: str) -> None:
        bench.timeout = 1.0
        # Over SMTP a mail is taken with its last part.
        await bench.fault(kind, **({} if self.vendor.by_http else {"method": "DATA"}))
        with pytest.raises(TransientError) as lost:
            await bench.send()
        assert lost.value.unsure
        await bench.again()
        count = len(await bench.mails())
        assert count == (2 if self.vendor.connector.idempotency["email.send"] == "none" else 1)

    @pytest.mark.parametrize("kind", ["timeout_before", "drop_before"])
    async def test_a_mail_that_was_not_taken_is_sent_then(self, bench: Bench, kind: str) -> None:
        bench.timeout = 1.0
        await bench.fault(kind)
        with pytest.raises(TransientError):
            await bench.send()
        await bench.again()
        assert len(await bench.mails()) == 1

    @pytest.mark.parametrize("status", [429, 500, 503])
    async def test_what_heals_is_transient(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status if self.vendor.by_http else 421)
        with pytest.raises(TransientError):
            await bench.send()
        await bench.send()
        assert len(await bench.mails()) == 1

    async def test_a_pause_that_is_asked_for_is_kept(self, bench: Bench) -> None:
        if not self.vendor.by_http:
            return
        await bench.fault("status", status=429, retry_after=7)
        with pytest.raises(TransientError) as caught:
            await bench.send()
        assert caught.value.retry_after == 7

    async def test_a_refused_token_needs_a_person_and_is_never_shown(self, bench: Bench) -> None:
        await bench.fault("status", status=401 if self.vendor.by_http else 535)
        with pytest.raises(NeedsHumanError) as refused:
            await bench.send()
        shown = json.dumps([http.exchanges for http in bench.attempts]) + str(refused.value)
        assert TOKEN not in shown
        assert "sarah@example.com" not in shown

    @pytest.mark.parametrize("kind", ["html", "reshaped", "empty", "truncated"])
    async def test_an_answer_of_another_form_is_an_error_of_ours(self, bench: Bench, kind: str) -> None:
        if not self.vendor.by_http:
            return
        await bench.fault(kind)
        with contextlib.suppress(VendorError):
            assert isinstance(await bench.send(), Sent)

    @pytest.mark.parametrize(
        "mail",
        [
            replace(MAIL, to="a@example.com, b@example.com"),
            replace(MAIL, to=""),
            replace(MAIL, subject="Hi\r\nBcc: all@example.com"),
            replace(MAIL, reply_to="Dana <dana@acme.example>"),
        ],
    )
    async def test_what_would_slip_something_in_is_not_sent(self, bench: Bench, mail: EmailMessage) -> None:
        with pytest.raises(PermanentError):
            await bench.send(mail)
        assert await bench.mails() == []

    @pytest.mark.parametrize("sender", ["", "hello", "a@b.example, c@b.example", "a@b.example\nBcc: c@d.example"])
    def test_a_sender_is_one_address(self, sender: str) -> None:
        with pytest.raises(ValidationError, match="is no sender"):
            self.vendor.settings("", **{"from": sender})

    def test_what_a_repeat_does_is_said(self) -> None:
        says = self.vendor.connector.idempotency["email.send"]
        assert says in {"key", "lookup", "none"}
        assert self.vendor.connector.lookup_after > 0
