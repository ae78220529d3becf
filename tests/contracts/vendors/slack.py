"""Slack: its archived file of 2021; see ``slack_contract`` for what is newer."""

from __future__ import annotations

from tests.contracts.contract import Contract

CONTRACTS = {
    "slack": Contract(
        "slack.openapi3.json",
        "https://slack.com",
        new_request_keys=frozenset({"metadata", "client_msg_id", "include_all_metadata"}),
        new_answer_keys=frozenset({"response_metadata"}),
    )
}
