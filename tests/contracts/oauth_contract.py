"""Token endpoints that no vendor's file has: held against RFC 6749, and the vendor's own words where it leaves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from tests.contracts.contract import FORM, Sent

_NEEDED = {
    "authorization_code": {"grant_type", "code", "redirect_uri"},
    "refresh_token": {"grant_type", "refresh_token"},
    "client_credentials": {"grant_type"},
}
_ALLOWED = {"scope", "code_verifier"}
_ERRORS = {
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
}


@dataclass(frozen=True)
class TokenEndpoint:
    """A token endpoint, and where its vendor leaves RFC 6749.

    ``content_type`` is that of a request; ``answers`` are keys that every success has; ``headers`` what each request
    needs. The app proves itself by HTTP Basic.
    """

    path: str
    content_type: str = FORM
    answers: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()

    def wrong_request(self, sent: Sent) -> str:
        """Return what is wrong with a request, or ""."""
        if sent.method != "post" or sent.content_type != self.content_type:
            return f"a token is asked for by POST, with {self.content_type}"
        if not sent.headers.get("authorization", "").startswith("Basic "):
            return "no Authorization: Basic header"
        if missing := self.headers - sent.headers.keys():
            return f"no header {sorted(missing)}"
        if sent.query:
            return "what is secret is never in the query"
        fields = dict(parse_qsl(sent.body.decode())) if self.content_type == FORM else json.loads(sent.body)
        needed = _NEEDED.get(fields.get("grant_type", ""))
        if needed is None:
            return "the grant is not known"
        keys = set(fields)
        return "" if needed <= keys <= needed | _ALLOWED else f"{sorted(keys)} are not the fields of this grant"

    def wrong_answer(self, status: int, body: bytes) -> str:
        """Return what is wrong with an answer, or ""."""
        value: Any = json.loads(body)
        if not isinstance(value, Mapping):
            return "an answer is an object"
        if status >= 400:
            return "" if status in {400, 401} and value.get("error") in _ERRORS else "an error is one of RFC 6749's"
        wanted = {"access_token", "token_type"} | self.answers
        missing = sorted(wanted - set(value))
        return f"the answer lacks {missing}" if missing or status != 200 else ""
