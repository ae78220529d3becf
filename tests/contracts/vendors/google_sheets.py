"""Google Sheets: Google's discovery document, turned into OpenAPI; it has no errors, and not the token endpoint."""

from __future__ import annotations

from tests.contracts.contract import Contract

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}
CONTRACTS = {
    "google_sheets": Contract(
        "google_sheets.json",
        "https://sheets.googleapis.com",
        # The file declares them for the path, not for its operations.
        new_request_keys=frozenset({"fields", "prettyPrint"}),
        new_statuses=dict.fromkeys((400, 401, 403, 404, 429, 500, 502, 503, 504)),
        error=_ERROR,
    )
}
