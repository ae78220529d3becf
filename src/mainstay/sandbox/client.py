"""The control client: set faults, read what the vendors got and did. For tests of workflows and for the demo."""

from __future__ import annotations

import asyncio
import http.client
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Unpack
from urllib.parse import urlencode, urlsplit

from mainstay.sandbox.faults import FaultOptions, Kind

Json = Any


class SandboxError(RuntimeError):
    """The sandbox could not be reached or refused what it was asked; the text says which and the mend."""


class Sandbox:
    """A running sandbox, seen through its control plane. ``base_url`` is ``http://127.0.0.1:<port>``.

    Each call opens a connection of its own, so one instance may be shared by threads.
    """

    def __init__(self, base_url: str, *, timeout: float = 10.0) -> None:
        """Name the sandbox; nothing is sent yet. ``timeout`` is in seconds."""
        self.base_url = base_url.rstrip("/")
        self._timeout = timeout

    def url(self, vendor: str) -> str:
        """Return the base URL that stands for the vendor's own (``connections.<name>.base_url`` in stack.toml)."""
        base = {"slack": "slack/api"}.get(vendor, vendor)
        return f"{self.base_url}/{base}"

    def slack_webhook_url(self, name: str = "sandbox") -> str:
        """Return an incoming webhook's address."""
        return f"{self.base_url}/slack/services/T000SANDBOX/B000SANDBOX/{name}"

    # ------------------------------------------------------------------------------------------------- faults

    def set_fault(self, vendor: str, kind: Kind, **options: Unpack[FaultOptions]) -> int:
        """Make something go wrong; ``Fault`` explains every kind and option. Returns the fault's number."""
        return int(self._call("POST", "/faults", {"vendor": vendor, "kind": kind, **options})["id"])

    def faults(self) -> list[dict[str, Json]]:
        """Return the faults in force, each with its ``id`` and its ``hits`` so far."""
        return list(self._call("GET", "/faults")["faults"])

    def clear(self, vendor: str | None = None, fault: int | None = None) -> int:
        """Take away a vendor's faults, one fault by its number, or all. Returns how many."""
        chosen = {name: value for name, value in (("vendor", vendor), ("id", fault)) if value is not None}
        return int(self._call("DELETE", f"/faults?{urlencode(chosen)}")["removed"])

    def hits(self, fault: int) -> int:
        """Return how often a fault has struck; of a ``hold``, how many requests it has held. 0 once it is cleared."""
        return next((int(entry["hits"]) for entry in self.faults() if entry["id"] == fault), 0)

    # --------------------------------------------------------------------------------------------- observation

    def state(self, vendor: str) -> dict[str, Json]:
        """Return the vendor's records by kind (contacts, notes, messages, leads) and its ``effects``."""
        return dict(self._call("GET", f"/state/{vendor}"))

    def effects(self, vendor: str) -> list[dict[str, Json]]:
        """Return what the vendor did, in order: ``{seq, kind, id, correlation, fingerprint, at}``."""
        return list(self.state(vendor)["effects"])

    def messages(self, vendor: str) -> list[dict[str, Json]]:
        """Return the messages or mails a vendor (slack, postmark, smtp, twilio) accepted, in order."""
        return list(self.state(vendor)["messages"])

    def repeated(self, vendor: str) -> list[list[dict[str, Json]]]:
        """Return the groups of effects that are the same effect done more than once.

        Two effects are the same when their kind and what the client sent to recognise them by (idempotency key,
        metadata, Message-ID) agree; where the client sent nothing of that sort, when their bodies agree.
        """
        groups: dict[tuple[str, str], list[dict[str, Json]]] = defaultdict(list)
        for effect in self.effects(vendor):
            sent = effect["correlation"]
            groups[effect["kind"], json.dumps(sent, sort_keys=True) if sent else effect["fingerprint"]].append(effect)
        return [group for group in groups.values() if len(group) > 1]

    def requests(self, vendor: str | None = None) -> list[dict[str, Json]]:
        """Return the last requests a vendor (or every vendor) got, oldest first, secrets taken out.

        Each is ``{seq, vendor, method, path, url, headers, body, status, answer, fault, at}``; ``answer`` is
        ``{content_type, body}``, None like ``status`` where the request was left without one.
        """
        query = "" if vendor is None else f"?{urlencode({'vendor': vendor})}"
        return list(self._call("GET", f"/requests{query}")["requests"])

    def request_count(self, vendor: str) -> int:
        """Return how many requests a vendor got, also those no longer kept."""
        return int(self._call("GET", f"/requests?{urlencode({'vendor': vendor})}")["total"])

    # ------------------------------------------------------------------------------------------------ settings

    def configure(self, vendor: str, **settings: Json) -> dict[str, Json]:
        """Change a vendor's settings (see ``Settings`` in its module) and return all of them."""
        return dict(self._call("PUT", f"/config/{vendor}", settings))

    def seed(self, vendor: str, kind: str, records: Iterable[Mapping[str, Json]]) -> int:
        """Put records in, such as ``seed("meta", "leads", [...])``. Returns how many."""
        return int(self._call("PUT", f"/records/{vendor}/{kind}", [dict(record) for record in records])["seeded"])

    def reset(self) -> None:
        """Forget every record, effect, request, fault and setting."""
        self._call("POST", "/reset")

    def health(self) -> list[str]:
        """Return the vendors served. Raises ``SandboxError`` when the sandbox is not there."""
        return list(self._call("GET", "/health")["vendors"])

    def _call(self, method: str, path: str, body: Json = None) -> Json:
        parts = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self._timeout)
        try:
            connection.request(method, f"/_control{path}", None if body is None else json.dumps(body))
            response = connection.getresponse()
            status, raw = response.status, response.read()
        except OSError as problem:
            message = f"the sandbox at {self.base_url} does not answer ({problem}): is it running?"
            raise SandboxError(message) from problem
        finally:
            connection.close()
        value = json.loads(raw)
        if status >= 400:
            raise SandboxError(f"the sandbox refused {method} {path}: {value['error']}")
        return value


