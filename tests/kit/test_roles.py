from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.kit import EmailMessage, PermanentError
from mainstay.kit.roles import sender_domain


@pytest.mark.parametrize("address", ["dana@acme.example", "o'brien+ads@sub.acme.example", "zoë@müller.example"])
def test_a_bare_address_is_sendable(address: str) -> None:
    EmailMessage(address, "Grüße 李", "x", reply_to=address).require_sendable()


@pytest.mark.parametrize(
    "address",
    [
        "",
        "dana",
        "Dana <dana@acme.example>",
        "dana@acme.example,all@acme.example",
        "dana@acme.example;all@acme.example",
        "dana@acme.example all@acme.example",
        "dana@acme.example\n",
        "dana@acme.example\r\nBcc: all@acme.example",
        "dana@acme@example",
        "dana@acme.example\x00",
        "dana@acme.example\u2028",
    ],
)
def test_any_other_address_is_not(address: str) -> None:
    with pytest.raises(PermanentError, match="to must be one bare address"):
        EmailMessage(address, "Hi", "x").require_sendable()


@given(st.text(min_size=1), st.sampled_from(["\r", "\n", "\r\n", "\x00", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"]))
def test_a_subject_has_one_line(text: str, line_break: str) -> None:
    with pytest.raises(PermanentError, match="subject holds a line break"):
        EmailMessage("dana@acme.example", f"{text}{line_break}{text}", "x").require_sendable()


@pytest.mark.parametrize(
    "sender", ["hello@acme.example", "Acme <hello@acme.example>", '"Acme, Inc." <hello@acme.example>']
)
def test_the_domain_of_a_sender(sender: str) -> None:
    assert sender_domain(sender) == "acme.example"


@pytest.mark.parametrize(
    "sender",
    [
        "",
        "hello",
        "Acme",
        "Acme, Inc. <hello@acme.example>",
        "a@b.example, c@d.example",
        "a@b.example\nBcc: c@d.example",
    ],
)
def test_what_is_no_sender(sender: str) -> None:
    with pytest.raises(ValueError, match="is no sender; write"):
        sender_domain(sender)
