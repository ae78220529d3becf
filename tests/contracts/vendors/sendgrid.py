"""SendGrid: a file without 429, and without the 200 of sandbox mode."""

from __future__ import annotations

from tests.contracts.contract import Contract

_ERROR = "global_error_response_schema"
CONTRACTS = {
    "sendgrid": Contract(
        "sendgrid.openapi3.json",
        "https://api.sendgrid.com",
        new_request_keys=frozenset({"mainstay_key"}),
        new_statuses={200: None} | dict.fromkeys((405, 429, 502, 503, 504), _ERROR),
    )
}
