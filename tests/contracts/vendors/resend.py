"""Resend: a current file, which has no errors."""

from __future__ import annotations

from tests.contracts.contract import Contract

_ERROR = {
    "type": "object",
    "required": ["statusCode", "name", "message"],
    "properties": {
        "statusCode": {"type": "integer"},
        "name": {"type": "string"},
        "message": {"type": "string"},
    },
}
CONTRACTS = {
    "resend": Contract(
        "resend.json",
        "https://api.resend.com",
        new_statuses=dict.fromkeys((400, 401, 403, 404, 409, 413, 422, 429, 500, 502, 503, 504)),
        error=_ERROR,
    )
}
