"""The e-mail role on SendGrid."""

from __future__ import annotations

from email.utils import parseaddr
from typing import Any

from mainstay.connectors.sendgrid.errors import classify_answer
from mainstay.connectors.sendgrid.settings import SendgridConnection
from mainstay.kit import EmailMessage, Http, HttpSettings, PermanentError, RecordStore, Sent

API = "https://api.sendgrid.com"
KEY = "mainstay_key"


def http_settings(settings: SendgridConnection) -> HttpSettings:
    """Return how to reach SendGrid."""
    return HttpSettings.by_bearer(settings.base_url or API, settings.api_key, classify_answer)


async def check(settings: SendgridConnection, http: Http) -> str:
    """Have a mail judged and not sent (sandbox mode): key, permission and sender are."""
    address = parseaddr(settings.sender)[1]
    mail = _mail(settings, EmailMessage(to=address, subject="Is this connection good?", text="Never sent."))
    await http.request("POST", "/v3/mail/send", json={**mail, "mail_settings": {"sandbox_mode": {"enable": True}}})
    return f"SendGrid, sending as {address}"


def make_email(settings: SendgridConnection, http: Http, _store: RecordStore | None = None) -> SendgridEmail:
    """Build the role for one attempt."""
    return SendgridEmail(settings, http)


class SendgridEmail:
    """Sends by ``POST /v3/mail/send``."""

    def __init__(self, settings: SendgridConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def send(self, message: EmailMessage) -> Sent:
        """Send one message; the id given back is SendGrid's ``X-Message-Id``, with which its reports' ids begin."""
        message.require_sendable()
        if not message.subject.strip() or not (message.text or message.html):
            raise PermanentError("the e-mail has no subject or no text: SendGrid takes none without")
        mail = _mail(self._settings, message)
        if self._http.idempotency_key:
            mail["personalizations"][0]["custom_args"] = {KEY: self._http.idempotency_key}
        response = await self._http.request("POST", "/v3/mail/send", json=mail)
        return Sent(response.headers.get("x-message-id", ""))


def _mail(settings: SendgridConnection, message: EmailMessage) -> dict[str, Any]:
    name, address = parseaddr(settings.sender)
    parts = (("text/plain", message.text), ("text/html", message.html))
    mail: dict[str, Any] = {
        "personalizations": [{"to": [{"email": message.to}]}],
        "from": {"email": address, **({"name": name} if name else {})},
        "subject": message.subject,
        "content": [{"type": kind, "value": value} for kind, value in parts if value],
    }
    if message.reply_to:
        mail["reply_to"] = {"email": message.reply_to}
    return mail
