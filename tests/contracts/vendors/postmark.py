"""Postmark: an old file."""

from __future__ import annotations

from tests.contracts.contract import Contract

_POSTMARK_STATUSES: dict[int, str | None] = {401: "StandardPostmarkResponse", 429: "StandardPostmarkResponse"}
CONTRACTS = {
    "postmark": Contract(
        "postmark.openapi3.json",
        "https://api.postmarkapp.com",
        new_request_keys=frozenset({"MessageStream", "Metadata", "messagestream", "metadata_mainstay_key"}),
        new_answer_keys=frozenset({"MessageStream", "Metadata"}),
        new_statuses=_POSTMARK_STATUSES | dict.fromkeys((500, 502, 503, 504)),
    )
}
