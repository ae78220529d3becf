from __future__ import annotations

import pytest

from mainstay.watch import trouble_of_quarantine, trouble_of_run


def fingerprint(error: str) -> str:
    return trouble_of_run("welcome.v1", "slack", "permanent", error).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("6f9619ff-8b86-4d01-b42d-00c04fc964ff is gone", "7a9619ff-8b86-4011-b42d-00c04fc964ff is gone"),
        ("422: sarah@example.com bounced", "422: bob@example.com bounced"),
        ("422: 'Sarah' is no name", "422: 'Bob' is no name"),
        ("400: +1 312 555 0147 is no mobile", "400: +1 312 555 0148 is no mobile"),
    ],
)  # fmt: skip
def test_what_fails_alike_is_one_cause(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


def test_what_fails_otherwise_is_another() -> None:
    seen = {
        trouble_of_run(workflow, connection, fate, error).fingerprint
        for workflow in ("welcome.v1", "push.v1")
        for connection in ("slack", "")
        for fate in ("human", "permanent")
        for error in ("no such channel", "not allowed")
    }
    assert len(seen) == 16


@pytest.mark.parametrize(
    ("workflow", "connection", "title"),
    [
        ("welcome.v1", "slack", "welcome.v1 fails at slack"),
        ("welcome.v1", "", "welcome.v1 fails"),
        ("push.v1", "ghl", "Contacts do not get through to ghl"),
        ("inbound.v1", "source:facebook", "Deliveries cannot be processed: trouble at source:facebook"),
        ("alert.v1", "", "Alerts cannot be sent"),
    ],
)
def test_the_title_is_in_the_readers_words(workflow: str, connection: str, title: str) -> None:
    assert trouble_of_run(workflow, connection, "human", "401: Invalid JWT").title == title


def test_a_long_text_costs_little_and_is_cut() -> None:
    trouble = trouble_of_run("welcome.v1", "slack", "permanent", "x" * 1_000_000)
    assert len(trouble.fingerprint) < 300
    assert len(trouble.cause) == 500


@pytest.mark.parametrize("fate", ["human", "permanent", "transient", "unsure", "workflow", "unheard of"])
def test_every_fate_says_what_to_do(fate: str) -> None:
    assert "retry" in trouble_of_run("welcome.v1", "slack", fate, "no").mend


def test_a_suspect_sender_is_a_trouble_of_its_source() -> None:
    trouble = trouble_of_quarantine("website", "the secret is missing")
    assert (trouble.source, trouble.workflow, trouble.connection) == ("website", "", "")
    assert "release them from quarantine" in trouble.mend
