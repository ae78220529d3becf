from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.n8n.layer import N8nConnection, classify_answer, http_settings
from mainstay.kit import NeedsHumanError, Response

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
URL = "https://n8n.acme.example/webhook/0f3a"


def settings(**values: Any) -> N8nConnection:
    return N8nConnection.model_validate({"connector": "n8n", "secret": SECRET, "url": URL, **values})


@pytest.mark.parametrize(
    ("values", "headers", "hidden"),
    [
        ({}, {}, None),
        ({"user": "zoë", "password": "sample-pw"}, {"Authorization": "Basic em/DqzpzYW1wbGUtcHc="}, "sample-pw"),
        ({"header": "X-Key", "header_value": "sample-key"}, {"X-Key": "sample-key"}, "sample-key"),
        ({"header": "Authorization", "header_value": "Bearer a.b.c"}, {"Authorization": "Bearer a.b.c"}, "a.b.c"),
    ],
)
def test_the_nodes_authentication(values: Any, headers: dict[str, str], hidden: str | None) -> None:
    made = http_settings(settings(**values))
    assert settings(**values).entry == headers
    # The API of the same host must not get them.
    assert made.headers == {}
    assert hidden is None or hidden in made.secrets


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "https://n8n.acme.example/webhook-test/0f3a"}, "Production URL"),
        ({"user": "a"}, "Basic Auth"),
        ({"password": "a"}, "Basic Auth"),
        ({"header": "X-Key"}, "Header Auth"),
        ({"user": "a", "password": "b", "header": "c", "header_value": "d"}, "or neither"),
        ({"header": "X Key:", "header_value": "d"}, "a header's name"),
    ],
)
def test_what_does_not_go_together_is_said(values: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        settings(**values)


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_says_where_to_look(status: int) -> None:
    refusal = classify_answer(Response(status, {}, b""))
    assert isinstance(refusal, NeedsHumanError)
    assert "Webhook node's Authentication" in str(refusal)
