"""HubSpot: its version 3 and its dated one, chosen by the path."""

from __future__ import annotations

from tests.contracts.contract import Contract

CONTRACTS = {
    "hubspot": Contract(
        "hubspot.json",
        "https://api.hubapi.com",
        new_answer_keys=frozenset({"status", "policyName", "errorType"}),
    ),
    "hubspot_2026-03": Contract(
        "hubspot_2026-03.json",
        "https://api.hubapi.com",
        new_answer_keys=frozenset({"status", "policyName", "errorType"}),
    ),
}
