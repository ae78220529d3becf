"""The e-mail role on Postmark."""

from __future__ import annotations

from hashlib import sha256

from pydantic import Field, SecretStr, field_validator

from mainstay.connectors.postmark.errors import classify_answer
from mainstay.kit import ConnectionSettings, EmailMessage, Http, HttpSettings, RecordStore, Sent
from mainstay.kit.roles import sender_domain

API = "https://api.postmarkapp.com"
MAX_METADATA_CHARS = 80


class PostmarkConnection(ConnectionSettings):
    """``{ connector = "postmark", token = "${POSTMARK_TOKEN}", from = "hello@acme.example" }``."""

    token: SecretStr = Field(description="Server API token.", min_length=1)
    sender: str = Field(alias="from", description="A confirmed sender: an address, or Name <address>.")
    message_stream: str = Field("outbound", description="The message stream's id.", min_length=1)

    @field_validator("sender")
    @classmethod
    def _is_sender(cls, value: str) -> str:
        sender_domain(value)
        return value


def http_settings(settings: PostmarkConnection) -> HttpSettings:
    """Return how to reach Postmark."""
    token = settings.token.get_secret_value()
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={"X-Postmark-Server-Token": token},
        secrets=(token,),
        classify=classify_answer,
    )


def make_email(settings: PostmarkConnection, http: Http, _store: RecordStore | None = None) -> PostmarkEmail:
    """Build the role for one attempt."""
    return PostmarkEmail(settings, http)


class PostmarkEmail:
    """Sends by ``POST /email``."""

    def __init__(self, settings: PostmarkConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def send(self, message: EmailMessage) -> Sent:
        """Send one message; the id given back is Postmark's MessageID."""
        message.require_sendable()
        body: dict[str, object] = {
            "From": self._settings.sender,
            "To": message.to,
            "Subject": message.subject,
            "TextBody": message.text,
            "MessageStream": self._settings.message_stream,
        }
        if message.html:
            body["HtmlBody"] = message.html
        if message.reply_to:
            body["ReplyTo"] = message.reply_to
        key = self._http.idempotency_key
        if key:
            fits = len(key) <= MAX_METADATA_CHARS
            body["Metadata"] = {"mainstay_key": key if fits else sha256(key.encode()).hexdigest()}
        answer = (await self._http.request("POST", "/email", json=body)).data
        return Sent(str(answer.get("MessageID") or ""))
