from __future__ import annotations

import pytest
from pydantic import ValidationError

from mainstay.connectors.zapier.layer import ZapierConnection, rates

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def settings(url: str) -> ZapierConnection:
    return ZapierConnection.model_validate({"connector": "zapier", "secret": SECRET, "url": url})


def test_zapiers_limits_are_kept() -> None:
    limits = rates(settings("https://hooks.zapier.com/hooks/catch/1/abc/"))
    assert [(rate.allowed, rate.seconds) for rate in limits] == [(30, 1), (10_000, 300)]


@pytest.mark.parametrize(
    "url", ["https://zapier.com/editor/123", "https://hooks.zapier.com.evil.example/hooks/catch/1/a"]
)
def test_any_other_address_is_no_catch_hook(url: str) -> None:
    with pytest.raises(ValidationError, match="is no catch hook"):
        settings(url)
