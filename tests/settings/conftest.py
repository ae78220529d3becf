from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mainstay.errors import ConfigError, Problem
from mainstay.settings import Environment, Stack, load_stack

WORKSPACE = '[workspace]\nname = "Acme Plumbing"\ntimezone = "America/Chicago"\nregion = "US"\n'
VALUES = {
    "GHL_TOKEN": "pit-0123456789",
    "POSTMARK_TOKEN": "pm-0123456789",
    "SLACK_WEBHOOK": "https://hooks.slack.com/services/T00/B00/abcdefgh",
    "WEBSITE_SECRET": "website-0123456789",
    "META_SECRET": "meta-0123456789",
    "META_VERIFY": "verify-0123456789",
    "META_PAGE": "page-0123456789",
    "STRIPE_KEY": "sk_test_0123456789",
    "HUBSPOT_TOKEN": "pat-0123456789",
    "HUBSPOT_SECRET": "hub-0123456789",
}

Load = Callable[[str], Stack]
Refuse = Callable[[str], list[Problem]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a stack of this text, below a workspace unless it brings its own."""

    def loading(text: str) -> Stack:
        file = tmp_path / "stack.toml"
        file.write_text(text if "[workspace]" in text else WORKSPACE + text, encoding="utf-8")
        return load_stack(file, Environment.load(tmp_path, VALUES))

    return loading


@pytest.fixture
def refuse(load: Load) -> Refuse:
    """Loads a stack that is wrong, and gives its problems."""

    def refusing(text: str) -> list[Problem]:
        with pytest.raises(ConfigError) as caught:
            load(text)
        shown = str(caught.value) + repr(caught.value.problems)
        assert not [value for value in VALUES.values() if value in shown]
        assert "pydantic" not in shown
        return list(caught.value.problems)

    return refusing
