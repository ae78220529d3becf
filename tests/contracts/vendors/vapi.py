"""Vapi: its OpenAPI file, and by hand what stands outside of it: the control address of a call, and errors.

The form of the control call is that of github.com/VapiAI/docs, fern/calls/call-features.mdx.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

from tests.contracts.contract import Contract, Sent

_ERROR = {
    "type": "object",
    "required": ["message", "statusCode"],
    "properties": {
        "message": {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]},
        "error": {"type": "string"},
        "statusCode": {"type": "integer"},
    },
}
_OF_FILE = "vapi_openapi"
CONTRACTS = {
    _OF_FILE: Contract(
        "vapi.json",
        "https://api.vapi.ai",
        new_statuses=dict.fromkeys((400, 401, 402, 403, 404, 423, 429, 500, 502, 503, 504)),
        error=_ERROR,
    )
}
_CONTROL = re.compile(r"/[0-9a-f-]{36}/control")


def _address(sent: Sent) -> str:
    return sent.path + (f"?{urlencode(sent.query)}" if sent.query else "")


class VapiChecks:
    """The file where it has the operation, and the control address."""

    def wrong_request(self, sent: Sent) -> str:
        if _CONTROL.fullmatch(sent.path):
            return "" if json.loads(sent.body) == {"type": "end-call"} else "no call that controls a call"
        from tests.contracts.vendor_specs import validate_request  # noqa: PLC0415 it reads this module

        return _reason(lambda: validate_request(_OF_FILE, sent.method, _address(sent), sent.headers, sent.body))

    def wrong_answer(self, sent: Sent, status: int, headers: Mapping[str, str], body: bytes) -> str:
        if _CONTROL.fullmatch(sent.path):
            return "" if isinstance(json.loads(body), dict) else "no answer to a control"
        from tests.contracts.vendor_specs import validate_response  # noqa: PLC0415 it reads this module

        return _reason(lambda: validate_response(_OF_FILE, sent.method, _address(sent), status, headers, body))


def _reason(check: Callable[[], None]) -> str:
    try:
        check()
    except AssertionError as problem:
        return str(problem)
    return ""


CHECKS = VapiChecks()
