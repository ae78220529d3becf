"""What the simulators of no-code layers share: a hook takes any JSON, and starts what listens there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from mainstay.sandbox.state import Effects, Ids, RateWindow, changed
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, text


@dataclass(frozen=True)
class HookSettings:
    """``is_on`` is whether anything listens; ``is_full`` whether the queue is; ``most_per_second`` 0 for no limit."""

    is_on: bool = True
    is_full: bool = False
    most_per_second: int = 0


class Hook:
    """A hook. It looks at no signature, as none of the layers does by itself: it keeps the headers for whoever asks."""

    name = "hook"
    max_bytes = 5_000_000

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = HookSettings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._events: list[dict[str, Json]] = []
        self._window: RateWindow | None = None

    def configure(self, settings: Mapping[str, Json]) -> dict[str, Json]:
        """Change settings and return all of them."""
        self.settings = changed(self.settings, settings)
        most = self.settings.most_per_second
        self._window = RateWindow(most, 1.0) if most else None
        return asdict(self.settings)

    def state(self) -> dict[str, Json]:
        """Return what started something, as ``{event, id, data, path, headers}``, and the effects."""
        return {"events": self._events, "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:  # noqa: ARG002
        """Refuse: there are no records."""
        raise SettingError(f"{self.name} has no {kind} to seed")

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        if len(request.body) > self.max_bytes:
            return self.failure(request, 413, None)
        if self._window is not None and not self._window.take():
            return self.failure(request, 429, 1.0)
        try:
            told = request.json()
        except ValueError:
            told = {}
        told = told if isinstance(told, dict) else {"data": told}
        run = self._ids.uuid("run")
        lower = {name.lower(): value for name, value in request.headers.items()}
        headers = {name: value for name, value in lower.items() if name.startswith("webhook-")}
        self._events.append({**told, "path": request.path, "headers": headers, "body": request.body.decode()})
        self._effects.add("run.started", run, request, {"webhook-id": headers.get("webhook-id", "")})
        return self.accepted(run)

    def refusal(self, request: Request) -> Reply | None:
        """Return the vendor's refusal where nothing listens or the queue is full."""
        if request.method != "POST":
            return text(405, "Method Not Allowed")
        if not self.settings.is_on:
            return text(410, "Gone")
        return text(503, "Busy") if self.settings.is_full else None

    def accepted(self, run: str) -> Reply:  # noqa: ARG002
        """Return the vendor's answer to what it has taken."""
        return Reply(204)

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return the vendor's shape of an error."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return text(status, "The request was refused.", headers)


def said(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return an error with a message, as JSON."""
    return answer(status, {"code": status, "message": message}, headers)
