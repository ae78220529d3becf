"""The e-mail role on a mail server."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress
from email.message import EmailMessage as MimeMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid, parseaddr
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from mainstay.kit import EmailMessage, Http, HttpSettings, RecordStore, Sent, VendorError
from mainstay.kit.roles import sender_domain

if TYPE_CHECKING:
    import aiosmtplib

    from mainstay.connectors.smtp.settings import SmtpConnection

MAX_TEXT_STORED = 2_000
QUIT_TIMEOUT = 2.0
_ACCEPTED = 250


def http_settings(settings: SmtpConnection) -> HttpSettings:
    """Return the server's address and what must never be recorded; no call goes over HTTP."""
    host, port = settings.address
    return HttpSettings(base_url=f"smtp://{host}:{port}", secrets=(settings.password.get_secret_value(),))


async def check(settings: SmtpConnection, http: Http) -> str:
    """Greet the server and log in, and send nothing."""
    await SmtpEmail(settings, http).greet()
    return f"the mail server {settings.address[0]}" + (f", as {settings.username}" if settings.username else "")


def make_email(settings: SmtpConnection, http: Http, _store: RecordStore | None = None) -> SmtpEmail:
    """Build the role for one attempt."""
    return SmtpEmail(settings, http)


class SmtpEmail:
    """Sends one message over a connection of its own, in the time that a request over HTTP would have."""

    def __init__(self, settings: SmtpConnection, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._timeout = http.timeout

    async def send(self, message: EmailMessage) -> Sent:
        """Send one message; the id given back is its Message-ID, the same for every attempt of a step."""
        message.require_sendable()
        host, port = self._settings.address
        message_id = self._message_id()
        started = time.perf_counter()
        outcome: dict[str, Any] = {}
        try:
            outcome["response"] = await self._deliver(message, message_id)
            outcome["status"] = _ACCEPTED
        except VendorError as error:
            error.args = (self._http.redact(str(error)),)
            outcome |= {"error": str(error), **({"status": error.status} if error.status else {})}
            raise
        finally:
            self._http.record(
                method="SMTP",
                url=f"smtp://{host}:{port}",
                request={
                    "From": self._settings.sender,
                    "To": message.to,
                    "Subject": message.subject,
                    "Message-ID": message_id,
                    "text": self._http.redact(message.text)[:MAX_TEXT_STORED],
                },
                ms=round((time.perf_counter() - started) * 1000),
                **outcome,
            )
        return Sent(message_id)

    async def greet(self) -> None:
        """Connect, encrypt and log in as the settings say, then leave."""
        # Here, because a stack without this connection should not pay for the import.
        import aiosmtplib  # noqa: PLC0415

        from mainstay.connectors.smtp.errors import explain  # noqa: PLC0415

        client = self._client(aiosmtplib)
        refusal: VendorError | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await client.connect()
            with suppress(OSError, aiosmtplib.SMTPException):
                await client.quit(timeout=QUIT_TIMEOUT)
        except (OSError, TimeoutError, ValueError, aiosmtplib.SMTPException) as error:
            refusal = explain(error, sending=False, timeout=self._timeout)
            refusal.args = (self._http.redact(str(refusal)),)
        finally:
            client.close()
        # Raised outside the handler, so that no traceback shows the library's own text, which names whole addresses.
        if refusal is not None:
            raise refusal

    async def _deliver(self, message: EmailMessage, message_id: str) -> str:
        # Here, because a stack without this connection should not pay for the import.
        import aiosmtplib  # noqa: PLC0415

        from mainstay.connectors.smtp.errors import explain  # noqa: PLC0415

        client = self._client(aiosmtplib)
        sending = False
        refusal: VendorError
        try:
            async with asyncio.timeout(self._timeout):
                mime = self._compose(message, message_id)
                await client.connect()
                sending = True
                _, answer = await client.send_message(mime, sender=parseaddr(self._settings.sender)[1])
        except (OSError, TimeoutError, ValueError, aiosmtplib.SMTPException) as error:
            refusal = explain(error, sending=sending, timeout=self._timeout)
        else:
            # The server has answered for the message: whatever becomes of the farewell changes nothing.
            with suppress(OSError, aiosmtplib.SMTPException):
                await client.quit(timeout=QUIT_TIMEOUT)
            return answer
        finally:
            client.close()
        # Raised outside the handler, so that no traceback shows the library's own text, which names whole addresses.
        raise refusal

    def _client(self, library: Any) -> aiosmtplib.SMTP:
        settings = self._settings
        host, port = settings.address
        client: aiosmtplib.SMTP = library.SMTP(
            hostname=host,
            port=port,
            username=settings.username or None,
            password=settings.password.get_secret_value() or None,
            use_tls=settings.security == "tls",
            start_tls=settings.security == "starttls",
            # The library's own default asks the DNS for this machine's name, which can take seconds.
            local_hostname=socket.gethostname() or "localhost",
            timeout=self._timeout,
        )
        return client

    def _compose(self, message: EmailMessage, message_id: str) -> MimeMessage:
        mime = MimeMessage(policy=SMTP)
        mime["From"] = self._settings.sender
        mime["To"] = message.to
        mime["Subject"] = message.subject
        mime["Date"] = format_datetime(localtime())
        mime["Message-ID"] = message_id
        if message.reply_to:
            mime["Reply-To"] = message.reply_to
        mime.set_content(message.text)
        if message.html:
            mime.add_alternative(message.html, subtype="html")
        return mime

    def _message_id(self) -> str:
        domain = sender_domain(self._settings.sender)
        key = self._http.idempotency_key
        return f"<{sha256(key.encode()).hexdigest()[:32]}@{domain}>" if key else make_msgid(domain=domain)
