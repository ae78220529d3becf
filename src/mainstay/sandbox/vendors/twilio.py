"""A simulator of Twilio's Messages resource."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlencode

from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import FORM, Json, Reply, Request, SettingError, answer

_VERSION = "2010-04-01"
_PATH = re.compile(rf"/{_VERSION}/Accounts/(AC[0-9a-fA-F]{{32}})/Messages(?:/((?:SM|MM)[0-9a-fA-F]{{32}}))?\.json")
_ACCOUNT = re.compile(rf"/{_VERSION}/Accounts/(AC[0-9a-fA-F]{{32}})\.json")
_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MOST_CHARS = 1600
_PAGE, _MOST_IN_A_PAGE = 50, 1000
# Twilio's own magic numbers, and what a message to or from them meets.
_TO = {
    "+15005550001": (21211, "Invalid 'To' Phone Number: +15005550001"),
    "+15005550002": (21612, "Message cannot be sent with the current combination of 'To' and 'From' parameters"),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region indicated by 'To'"),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient"),
    "+15005550009": (21614, "'To' number is not a valid mobile number: +15005550009"),
}
_FROM = {
    "+15005550001": (21212, "Invalid 'From' Phone Number: +15005550001"),
    "+15005550007": (21606, "The 'From' phone number is not a valid, SMS-capable phone number for this account"),
    "+15005550008": (21611, "This 'From' number has exceeded the maximum number of queued messages"),
}
_CODES = {401: 20003, 403: 20003, 404: 20404, 429: 20429, 500: 20500, 503: 20503}


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/twilio``.

    ``tokens`` lists the good auth tokens and API secrets (None: any), ``opted_out`` the numbers that texted STOP (error
    21610) and ``senders`` the account's numbers (None: any; others give error 21606). ``list_lag_ms`` is how far the
    list of messages stays behind the sending; ``trial`` puts Twilio's own words before each message.
    """

    tokens: list[str] | None = None
    opted_out: list[str] = field(default_factory=list)
    senders: list[str] | None = None
    list_lag_ms: int = 0
    trial: bool = False


