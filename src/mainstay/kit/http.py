"""The only way to a vendor: one HTTP client with limits, error mapping and a redacted record of each exchange."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson

from mainstay.errors import NeedsHumanError, PermanentError, TransientError, VendorError
from mainstay.kit.oauth import Access
from mainstay.kit.redaction import MAX_STORED_CHARS, Redactor
from mainstay.telemetry import span, traceparent

if TYPE_CHECKING:
    from pydantic import SecretStr

MAX_RESPONSE_BYTES = 5_000_000
MAX_RETRY_AFTER = 86_400.0
DEFAULT_TIMEOUT = 20.0
_OK_BELOW = 300
_REFUSED = 400
_PORTION = 1 << 20
_SERVER_ERROR = 500
_UNAUTHORISED = 401
_HUMAN = frozenset({401, 402, 403})
_TRANSIENT = frozenset({408, 423, 425, 429})
# A gateway gave up on an answer, or a server broke in the middle: the effect may stand. 520 and 524 are Cloudflare's,
# which stands before several vendors; its other 52x never reached the server.
_UNSURE = frozenset({500, 502, 504, 520, 524})


Session = aiohttp.ClientSession


def open_session(limit: int = 100) -> Session:
    """Open the connection pool that every :class:`Http` of a process shares; at most ``limit`` connections at once.

    Vendors' cookies are dropped: the pool serves many workspaces, and one's cookie must not travel with another's call.
    """
    tracing = aiohttp.TraceConfig()
    tracing.on_request_headers_sent.append(_leaves)
    tracing.on_request_chunk_sent.append(_leaves)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=limit, ttl_dns_cache=60),
        trace_configs=[tracing],
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "mainstay"},
    )


class _Leave:
    """Asks, with nothing between the answer and the wire, whether a request may leave; keeps the refusal.

    The process may have been paused since the first time it asked: while it connected, or between two turns of its
    loop. The library tells of both of its signals before it writes.
    """

    def __init__(self, before_call: Callable[[], Awaitable[None]]) -> None:
        self._before_call = before_call
        self.refusal: Exception | None = None

    async def ask(self) -> None:
        try:
            await self._before_call()
        except Exception as error:
            # What is raised while a body is written comes out as a connection that broke.
            self.refusal = error
            raise


async def _leaves(
    _session: Session,
    context: Any,
    _params: aiohttp.TraceRequestHeadersSentParams | aiohttp.TraceRequestChunkSentParams,
) -> None:
    leave = context.trace_request_ctx
    if leave is not None:
        await leave.ask()


@dataclass(frozen=True, slots=True)
class Response:
    """A vendor's answer. ``headers`` has lower-case names; ``data`` is the decoded JSON, or None."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    data: Any = None

    @property
    def moment(self) -> datetime:
        """When the vendor answered, by its own clock (``Date``); by ours where it says none."""
        try:
            told = parsedate_to_datetime(self.headers.get("date", ""))
        except (TypeError, ValueError):
            return datetime.now(UTC)
        return told.replace(tzinfo=told.tzinfo or UTC)

    @property
    def retry_after(self) -> float | None:
        """Seconds of ``Retry-After`` (number or HTTP date), a day at most; None when there is none or no such."""
        value = self.headers.get("retry-after", "").strip()
        if not value:
            return None
        try:
            seconds = float(value)
        except ValueError:
            try:
                moment = parsedate_to_datetime(value)
                seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
            except (TypeError, ValueError, OverflowError):
                return None
        return None if math.isnan(seconds) else min(max(0.0, seconds), MAX_RETRY_AFTER)


def classify(response: Response) -> VendorError | None:
    """Give the common fate of a status: 429, 408, 423, 425 and 5xx are transient, 401, 402 and 403 need a human.

    None for 2xx; any other is permanent. A connector whose vendor says otherwise wraps this.
    """
    status = response.status
    if status < _OK_BELOW:
        return None
    message = f"{status}: {_summary(response)}"
    if status in _HUMAN:
        return NeedsHumanError(message, status=status)
    if status in _TRANSIENT or status >= _SERVER_ERROR:
        return TransientError(message, status=status, retry_after=response.retry_after, unsure=status in _UNSURE)
    return PermanentError(message, status=status)


