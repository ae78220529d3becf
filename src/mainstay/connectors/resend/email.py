"""The e-mail role on Resend."""

from __future__ import annotations

from mainstay.connectors.resend.errors import ONLY_SENDS, classify_answer, name_of
from mainstay.connectors.resend.settings import ResendConnection
from mainstay.kit import EmailMessage, Http, HttpSettings, NeedsHumanError, Rate, RecordStore, Sent, TransientError
from mainstay.kit.roles import sender_domain

API = "https://api.resend.com"


def http_settings(settings: ResendConnection) -> HttpSettings:
    """Return how to reach Resend."""
    return HttpSettings.by_bearer(settings.base_url or API, settings.api_key, classify_answer)


def rates(_settings: ResendConnection) -> tuple[Rate, ...]:
    """Return what Resend takes of an account that has not asked for more."""
    return (Rate(2, 1),)


async def check(settings: ResendConnection, http: Http) -> str:
    """List the domains, and say whether the sender's is verified; a key that only sends may not see them."""
    domain = sender_domain(settings.sender)
    response = await http.request("GET", "/domains", accept=(401,))
    if response.status == 401:
        if name_of(response) == ONLY_SENDS:
            return f"Resend, by a key that only sends; whether {domain} is verified it may not see"
        raise classify_answer(response) or NeedsHumanError("401", status=401)
    known = response.data.get("data")
    if not isinstance(known, list):
        raise TransientError(f"{response.status}: the answer has no domains in it", status=response.status)
    states = {str(each.get("name")).casefold(): str(each.get("status")) for each in known if isinstance(each, dict)}
    state = states.get(domain.casefold())
    if state != "verified":
        found = f"is {state}" if state else "is not among its domains"
        raise NeedsHumanError(f"the key is good, but {domain} {found}: verify it under Domains, or correct `from`")
    return f"Resend, sending as {domain}"


def make_email(settings: ResendConnection, http: Http, _store: RecordStore | None = None) -> ResendEmail:
    """Build the role for one attempt."""
    return ResendEmail(settings, http)


class ResendEmail:
    """Sends by ``POST /emails``; Resend knows a repeat by its key."""

    def __init__(self, settings: ResendConnection, http: Http) -> None:
        self._settings = settings
        self._http = http

    async def send(self, message: EmailMessage) -> Sent:
        """Send one message; the id given back is Resend's."""
        message.require_sendable()
        body: dict[str, object] = {
            "from": self._settings.sender,
            "to": [message.to],
            "subject": message.subject,
            "text": message.text,
        }
        if message.html:
            body["html"] = message.html
        if message.reply_to:
            body["reply_to"] = message.reply_to
        key = self._http.idempotency_key
        headers = {"Idempotency-Key": key} if key else {}
        answer = (await self._http.request("POST", "/emails", json=body, headers=headers)).data
        return Sent(str(answer.get("id") or ""))
