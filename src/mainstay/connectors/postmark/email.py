"""The e-mail role on Postmark."""

from __future__ import annotations

from hashlib import sha256

from pydantic import Field, SecretStr, field_validator

from mainstay.connectors.postmark.errors import classify_answer
from mainstay.kit import ConnectionSettings, EmailMessage, Http, HttpSettings, RecordStore, Sent, TransientError
from mainstay.kit.roles import sender_domain

API = "https://api.postmarkapp.com"
MAX_METADATA_CHARS = 80
KEY = "mainstay_key"


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


async def check(_settings: PostmarkConnection, http: Http) -> str:
    """Read the server that the token is of."""
    answer = (await http.request("GET", "/server")).data
    name = answer.get("Name") if isinstance(answer, dict) else None
    return f'the Postmark server "{name}"' if name else "a Postmark server"


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
        if self._http.idempotency_key:
            body["Metadata"] = {KEY: self._key()}
        answer = (await self._http.request("POST", "/email", json=body)).data
        return Sent(str(answer.get("MessageID") or ""))

    async def find_send(self, message: EmailMessage) -> Sent | None:  # noqa: ARG002 found by its metadata
        """Look for a message that an earlier try of this step left; None when Postmark does not have it."""
        response = await self._http.request(
            "GET",
            "/messages/outbound",
            params={
                "count": "1",
                "offset": "0",
                f"metadata_{KEY}": self._key(),
                "messagestream": self._settings.message_stream,
            },
        )
        found = response.data.get("Messages")
        if not isinstance(found, list):
            raise TransientError(f"{response.status}: the answer has no messages in it", status=response.status)
        return Sent(str(found[0].get("MessageID") or "")) if found else None

    def _key(self) -> str:
        key = self._http.idempotency_key
        return key if len(key) <= MAX_METADATA_CHARS else sha256(key.encode()).hexdigest()
