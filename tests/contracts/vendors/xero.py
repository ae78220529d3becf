"""Xero: its accounting and identity files in one."""

from __future__ import annotations

from tests.contracts.contract import Contract
from tests.contracts.oauth_contract import TokenEndpoint

# The file has no errors but 400; these have the form of RFC 7807.
_PROBLEM = {
    "type": "object",
    "required": ["Title", "Status", "Detail"],
    "properties": {
        "Type": {"type": "string", "nullable": True},
        "Title": {"type": "string"},
        "Status": {"type": "integer"},
        "Detail": {"type": "string"},
        "Extensions": {"type": "object", "additionalProperties": True},
    },
}
CONTRACTS = {
    "xero": Contract(
        "xero.json",
        "https://api.xero.com",
        # What stands around every list.
        new_answer_keys=frozenset({"Id", "Status", "ProviderName", "DateTimeUTC"}),
        new_statuses=dict.fromkeys((401, 403, 404, 412, 429, 500, 502, 503, 504)),
        error=_PROBLEM,
    )
}
TOKEN_ENDPOINT = TokenEndpoint("/connect/token", answers=frozenset({"expires_in", "scope"}))
