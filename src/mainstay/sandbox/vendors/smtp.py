"""A small SMTP server that keeps every mail it accepts (RFC 5321 without TLS)."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from email import message_from_bytes, policy

from mainstay.sandbox.faults import DONE, Armed, Fault, Faults
from mainstay.sandbox.state import Configurable, Effects
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, now_iso

_PATH = re.compile(r"(?:FROM|TO):\s*<([^>]*)>", re.IGNORECASE)
_LARGEST = 26_214_400


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/smtp``.

    ``require_auth`` refuses MAIL before AUTH; ``refused`` are recipients that get 550, ``deferred`` ones get 451.
    """

    require_auth: bool = False
    refused: list[str] | None = None
    deferred: list[str] | None = None


class Smtp(Configurable):
    """The mails that the SMTP server took, kept like any other vendor's records."""

    name = "smtp"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._effects = Effects()
        self._messages: list[dict[str, Json]] = []

    def state(self) -> dict[str, Json]:
        """Return the mails ``{from, to, message_id, subject, headers, text, html, at}`` and the effects."""
        return {"messages": self._messages, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: a mail server has no records to seed."""
        raise SettingError(f"smtp has no {kind} to seed")

    def handle(self, request: Request) -> Reply:  # noqa: ARG002
        """Say that mail does not come over HTTP."""
        return Reply(404, b'{"error":"mail is taken on the SMTP port"}')

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return the bare status."""
        return Reply(status)

    def keep(self, sender: str, recipients: list[str], raw: bytes) -> str:
        """Keep one mail and return the queue id."""
        mail = message_from_bytes(raw, policy=policy.default)
        queue_id = f"{len(self._messages) + 1:08d}"
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        message_id = str(mail.get("Message-ID", ""))
        self._messages.append(
            {
                "id": queue_id,
                "from": sender,
                "to": recipients,
                "message_id": message_id,
                "subject": str(mail.get("Subject", "")),
                "headers": {name: str(value) for name, value in mail.items()},
                "text": text.get_content() if text else None,
                "html": html.get_content() if html else None,
                "at": now_iso(),
            }
        )
        self._effects.note("mail.sent", queue_id, {"Message-ID": message_id} if message_id else {}, raw)
        return queue_id


class SmtpSession:
    """One connection."""

    def __init__(
        self, vendor: Smtp, faults: Faults, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve ``reader`` and ``writer``; faults are asked at MAIL and after DATA."""
        self._vendor = vendor
        self._faults = faults
        self._reader = reader
        self._writer = writer
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._authenticated = False

    async def run(self) -> None:
        """Talk until the client quits, goes away or a fault closes the line."""
        try:
            await self._say("220 sandbox.mainstay ESMTP")
            while line := await self._reader.readline():
                verb, _, rest = line.decode("utf-8", "replace").strip().partition(" ")
                if not await self._command(verb.upper(), rest):
                    break
        except (ConnectionError, asyncio.LimitOverrunError, ValueError):
            pass
        finally:
            self._writer.close()

    async def _command(self, verb: str, rest: str) -> bool:
        match verb:
            case "EHLO":
                await self._say(f"250-sandbox.mainstay\r\n250-SIZE {_LARGEST}\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN")
            case "HELO":
                await self._say("250 sandbox.mainstay")
            case "AUTH":
                await self._auth(rest)
            case "MAIL":
                return await self._mail(rest)
            case "RCPT":
                await self._rcpt(rest)
            case "DATA":
                return await self._data()
            case "RSET":
                self._sender, self._recipients = None, []
                await self._say("250 OK")
            case "NOOP":
                await self._say("250 OK")
            case "QUIT":
                await self._say("221 Bye")
                return False
            case _:
                await self._say("502 Command not implemented")
        return True

    async def _auth(self, rest: str) -> None:
        mechanism, _, initial = rest.partition(" ")
        prompts = {"LOGIN": ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"], "PLAIN": [""]}.get(mechanism.upper())
        if prompts is None:
            await self._say("504 Unrecognized authentication type")
            return
        for prompt in prompts[1:] if initial else prompts:
            await self._say(f"334 {prompt}")
            await self._reader.readline()
        self._authenticated = True
        await self._say("235 Authentication successful")

    async def _mail(self, rest: str) -> bool:
        found = _PATH.match(rest)
        if self._vendor.settings.require_auth and not self._authenticated:
            await self._say("530 Authentication required")
        elif found is None:
            await self._say("501 Syntax: MAIL FROM:<address>")
        else:
            wait, struck = self._faults.strike("smtp", "MAIL", "")
            if wait:
                await asyncio.sleep(wait / 1000)
            if struck is not None and not await self._recovers(struck):
                return await self._fail(struck.fault)
            self._sender, self._recipients = found[1], []
            await self._say("250 OK")
        return True

    async def _rcpt(self, rest: str) -> None:
        found = _PATH.match(rest)
        if self._sender is None:
            await self._say("503 MAIL first")
        elif found is None or "@" not in found[1]:
            await self._say("501 Syntax: RCPT TO:<address>")
        elif found[1] in (self._vendor.settings.refused or ()):
            await self._say("550 No such user")
        elif found[1] in (self._vendor.settings.deferred or ()):
            await self._say("451 Try again later")
        else:
            self._recipients.append(found[1])
            await self._say("250 OK")

    async def _data(self) -> bool:
        if self._sender is None or not self._recipients:
            await self._say("503 RCPT first")
            return True
        await self._say("354 End with <CRLF>.<CRLF>")
        lines: list[bytes] = []
        while (line := await self._reader.readline()) not in {b".\r\n", b".\n"}:
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        wait, struck = self._faults.strike("smtp", "DATA", "", b"".join(lines))
        if wait:
            await asyncio.sleep(wait / 1000)
        done = struck is None or struck.fault.kind in DONE
        queue_id = self._vendor.keep(self._sender, self._recipients, b"".join(lines)) if done else ""
        self._sender, self._recipients = None, []
        if struck is not None and not await self._recovers(struck):
            return await self._fail(struck.fault)
        await self._say(f"250 OK queued as {queue_id}")
        return True

    @staticmethod
    async def _recovers(struck: Armed) -> bool:
        """Tell whether the usual answer comes all the same, once it is no longer held back."""
        if struck.fault.kind == "hold":
            await struck.cleared.wait()
        elif struck.fault.kind == "drip":
            await asyncio.sleep(struck.fault.hold_ms / 1000)
        return struck.fault.kind in {"hold", "drip"}

    async def _fail(self, fault: Fault) -> bool:
        """Do what the fault says; true when the session goes on."""
        match fault.kind:
            case "status" | "status_after" if fault.status >= 500:
                await self._say(f"{fault.status} Refused")
                return True
            case "status" | "status_after":
                await self._say(f"{fault.status} Try again later")
                return fault.status != 421
            case "timeout_before" | "timeout_after":
                await asyncio.sleep(fault.hold_ms / 1000)
            case "html" | "empty" | "reshaped":
                await self._say("<html>")
            case "truncated":
                self._writer.write(b"25")
                await self._writer.drain()
            case _:
                pass  # The line is closed without a word.
        self._writer.transport.abort()
        return False

    async def _say(self, line: str) -> None:
        self._writer.write(line.encode() + b"\r\n")
        await self._writer.drain()
