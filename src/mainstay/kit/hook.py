"""Telling a no-code layer of an event, by a webhook that it listens at and that we sign by Standard Webhooks.

The address of such a hook is a credential: whoever has it can start what listens there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import SplitResult, parse_qsl, urlsplit
from uuid import uuid4

import orjson
from pydantic import Field, SecretStr, model_validator

from mainstay.errors import NeedsHumanError, PermanentError, TransientError, VendorError
from mainstay.kit import standard_webhooks
from mainstay.kit.connector import ConnectionSettings
from mainstay.kit.http import Http, HttpSettings, Response, classify
from mainstay.kit.roles.outcomes import Sent
from mainstay.kit.secrets import Secrets, plain

LEAST_KEY = 24
_KEY_HINT = 'echo "whsec_$(openssl rand -base64 32)"'
_GONE = frozenset({404, 410})
_TOO_LARGE = 413
_REDIRECTS = range(300, 400)
_OK_BELOW = 300
_EVENT = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
_NOT_IN_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f]")
_SHORTEST_SECRET = 6


class HookConnection(ConnectionSettings):
    """Keys of every connection to a hook; a connector adds what its vendor can ask for besides."""

    url: SecretStr = Field(description="The hook's whole address; it is a credential: keep it in .env.")
    secret: Secrets = Field(
        description="Signs by Standard Webhooks: whsec_ and base64; several while one replaces the other.",
        min_length=1,
    )

    @model_validator(mode="after")
    def _is_a_hook(self) -> Self:
        for name, address in (("url", self.url.get_secret_value()), ("base_url", self.base_url)):
            if address or name == "url":
                require_address(name, address)
        if not self.place.path.strip("/"):
            message = "url must be the hook's whole address, with what follows the host"
            raise ValueError(message)
        for secret in plain(self.secret):
            standard_webhooks.require_whole(secret)
            if not secret.startswith(standard_webhooks.PREFIX) or len(standard_webhooks.key_of(secret)) < LEAST_KEY:
                message = f"secret must be whsec_ and base64 of {LEAST_KEY} bytes or more; make one: {_KEY_HINT}"
                raise ValueError(message)
        return self

    @property
    def place(self) -> SplitResult:
        """Where the hook is; never log what this gives."""
        return urlsplit(self.url.get_secret_value())

    @property
    def is_local(self) -> bool:
        """Tell whether the hook is on this machine, as a test's is."""
        return _is_loopback(self.place.hostname or "")


def hook_settings(
    settings: HookConnection,
    judge: Callable[[Response], VendorError | None],
    *,
    headers: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
) -> HttpSettings:
    """Return how to reach a hook; of its address the host alone is ever recorded."""
    place = settings.place
    whole = _path(place).strip("/")
    said = (place.path.rstrip("/").rpartition("/")[2], *(value for _, value in parse_qsl(place.query)))
    parts = [part for part in said if len(part) >= _SHORTEST_SECRET]
    return HttpSettings(
        base_url=settings.base_url or f"{place.scheme}://{place.netloc}",
        headers=headers or {},
        secrets=(whole, place.path.strip("/"), *parts, *secrets),
        classify=judge,
    )


def classify_hook(response: Response, gone: str) -> VendorError | None:
    """Judge what a hook answers; ``gone`` is what to do where nothing listens there any more."""
    status = response.status
    if status in _REDIRECTS:
        text = f"{status}: the hook answers with a redirect, which is not followed; put the final address into url"
        return NeedsHumanError(text, status=status)
    refusal = classify(response)
    if status in _GONE:
        return NeedsHumanError(f"{refusal}; {gone}", status=status)
    if status == _TOO_LARGE:
        return PermanentError(f"{refusal}; tell of less in one event", status=status)
    return refusal


class HookLayer:
    """The role ``layer`` on a hook.

    ``max_bytes`` is the most that the vendor takes at once; ``headers`` are what the hook asks for besides.
    """

    def __init__(
        self, settings: HookConnection, http: Http, max_bytes: int, headers: Mapping[str, str] | None = None
    ) -> None:
        self._settings = settings
        self._http = http
        self._max_bytes = max_bytes
        self._headers = headers or {}

    async def send_event(self, event: str, data: Mapping[str, Any]) -> Sent:
        """Post ``{"event", "id", "data"}``; the id is also the header ``webhook-id``, the same for every try of a step.

        Raises:
            PermanentError: the event has no name, is no JSON, or is larger than the vendor takes.
        """
        if not _EVENT.fullmatch(event):
            raise PermanentError("the event needs a name without spaces, such as lead.qualified")
        message_id = self._http.idempotency_key or f"msg_{uuid4().hex}"
        try:
            body = orjson.dumps({"event": event, "id": message_id, "data": data})
        except TypeError as error:
            raise PermanentError(f"the event's data cannot be written as JSON: {error}") from None
        if len(body) > self._max_bytes:
            mega = self._max_bytes / 1_000_000
            raise PermanentError(f"the event has {len(body):,} bytes, and the hook takes {mega:g} MB: tell of less")
        signed = standard_webhooks.sign(plain(self._settings.secret), message_id, datetime.now(UTC), body)
        headers = {"Content-Type": "application/json", **self._headers, **signed}
        try:
            await self._http.request("POST", _path(self._settings.place), body=body, headers=headers)
        except TransientError as error:
            # Whoever builds a scenario writes its answer, too, and often as JSON that is none: it was taken.
            if error.status is None or error.status >= _OK_BELOW:
                raise
        return Sent(message_id)


def _path(place: SplitResult) -> str:
    return place.path + (f"?{place.query}" if place.query else "")


def require_address(name: str, address: str) -> None:
    """Check an address that a user gives: whole, https (http to this machine alone), without user, password and ``#``.

    Raises:
        ValueError: says what is wrong; the address is not quoted.
    """
    try:
        place = urlsplit(address)
        host, _ = place.hostname or "", place.port
    except ValueError:
        host, place = "", urlsplit("")
    if not host or _NOT_IN_ADDRESS.search(address):
        message = f"{name} must be a whole address, like https://hooks.example.com/abc123"
        raise ValueError(message)
    if place.scheme != "https" and not (place.scheme == "http" and _is_loopback(host)):
        message = f"{name} must begin with https://: what is sent there is personal"
        raise ValueError(message)
    if "@" in place.netloc or place.fragment:
        message = f"{name} must be without user, password and #"
        raise ValueError(message)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
