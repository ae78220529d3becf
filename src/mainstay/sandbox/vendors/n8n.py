"""A simulator of n8n's Webhook node, and of the executions of its API."""

from __future__ import annotations

from dataclasses import dataclass

from mainstay.kit.payload import moment
from mainstay.sandbox.vendors.hook import Hook, HookSettings, said
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer, now_iso

_MOST = 250
_FAILED = frozenset({"error", "crashed"})


@dataclass(frozen=True)
class Settings(HookSettings):
    """``PUT /_control/config/n8n``; those of hooks too.

    ``api_keys`` lists the good keys of the API (None: any). ``redacts``: executions come without their data.
    ``retries_fail``: what is run again fails again.
    """

    api_keys: list[str] | None = None
    redacts: bool = False
    retries_fail: bool = False


class N8n(Hook):
    """Answers in JSON; a workflow that is not active has no hook."""

    name = "n8n"
    max_bytes = 16_000_000

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.settings: Settings = Settings()
        self._executions: dict[int, dict[str, Json]] = {}

    def state(self) -> dict[str, Json]:
        """Return what started something, the executions as the API shows them, oldest first, and the effects."""
        return {**super().state(), "executions": [self._executions[each] for each in sorted(self._executions)]}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put ``executions`` in, or change those of an ``id``: ``status``, ``workflow``, ``error``, ``node``, times."""
        if kind != "executions":
            raise SettingError(f"n8n has executions to seed, and no {kind}")
        for record in records:
            self._put(int(record.get("id") or self._ids.number("execution")), record)
        return len(records)

    def _put(self, number: int, record: dict[str, Json]) -> dict[str, Json]:
        held = self._executions.get(number, {})
        status = record.get("status", held.get("status", "error"))
        name, failure = record.get("workflow", "Lead to CRM"), record.get("error", "The service refused")
        result = {"error": {"message": failure}, "lastNodeExecuted": record.get("node", "HubSpot")}
        self._executions[number] = {
            **held,
            "id": str(number),
            "finished": status == "success",
            "mode": record.get("mode", "webhook"),
            "retryOf": record.get("retryOf"),
            "retrySuccessId": None,
            "status": status,
            "createdAt": held.get("createdAt", now_iso()),
            "startedAt": record.get("startedAt", held.get("startedAt", now_iso())),
            "stoppedAt": None if status in {"new", "running"} else record.get("stoppedAt", now_iso()),
            "deletedAt": None,
            "workflowId": "wf1",
            "waitTill": None,
            "storedAt": "db",
            "tracingContext": None,
            "deduplicationKey": None,
            "jsonSizeBytes": 0,
            "binaryDataSizeBytes": 0,
            "workflowVersionId": None,
            "usedPrivateCredentials": False,
            "data": {"resultData": result if status in _FAILED else {}},
            "workflowData": {"id": "wf1", "name": name},
        }
        return self._executions[number]

    def handle(self, request: Request) -> Reply:
        """Answer one request, of a hook or of the API."""
        if not request.path.startswith("/api/v1/"):
            return super().handle(request)
        key = request.headers.get("X-N8N-API-KEY", "")
        if not key or (self.settings.api_keys is not None and key not in self.settings.api_keys):
            return answer(401, {"message": "unauthorized"})
        match request.method, *request.parts[2:]:
            case "GET", "executions":
                return self._listed(dict(request.query))
            case "GET", "executions", number if int(number) in self._executions:
                return answer(200, self._shown(self._executions[int(number)], dict(request.query)))
            case "POST", "executions", number, "retry" if int(number) in self._executions:
                return self._retried(int(number), request)
            case _:
                return answer(404, {"message": "not found"})

    def _listed(self, query: dict[str, str]) -> Reply:
        since = moment(query.get("startedAfter", ""))
        found = [
            each
            for _, each in sorted(self._executions.items(), reverse=True)
            if query.get("status", each["status"]) == each["status"]
            and (since is None or (started := moment(each["startedAt"])) is None or started > since)
        ]
        size, start = min(int(query.get("limit", "100")), _MOST), int(query.get("cursor") or "0")
        page = [self._shown(each, query, is_listed=True) for each in found[start : start + size]]
        more = str(start + size) if len(found) > start + size else None
        return answer(200, {"data": page, "nextCursor": more})

    def _shown(self, execution: dict[str, Json], query: dict[str, str], *, is_listed: bool = False) -> dict[str, Json]:
        hidden = {"data", "workflowData"} if query.get("includeData") != "true" else set[str]()
        if self.settings.redacts:
            hidden = {"data"}
        if is_listed:
            hidden |= {
                "createdAt",
                "deletedAt",
                "tracingContext",
                "deduplicationKey",
                "binaryDataSizeBytes",
                "usedPrivateCredentials",
            }
        return {name: value for name, value in execution.items() if name not in hidden}

    def _retried(self, number: int, request: Request) -> Reply:
        held = self._executions[number]
        if held["status"] not in _FAILED:
            return answer(409, {"message": "The execution succeeded, so it cannot be retried."})
        new = max(self._executions) + 1
        status = "error" if self.settings.retries_fail else "success"
        again = self._put(new, {"status": status, "mode": "retry", "retryOf": str(number)})
        if status == "success":
            held["retrySuccessId"] = str(new)
        self._effects.add("execution.retried", str(new), request, {"retryOf": str(number)})
        shown = ("id", "mode", "startedAt", "workflowId", "finished", "retryOf", "status", "waitTill", "storedAt")
        told = {name: again[name] for name in shown} | {"data": again["data"], "workflowData": again["workflowData"]}
        return answer(200, told | {"customData": {}})

    def refusal(self, request: Request) -> Reply | None:
        """Say that the hook is not registered."""
        if not self.settings.is_on or not request.path.startswith("/webhook/"):
            name = request.path.rpartition("/")[2]
            return said(404, f'The requested webhook "{request.method} {name}" is not registered.')
        if self.settings.is_full:
            return said(503, "Service unavailable")
        return super().refusal(request)

    def accepted(self, run: str) -> Reply:  # noqa: ARG002
        """Say that the workflow has begun."""
        return answer(200, {"message": "Workflow was started"})

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return n8n's shape of an error."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        return said(status, "The request was refused.", headers)


SIMULATOR = N8n
