"""The SMS role on Twilio."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from mainstay.connectors.twilio.errors import classify_answer
from mainstay.connectors.twilio.settings import TwilioConnection
from mainstay.kit import (
    Http,
    HttpSettings,
    NeedsHumanError,
    PermanentError,
    RecordStore,
    Response,
    Sent,
    TransientError,
)
from mainstay.kit.lookup import is_of_this_try, same_text
from mainstay.kit.roles import require_textable

API = "https://api.twilio.com"
PAGE = "50"
MOST_PAGES = 20
TRIAL = "Sent from your Twilio trial account - "


def http_settings(settings: TwilioConnection) -> HttpSettings:
    """Return how to reach Twilio."""
    user, password = settings.credentials
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    return HttpSettings(
        base_url=settings.base_url or API,
        headers={"Authorization": f"Basic {basic}"},
        secrets=(password, basic),
        classify=classify_answer,
    )


async def check(settings: TwilioConnection, http: Http) -> str:
    """Read the account."""
    answer = (await http.request("GET", f"/2010-04-01/Accounts/{settings.account_sid}.json")).data
    told = answer if isinstance(answer, dict) else {}
    if told.get("status", "active") != "active":
        raise NeedsHumanError(f"the Twilio account is {told['status']}: see to it in Twilio's console")
    return f'the Twilio account "{told.get("friendly_name") or settings.account_sid}"'


def make_sms(settings: TwilioConnection, http: Http, _store: RecordStore | None = None) -> TwilioSMS:
    """Build the role for one attempt."""
    return TwilioSMS(settings, http)


class TwilioSMS:
    """Sends by ``POST /Messages.json``."""

    def __init__(self, settings: TwilioConnection, http: Http) -> None:
        self._settings = settings
        self._http = http
        self._path = f"/2010-04-01/Accounts/{settings.account_sid}/Messages.json"

    async def send(self, to: str, text: str) -> Sent:
        """Send one message; the id given back is Twilio's message SID."""
        require_textable(to, text)
        form = {"To": to, "Body": text}
        if self._settings.sender:
            form["From"] = self._settings.sender
        else:
            form["MessagingServiceSid"] = self._settings.messaging_service_sid
        if self._settings.status_callback:
            form["StatusCallback"] = self._settings.status_callback
        answer = (await self._http.request("POST", self._path, form=form)).data
        return Sent(str(answer.get("sid") or ""))

    async def find_send(self, to: str, text: str) -> Sent | None:
        """Look for a message of this text to this number that is no older than this step's first try.

        By the day it was sent Twilio would leave out what it has not sent yet, so it is asked by recipient alone.
        """
        async for message, response in self._newest(to):
            if self._is_ours(message, text) and is_of_this_try(_made(message), response, self._http):
                return Sent(str(message.get("sid") or ""))
        return None

    async def _newest(self, to: str) -> AsyncIterator[tuple[Mapping[str, Any], Response]]:
        """Yield what was sent to a number, the newest first, down to the first page that is older than this step."""
        query = {"To": to, "PageSize": PAGE}
        for _ in range(MOST_PAGES):
            response = await self._http.request("GET", self._path, params=query)
            found = response.data.get("messages")
            if not isinstance(found, list):
                raise TransientError(f"{response.status}: the answer has no messages in it", status=response.status)
            messages = [each for each in found if isinstance(each, dict)]
            for message in messages:
                yield message, response
            following = str(response.data.get("next_page_uri") or "")
            if not following or not any(is_of_this_try(_made(each), response, self._http) for each in messages):
                return
            query = dict(parse_qsl(urlsplit(following).query))
        raise PermanentError(f"the message is not among the newest {MOST_PAGES * int(PAGE)} to this number")

    def _is_ours(self, message: Mapping[str, Any], text: str) -> bool:
        service = self._settings.messaging_service_sid
        key, sender = ("messaging_service_sid", service) if service else ("from", self._settings.sender)
        body = message.get("body")
        return message.get(key) == sender and isinstance(body, str) and same_text(body.removeprefix(TRIAL), text)


def _made(message: Mapping[str, Any]) -> str:
    """Return when Twilio took a message, as ISO 8601; empty where it does not say."""
    try:
        return parsedate_to_datetime(str(message.get("date_created"))).isoformat()
    except (TypeError, ValueError):
        return ""