class AsyncSandbox:
    """``Sandbox`` for async code: the same calls, awaited, each in a thread so that the loop goes on."""

    def __init__(self, sandbox: Sandbox) -> None:
        """Wrap a sandbox."""
        self.sync = sandbox

    def url(self, vendor: str) -> str:
        """Return ``Sandbox.url``."""
        return self.sync.url(vendor)

    async def set_fault(self, vendor: str, kind: Kind, **options: Unpack[FaultOptions]) -> int:
        """Await ``Sandbox.set_fault``."""
        return await asyncio.to_thread(self.sync.set_fault, vendor, kind, **options)

    async def clear(self, vendor: str | None = None, fault: int | None = None) -> int:
        """Await ``Sandbox.clear``."""
        return await asyncio.to_thread(self.sync.clear, vendor, fault)

    async def state(self, vendor: str) -> dict[str, Json]:
        """Await ``Sandbox.state``."""
        return await asyncio.to_thread(self.sync.state, vendor)

    async def effects(self, vendor: str) -> list[dict[str, Json]]:
        """Await ``Sandbox.effects``."""
        return await asyncio.to_thread(self.sync.effects, vendor)

    async def messages(self, vendor: str) -> list[dict[str, Json]]:
        """Await ``Sandbox.messages``."""
        return await asyncio.to_thread(self.sync.messages, vendor)

    async def repeated(self, vendor: str) -> list[list[dict[str, Json]]]:
        """Await ``Sandbox.repeated``."""
        return await asyncio.to_thread(self.sync.repeated, vendor)

    async def requests(self, vendor: str | None = None) -> list[dict[str, Json]]:
        """Await ``Sandbox.requests``."""
        return await asyncio.to_thread(self.sync.requests, vendor)

    async def configure(self, vendor: str, **settings: Json) -> dict[str, Json]:
        """Await ``Sandbox.configure``."""
        return await asyncio.to_thread(self.sync.configure, vendor, **settings)

    async def seed(self, vendor: str, kind: str, records: Iterable[Mapping[str, Json]]) -> int:
        """Await ``Sandbox.seed``."""
        return await asyncio.to_thread(self.sync.seed, vendor, kind, records)

    async def reset(self) -> None:
        """Await ``Sandbox.reset``."""
        await asyncio.to_thread(self.sync.reset)
