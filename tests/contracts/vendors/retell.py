"""Retell: its OpenAPI file, a third party's copy, which leaves out the statuses of gateways and of an unknown path."""

from __future__ import annotations

from tests.contracts.contract import Contract

_ERROR = {
    "type": "object",
    "required": ["status", "message"],
    "properties": {"status": {"type": "string", "enum": ["error"]}, "message": {"type": "string"}},
}
CONTRACTS = {
    "retell": Contract(
        "retell.json",
        "https://api.retellai.com",
        new_statuses=dict.fromkeys((400, 401, 402, 403, 404, 422, 423, 429, 500, 502, 503, 504)),
        error=_ERROR,
    )
}
