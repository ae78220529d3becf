"""A simulator of the part of Meta's Graph API that reads Lead Ads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mainstay.sandbox.state import Configurable, Effects, Ids, token_is_good
from mainstay.sandbox.wire import Json, Reply, Request, SettingError, answer

_VERSION = re.compile(r"v\d+\.\d+")
READABLE = frozenset(
    [
        "ad_id",
        "ad_name",
        "adset_id",
        "adset_name",
        "campaign_id",
        "campaign_name",
        "created_time",
        "custom_disclaimer_responses",
        "field_data",
        "form_id",
        "home_listing",
        "id",
        "is_organic",
        "partner_name",
        "platform",
        "post",
        "post_submission_check_result",
        "retailer_item_id",
        "vehicle",
    ]
)
_SOME_DAY = "2026-01-01T00:00:00+0000"
_DEFAULT = ("created_time", "id", "field_data")


@dataclass(frozen=True)
class Settings:
    """``PUT /_control/config/meta``: ``tokens`` lists the good tokens (None: any)."""

    tokens: list[str] | None = None


class Meta(Configurable):
    """``GET /v{N}.0/{leadgen_id}`` and ``GET /v{N}.0/{form_id}/leads``; leads come by seeding."""

    name = "meta"

    def __init__(self) -> None:
        """Start empty."""
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.settings = Settings()
        self._ids = Ids(self.name)
        self._effects = Effects()
        self._leads: dict[str, dict[str, Json]] = {}

    def state(self) -> dict[str, Json]:
        """Return the leads, and effects (always none: nothing is written here)."""
        return {"leads": list(self._leads.values()), "effects": self._effects.listing()}

    def seed(self, kind: str, records: list[dict[str, Json]]) -> int:
        """Put leads in: fields of a Lead; ``id`` and ``created_time`` are filled in where missing."""
        if kind != "leads":
            raise SettingError(f"meta is seeded with leads, not {kind}")
        for record in records:
            if unknown := sorted(set(record) - READABLE):
                raise SettingError(f"a lead has no {', '.join(unknown)}; it has {', '.join(sorted(READABLE))}")
            number = self._ids.number("lead")
            lead: dict[str, Json] = {
                "id": str(100_000_000_000_000 + number),
                "created_time": _SOME_DAY,
                "field_data": [],
            } | record
            self._leads[lead["id"]] = lead
        return len(records)

    def handle(self, request: Request) -> Reply:
        """Answer one request."""
        query = dict(request.query)
        token = request.bearer or query.get("access_token", "")
        if not token:
            return _error(400, 104, "An access token is required to request this resource.")
        if not token_is_good(token, self.settings.tokens):
            return _error(401, 190, "Error validating access token: the session has been invalidated.")
        fields = tuple(name for name in query.get("fields", "").split(",") if name) or _DEFAULT
        if unknown := [name for name in fields if name not in READABLE]:
            return _error(400, 100, f"(#100) Tried accessing nonexisting field ({unknown[0]})")
        match [request.method, *request.parts]:
            case ["GET", version, lead_id] if _VERSION.fullmatch(version):
                lead = self._leads.get(lead_id)
                return self._missing(lead_id) if lead is None else answer(200, _picked(lead, fields))
            case ["GET", version, form_id, "leads"] if _VERSION.fullmatch(version):
                found = [_picked(lead, fields) for lead in self._leads.values() if lead.get("form_id") == form_id]
                return answer(200, {"data": found})
            case _:
                return _error(400, 2500, f"Unknown path components: {request.path}")

    def failure(self, request: Request, status: int, retry_after: float | None) -> Reply:  # noqa: ARG002
        """Return Meta's error object."""
        headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
        passing = status == 429 or status >= 500
        code = 4 if status == 429 else 2 if passing else 190 if status == 401 else 100
        reply = _error(status, code, "An unexpected error has occurred.", is_transient=passing)
        return Reply(status, reply.body, reply.content_type, headers)

    def _missing(self, lead_id: str) -> Reply:
        message = f"Unsupported get request. Object with ID '{lead_id}' does not exist or cannot be loaded."
        return _error(400, 100, message, error_subcode=33)


def _picked(lead: Mapping[str, Json], fields: tuple[str, ...]) -> dict[str, Json]:
    return {name: lead[name] for name in dict.fromkeys((*fields, "id")) if name in lead}


def _error(status: int, code: int, message: str, **more: Json) -> Reply:
    kind = "OAuthException" if code in {102, 104, 190} else "GraphMethodException"
    error = {"message": message, "type": kind, "code": code, "fbtrace_id": "Asandbox0000000000000", **more}
    return answer(status, {"error": error})


SIMULATOR = Meta
