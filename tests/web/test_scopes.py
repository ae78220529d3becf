"""Which scopes an address asks for: what is unknown asks for the most."""

from __future__ import annotations

import pytest

from mainstay.web.scopes import READ_ONLY, checked, in_order, needed

CASES = [
    ("GET", "/api/v1/status", "read"),
    ("HEAD", "/api/v1/runs/01a2", "read"),
    ("GET", "/api/v1/contacts", "read personal"),
    ("get", "/api/v1/contacts/{contact_id}/changes", "read personal"),
    ("GET", "/api/v1/contactsheet", "read"),
    ("POST", "/api/v1/contacts", "personal write"),
    ("DELETE", "/api/v1/contacts/01a2", "personal write"),
    ("POST", "/api/v1/approvals/01a2/approve", "personal write"),
    ("POST", "/api/v1/runs", "write"),
    ("POST", "/api/v1/runs/01a2/retry", "retry"),
    ("POST", "/api/v1/runs/{run_id}/answer", "retry"),
    ("POST", "/api/v1/runs/cancel", "retry"),
    ("POST", "/api/v1/runs/01a2/cancel/", "retry"),
    ("POST", "/api/v1/retries/01a2/stop", "retry"),
    ("POST", "/api/v1/retriesx", "write"),
    ("POST", "/api/v1/runs/01a2/retry/../../contacts", "write"),
    ("PUT", "/anything/new", "write"),
    ("GET", "/w/acme", "read"),
    ("GET", "/w/acme/runs/01a2", "read"),
    ("GET", "/w/contacts/runs", "read"),
    ("GET", "/w/acme/contacts/01a2/merge", "read personal"),
    ("GET", "/w/acme/reviews/proposals", "read personal"),
    ("POST", "/w/acme/contacts/01a2/cancel-runs", "personal write"),
    ("POST", "/w/acme/runs/01a2/handled", "retry"),
    ("POST", "/w/acme/retries/of/01a2", "retry"),
    ("POST", "/w/acme/incidents/01a2/acknowledge", "retry"),
    ("POST", "/w/acme/incidents/01a2/forget", "write"),
    ("POST", "/w/acme/deliveries/01a2/replay", "write"),
    ("POST", "/w/acme/api", "write"),
    ("GET", "/w/acme/connections/ghl/connect", "write"),
    ("GET", "/connect/callback", "write"),
    ("POST", "/sign-out", "read"),
    ("TRACE", "/api/v1/status", "write"),
]


@pytest.mark.parametrize(("method", "path", "wanted"), CASES)
def test_an_address_asks_for(method: str, path: str, wanted: str) -> None:
    assert " ".join(in_order(needed(method, path))) == wanted


def test_a_token_can_always_read_and_an_unknown_scope_is_named() -> None:
    assert checked(["retry"]) == {"read", "retry"}
    assert in_order(READ_ONLY) == ["read", "personal"]
    with pytest.raises(ValueError, match='no scope "fly": choose among read, personal, retry, write'):
        checked(["read", "fly"])
