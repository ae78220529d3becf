from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainstay.kit import EmailMessage, PermanentError
from mainstay.kit.roles import MAX_SMS_CHARS, require_textable, sender_domain


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


@pytest.mark.parametrize("to", ["+13125550147", "+442071838750", "+4930123456"])
def test_a_number_with_its_country_can_be_texted(to: str) -> None:
    require_textable(to, "Grüße 李 👍" + "x" * (MAX_SMS_CHARS - 10))


@pytest.mark.parametrize(
    "to",
    [
        "",
        "3125550147",
        "(312) 555-0147",
        "+1 312 555 0147",
        "+0312555",
        "+123",
        "+13125550147\n",
        "+1312555014\u0663",
        "+13125550147,+13125550148",
        "whatsapp:+13125550147",
        "sarah@example.com",
    ],
)
def test_any_other_number_cannot(to: str) -> None:
    with pytest.raises(PermanentError, match="must be written with its country"):
        require_textable(to, "x")


@pytest.mark.parametrize(
    ("text", "mend"), [("", "is empty"), (" \n\t", "is empty"), ("x" * 1601, "has 1601 characters; 1600 are the most")]
)
def test_a_text_message_has_a_text_of_a_length(text: str, mend: str) -> None:
    with pytest.raises(PermanentError, match=mend):
        require_textable("+13125550147", text)