def _summary(response: Response) -> str:
    if isinstance(response.data, dict):
        for key in ("message", "Message", "error", "detail", "title"):
            value = response.data.get(key)
            if isinstance(value, dict):
                value = value.get("message")
            if isinstance(value, list):
                value = "; ".join(map(str, value))
            if value:
                return str(value)[:300]
    return response.body[:200].decode(errors="replace") or "empty answer"


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """How a connection reaches its vendor.

    ``secrets`` are values that must never be recorded, wherever they appear. ``timeout`` is in seconds for one call.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: Sequence[str] = field(default=(), repr=False)
    classify: Callable[[Response], VendorError | None] = classify
    timeout: float = DEFAULT_TIMEOUT

    @classmethod
    def by_bearer(cls, base_url: str, key: SecretStr, judge: Callable[[Response], VendorError | None]) -> HttpSettings:
        """Return how to reach a vendor that takes one fixed key as ``Authorization: Bearer``."""
        plain = key.get_secret_value()
        return cls(base_url, {"Authorization": f"Bearer {plain}"}, secrets=(plain,), classify=judge)


class Http:
    """The client of one attempt: it knows its connection and records what it did.

    Attributes:
        idempotency_key: the same for each attempt of one step of one run; connectors send it where a vendor takes one.
        tried_ago: seconds since an earlier attempt of this step may first have reached the vendor, for a look-up.
        exchanges: requests and responses so far, redacted, oldest first.
        authorize: awaited before each call of a connection by OAuth: gives a token of now. It is told which token a
            vendor has refused, so that it gets a new one; empty for none.
        access: what ``authorize`` gave last.
        pay: awaited at the beginning of each request; uses a call of the connection's budget.
        before_call: awaited before each call, and again right before it leaves; what it raises ends the attempt.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: HttpSettings,
        *,
        idempotency_key: str = "",
    ) -> None:
        self._session = session
        self._settings = settings
        self._redact = Redactor(settings.secrets)
        # Half of it at most goes into getting a connection (a place in the pool, the name, the handshakes): so a
        # time-out there is told from one after the request left.
        self._timeout = aiohttp.ClientTimeout(total=settings.timeout, connect=settings.timeout / 2)
        self.idempotency_key = idempotency_key
        self.tried_ago = 0.0
        self.exchanges: list[dict[str, Any]] = []
        self.authorize: Callable[[str], Awaitable[Access]] | None = None
        self.access = Access("")
        self._tokens: set[str] = set()
        self.pay: Callable[[], Awaitable[None]] | None = None
        self.before_call: Callable[[], Awaitable[None]] | None = None

    @property
    def timeout(self) -> float:
        """How long one call may take, in seconds; of a connector that speaks otherwise than by HTTP, too."""
        return self._settings.timeout

    def redact(self, text: str) -> str:
        """Mask this connection's secrets, e-mails and phone numbers in a text of the connector's own."""
        return self._redact.text(text)

    def record(self, **entry: Any) -> None:
        """Add an exchange that did not go over HTTP (SMTP, say), masked, with the keys that HTTP ones have.

        They are ``method``, ``url``, ``request``, ``ms`` and, as far as it came, ``status``, ``response``, ``error``.
        """
        self.exchanges.append(self._redact.value(entry))

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[int] = (),
    ) -> Response:
        """Make one call.

        Args:
            method: HTTP method.
            path: path below the connection's base address, with its leading slash; empty for the base itself.
            json: body to send as JSON.
            form: body to send form-encoded.
            body: body to send as it is; ``headers`` says of what type.
            params: query parameters; as pairs where a name comes several times.
            headers: headers of this call alone.
            accept: statuses of 300 and above that the caller handles itself.

        Raises:
            VendorError: by the connection's error mapping; when the connection breaks or times out after the request
                left, ``unsure``. Its text is masked like an exchange.
        """
        await self.enter()
        data = body
        sent: Any = None
        send = {"Accept": "application/json", **self._settings.headers, **(headers or {})}
        if json is not None:
            data = orjson.dumps(json)
            sent = self._redact.value(json) if len(data) <= MAX_STORED_CHARS else self._redact.body(data)
            send.setdefault("Content-Type", "application/json")
        elif form is not None:
            sent = self._redact.value(form)
        elif body is not None:
            sent = self._redact.body(body)
        pairs = list(params.items()) if isinstance(params, Mapping) else params
        shown = "?" + self._redact.loose("&".join(f"{key}={value}" for key, value in pairs)) if pairs else ""

        async def exchange() -> Response:
            # The wait for the budget is not the vendor's time, so it lies outside the time-out.
            if self.pay is not None:
                await self.pay()
            url = (self.access.base_url or self._settings.base_url).rstrip("/") + path
            entry: dict[str, Any] = {"method": method, "url": self._redact.text(url) + shown, "request": sent}
            self.exchanges.append(entry)
            if self.before_call is not None:
                await self.before_call()
            # A form can be sent but once.
            content = _portioned(data) if form is None else aiohttp.FormData(dict(form))
            with span(method, {"http.request.method": method, "url.full": entry["url"]}, "client") as current:
                told = {"traceparent": parent} if (parent := traceparent()) else {}
                headers = send | self._entry() | told
                response = await self._exchange(entry, method, url, data=content, params=pairs, headers=headers)
                current.note({"http.response.status_code": response.status})
                if response.status >= _REFUSED:
                    current.fail(str(response.status))
                return response

        response = await exchange()
        if response.status == _UNAUTHORISED and self.authorize is not None:
            # The token ended before its time. Such a call did nothing, so it may be made again with a new one.
            await self._authorize(self.access.token)
            response = await exchange()
        if response.status in accept:
            return response
        refusal = self._settings.classify(response)
        if refusal is not None:
            refusal.args = (self._redact.text(str(refusal)),)
            raise refusal
        return response

    async def enter(self) -> Access:
        """Return ``access`` before the first call, for a connector whose paths or bodies need its facts.

        Raises:
            VendorError: as ``authorize`` does.
        """
        if not self.access.token:
            await self._authorize("")
        return self.access

    async def _authorize(self, refused: str) -> None:
        if self.authorize is not None:
            self.access = await self.authorize(refused)
            # A vendor may answer with it.
            self._tokens.add(self.access.token)
            self._redact = Redactor((*self._settings.secrets, *self._tokens))

    def _entry(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.access.token}"} if self.access.token else {}

    async def _exchange(self, entry: dict[str, Any], method: str, url: str, **options: Any) -> Response:
        started = time.perf_counter()
        leave = _Leave(self.before_call) if self.before_call is not None else None
        error: VendorError
        try:
            async with self._session.request(
                method,
                url,
                allow_redirects=False,
                timeout=self._timeout,
                trace_request_ctx=leave,
                **options,
            ) as answer:
                content = await answer.content.read(MAX_RESPONSE_BYTES + 1)
                while not answer.content.at_eof() and len(content) <= MAX_RESPONSE_BYTES:
                    content += await answer.content.read(MAX_RESPONSE_BYTES + 1 - len(content))
                status = answer.status
                headers = {name.lower(): value for name, value in answer.headers.items()}
        except aiohttp.ConnectionTimeoutError:
            error = TransientError(f"could not connect within {self._timeout.connect:g} s")
        except aiohttp.ClientConnectorError as cause:
            error = TransientError(f"could not connect: {cause}")
        except TimeoutError:
            error = TransientError(f"no answer within {self._settings.timeout:g} s", unsure=True)
        except (ValueError, aiohttp.NonHttpUrlClientError) as cause:
            # aiohttp refuses the address or a header before it connects; its text may quote the secret.
            what = "the address" if isinstance(cause, aiohttp.ClientError) else "a header"
            error = NeedsHumanError(f"the call cannot be made: {what} is not valid; check the connection in stack.toml")
        except (aiohttp.ClientError, OSError) as cause:
            text = cause.message if isinstance(cause, aiohttp.ClientResponseError) else str(cause)
            error = TransientError(f"the connection broke: {text or type(cause).__name__}", unsure=True)
        else:
            entry |= {"status": status, "ms": round((time.perf_counter() - started) * 1000)}
            return self._decode(entry, status, headers, content)
        if leave is not None and leave.refusal is not None:
            raise leave.refusal
        reason = self._redact.loose(str(error))
        error.args = (reason,)
        entry |= {"error": reason, "ms": round((time.perf_counter() - started) * 1000)}
        # Raised outside the handlers, so that no traceback shows the library's own text, which quotes whole URLs.
        raise error

    def _decode(self, entry: dict[str, Any], status: int, headers: Mapping[str, str], content: bytes) -> Response:
        if len(content) > MAX_RESPONSE_BYTES:
            entry["response"] = self._redact.body(content)
            entry["error"] = reason = f"the answer is larger than {MAX_RESPONSE_BYTES} bytes"
            raise PermanentError(reason, status=status)
        if "json" not in headers.get("content-type", "") or not content:
            entry["response"] = self._redact.body(content)
            return Response(status, headers, content)
        try:
            decoded = orjson.loads(content)
        except orjson.JSONDecodeError:
            decoded = None
            entry["error"] = reason = "the answer is not valid JSON (cut off?)"
            entry["response"] = self._redact.body(content)
            if status < _OK_BELOW:
                raise TransientError(f"{status}: {reason}", status=status, unsure=True) from None
        else:
            small = len(content) <= MAX_STORED_CHARS
            entry["response"] = self._redact.value(decoded) if small else self._redact.body(content)
        return Response(status, headers, content, decoded)


def _portioned(data: bytes | None) -> BytesIO | bytes | None:
    """Return a body as it is sent: a large one in portions, so that nobody waits for it."""
    return BytesIO(data) if data is not None and len(data) > _PORTION else data
