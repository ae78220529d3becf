"""Twilio: a file without errors."""

from __future__ import annotations

from tests.contracts.contract import Contract

# Twilio's file has no errors at all.
_TWILIO_ERROR = {
    "type": "object",
    "required": ["code", "message", "more_info", "status"],
    "properties": {
        "code": {"type": "integer"},
        "message": {"type": "string"},
        "more_info": {"type": "string"},
        "status": {"type": "integer"},
    },
}
CONTRACTS = {
    "twilio": Contract(
        "twilio.json",
        "https://api.twilio.com",
        new_statuses=dict.fromkeys((400, 401, 403, 404, 405, 429, 500, 502, 503, 504)),
        error=_TWILIO_ERROR,
    )
}