class Twilio(Configurable):
    """Twilio's ``Messages.json``: create, fetch, list."""

    name = "twilio"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._messages: list[dict[str, Json]] = []
        self._made_at: list[float] = []

    def state(self) -> dict[str, Json]:
        """Return every message as Twilio shows it, oldest first, and the effects."""
        return {"messages": self._messages, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: what is in the account was sent."""
        raise SettingError(f"twilio has no {kind} to seed; tokens, senders and opted_out are settings")

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        found = _PATH.fullmatch(request.path) or _ACCOUNT.fullmatch(request.path)
        if found is None:
            return _error(404, 20404, f"The requested resource {request.path} was not found")
        account, sid = found[1], found[2] if found.re is _PATH else ""
        user, password = _basic(request)
        if not (user == account or user.startswith("SK")) or not token_is_good(password, self.settings.tokens):
            return _error(401, 20003, "Authenticate")
        if found.re is _ACCOUNT and request.method == "GET":
            names = {"friendly_name": "Sandbox", "status": "active", "type": "Full", "sid": account}
            return answer(200, {**names, "owner_account_sid": account, "uri": request.path})
        if request.method == "GET":
            return self._fetch(account, sid) if sid else self._list(account, dict(request.query))
        if request.method == "POST" and not sid:
            return self._create(account, request)
        return _error(405, 20004, "Method not allowed")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Twilio's error shape."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return _error(status, _CODES.get(status, 20001), "The request was refused.", headers)

    def _create(self, account: str, request: Request) -> Reply:
        form = request.form() if request.content_type == FORM else {}
        code, message = self._problem(form)
        if code:
            return _error(429 if code == 21611 else 400, code, message)
        sid = f"SM{self._ids.uuid('message').replace('-', '')}"
        now = format_datetime(datetime.now(UTC))
        service = form.get("MessagingServiceSid")
        body = ("Sent from your Twilio trial account - " if self.settings.trial else "") + form["Body"]
        uri = f"/{_VERSION}/Accounts/{account}/Messages/{sid}"
        made = {
            "account_sid": account,
            "api_version": _VERSION,
            "body": body,
            "date_created": now,
            "date_sent": None,
            "date_updated": now,
            "direction": "outbound-api",
            "error_code": None,
            "error_message": None,
            "from": form.get("From"),
            "messaging_service_sid": service,
            "num_media": "0",
            "num_segments": str(_segments(body)),
            "price": None,
            "price_unit": "USD",
            "sid": sid,
            "status": "accepted" if service else "queued",
            "subresource_uris": {"media": f"{uri}/Media.json"},
            "to": form["To"],
            "uri": f"{uri}.json",
        }
        self._made_at.append(time.monotonic())
        # On its way at once: what is asked for later was sent.
        self._messages.append(made | {"status": "sent", "date_sent": now})
        self._effects.add("message.sent", sid, request)
        return answer(201, made)

    def _problem(self, form: Mapping[str, str]) -> tuple[int, str]:
        to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
        senders = self.settings.senders
        problems = (
            (not to, (21604, "A 'To' phone number is required.")),
            (not sender and not form.get("MessagingServiceSid"), (21603, "A 'From' phone number is required.")),
            (not body, (21602, "Message body is required.")),
            (len(body) > _MOST_CHARS, (21617, f"The message body exceeds the {_MOST_CHARS} character limit")),
            (sender in _FROM, _FROM.get(sender)),
            (sender and senders is not None and sender not in senders, _FROM["+15005550007"]),
            (to in _TO, _TO.get(to)),
            (not _NUMBER.fullmatch(to), (21211, f"Invalid 'To' Phone Number: {to}")),
            (to in self.settings.opted_out, _TO["+15005550004"]),
        )
        return next((problem for is_so, problem in problems if is_so and problem), (0, ""))

    def _fetch(self, account: str, sid: str) -> Reply:
        for message in self._messages:
            if (message["account_sid"], message["sid"]) == (account, sid):
                return answer(200, message)
        return _error(404, 20404, f"The requested resource /Messages/{sid}.json was not found")

    def _list(self, account: str, query: Mapping[str, str]) -> Reply:
        """Return what is in an account, the newest first."""
        size, page = query.get("PageSize", str(_PAGE)), query.get("Page", "0")
        if not (size.isdigit() and page.isdigit()) or not 0 < int(size) <= _MOST_IN_A_PAGE:
            return _error(400, 20001, f"PageSize is from 1 to {_MOST_IN_A_PAGE}, and Page from 0")
        if any(name.startswith("DateSent") and not _DAY.match(value) for name, value in query.items()):
            return _error(400, 20001, "DateSent is a day: YYYY-MM-DD")
        horizon = time.monotonic() - self.settings.list_lag_ms / 1000
        known = [each for each, at in zip(self._messages, self._made_at, strict=True) if at <= horizon]
        found = [each for each in reversed(known) if each["account_sid"] == account and _is_meant(each, query)]
        start = int(page) * int(size)
        shown = found[start : start + int(size)]
        path = f"/{_VERSION}/Accounts/{account}/Messages.json"
        kept = {name: value for name, value in query.items() if name not in {"Page", "PageToken"}}

        def at(number: int) -> str:
            last = {"PageToken": f"PA{shown[-1]['sid']}"} if number > int(page) else {}
            return f"{path}?{urlencode({**kept, 'PageSize': size, 'Page': str(number), **last})}"

        has_more = len(found) > start + int(size)
        return answer(
            200,
            {
                "first_page_uri": at(0),
                "next_page_uri": at(int(page) + 1) if has_more else None,
                "previous_page_uri": at(int(page) - 1) if int(page) else None,
                "page": int(page),
                "page_size": int(size),
                "start": start,
                "end": max(start, start + len(shown) - 1),
                "uri": at(int(page)),
                "messages": shown,
            },
        )


def _basic(request: Request) -> tuple[str, str]:
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if kind.lower() == "basic" and password else ("", "invalid")


def _segments(body: str) -> int:
    """Count the parts that carriers send; Twilio's GSM-7 alphabet is taken for ASCII."""
    whole, part = (160, 153) if body.isascii() else (70, 67)
    return 1 if len(body) <= whole else -(-len(body) // part)


def _is_meant(message: Mapping[str, Json], query: Mapping[str, str]) -> bool:
    for name in ("To", "From"):
        if name in query and message[name.lower()] != query[name]:
            return False
    day = datetime.strptime(message["date_sent"], "%a, %d %b %Y %H:%M:%S %z").date().isoformat()
    return (
        query.get("DateSent", day)[:10] == day
        and day <= query.get("DateSent<", day)[:10]
        and day >= query.get("DateSent>", day)[:10]
    )


def _error(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return answer(status, {"code": code, "message": message, "more_info": more, "status": status}, headers)


SIMULATOR = Twilio
