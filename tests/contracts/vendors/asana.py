"""Asana: a file without 402, 429 and 503, and of lists without what ``opt_fields`` adds to them."""

from __future__ import annotations

from tests.contracts.contract import Contract

_TEXT = {"type": "string"}
_ERRORS = {
    "type": "object",
    "required": ["errors"],
    "properties": {
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": dict.fromkeys(("message", "help", "phrase"), _TEXT)},
        }
    },
}
CONTRACTS = {
    "asana": Contract(
        "asana.json",
        "https://app.asana.com",
        new_answer_keys=frozenset(
            {
                "assignee",
                "completed",
                "created_at",
                "due_on",
                "modified_at",
                "notes",
                "permalink_url",
            }
        ),
        new_statuses=dict.fromkeys((402, 412, 423, 429, 502, 503, 504)),
        error=_ERRORS,
    )
}
