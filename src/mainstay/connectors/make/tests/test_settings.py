from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.make.layer import MakeConnection, classify_answer, http_settings
from mainstay.kit import Response

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def settings(**values: Any) -> MakeConnection:
    return MakeConnection.model_validate({"connector": "make", "secret": SECRET, **values})


@pytest.mark.parametrize(
    "url",
    [
        "https://hook.eu1.make.com/abcdef",
        "https://hook.us2.make.celonis.com/abcdef",
        "https://hook.integromat.com/abcdef",
        "http://127.0.0.1:8000/abcdef",
        "http://[::1]/abcdef",
    ],
)
def test_a_webhook_of_makes_is_taken(url: str) -> None:
    assert settings(url=url).url.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    ["https://eu1.make.com/123/scenarios/456/edit", "https://hook.make.com.evil.example/abc", "https://10.0.0.1/a"],
)
def test_any_other_address_is_not(url: str) -> None:
    with pytest.raises(ValidationError, match="is no Make webhook"):
        settings(url=url)


def test_the_api_key_travels_as_a_header_and_is_never_recorded() -> None:
    made = http_settings(settings(url="https://hook.eu1.make.com/abcdef", api_key="sample-key-1"))
    assert made.headers == {"x-make-apikey": "sample-key-1"}
    assert "sample-key-1" in made.secrets
    assert "sample-key-1" not in repr(made)


@pytest.mark.parametrize(
    ("status", "body", "fate"),
    [
        (200, b"Accepted", None),
        (200, b"anything that a Webhook response module says", None),
        (400, b"Queue is full.", "transient"),
        (400, b"There is no scenario listening for this webhook.", "human"),
        (400, b"", "human"),
        (400, b'{"message": ["\xff", 1]}', "human"),
        (301, b"", "human"),
        (410, b"", "human"),
        (422, b"", "permanent"),
        (429, b"", "transient"),
    ],
)
def test_what_an_answer_means(status: int, body: bytes, fate: str | None) -> None:
    refusal = classify_answer(Response(status, {}, body))
    assert (refusal.fate if refusal else None) == fate
