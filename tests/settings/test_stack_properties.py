"""Whatever a file holds, the answer is a stack or a list of problems."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mainstay.errors import ConfigError, Problem
from mainstay.settings import Environment, Stack
from mainstay.settings.assembly import assemble
from mainstay.settings.document import Document
from tests.settings.conftest import VALUES

words = st.sampled_from(
    [
        "name",
        "slug",
        "timezone",
        "region",
        "hours",
        "connector",
        "token",
        "from",
        "kind",
        "secret",
        "map",
        "record",
        "connection",
        "crm",
        "email",
        "chat",
        "sms",
        "mainstay",
        "hub",
        "system_of_record",
        "mirrors",
        "identity",
        "primary",
        "also",
        "critical",
        "other",
        "review",
        "trigger",
        "platform",
        "contact",
        "invoice",
        "host",
        "port",
        "security",
        "username",
        "password",
        "webhook_url",
        "channel",
        "client_secret",
        "app_secret",
        "public_key",
        "repeat_window",
        "cors",
        "max_bytes",
        "properties",
        "custom_fields",
        "gohighlevel",
        "hubspot",
        "postmark",
        "slack",
        "smtp",
        "typeform",
        "form",
        "json",
        "csv",
        "builtin",
        "base_url",
    ]
)
leaves = (
    words
    | st.sampled_from(
        ["${GHL_TOKEN}", "${UNSET}", "$${", "${", "UTC", "US", "Acme", "Mon 08:00", "email:a@acme.example"]
    )
    | st.text(max_size=8)
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.datetimes()
    | st.times()
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=5), inner, max_size=5)
)
named = st.fixed_dictionaries(
    {}, optional={name: st.dictionaries(words, values, max_size=5) for name in ("hub", "mail")}
)
connection = st.fixed_dictionaries(
    {"connector": st.sampled_from(["gohighlevel", "hubspot", "postmark", "slack", "smtp", "twilio", "builtin"])},
    optional=dict.fromkeys(
        ("token", "location_id", "from", "host", "port", "webhook_url", "base_url", "properties"), values
    ),
)
source = st.fixed_dictionaries(
    {"kind": st.sampled_from(["form", "hubspot", "gohighlevel", "facebook_lead_ads", "csv", "typeform", "jotform"])},
    optional=dict.fromkeys(
        ("secret", "map", "connection", "client_secret", "record", "cors", "public_key", "max_age"), values
    ),
)
sections = st.fixed_dictionaries(
    {},
    optional={
        "workspace": values
        | st.fixed_dictionaries(dict.fromkeys(("name", "timezone", "region"), values), optional={"hours": values})
        | st.just({"name": "Acme", "timezone": "UTC", "region": "US"}),
        "connections": values | named | st.dictionaries(words, connection, max_size=3),
        "roles": values | st.dictionaries(words, words, max_size=3),
        "records": values | named,
        "sources": values | named | st.dictionaries(words, source, max_size=3),
        "alerts": values | st.dictionaries(st.sampled_from(["critical", "other", "review"]), values),
        "elsewhere": values | st.lists(st.dictionaries(words, values, max_size=5), max_size=2),
    },
)


class Given(Document):
    """A document that was never a file."""

    def __init__(self, data: dict[str, Any], folder: Path) -> None:
        self._given = data
        super().__init__(folder / "stack.toml", Environment.load(folder, VALUES))

    def read(self, path: Path) -> tuple[dict[str, Any], dict[Any, int]]:
        return self._given, {}


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(data=sections | st.dictionaries(words | st.text(max_size=5), values, max_size=5))
@example(data={"workspace": {"name": "Acme", "timezone": "UTC", "region": "US"}})
@example(data={"workspace": {"name": date(2025, 1, 1), "timezone": "\0", "region": "ß"}, "roles": {"crm": "\ud800"}})
def test_whatever_it_holds_gives_a_stack_or_a_config_error(data: dict[str, Any], tmp_path: Path) -> None:
    stack: Stack | None = None
    problems: tuple[Problem, ...] = ()
    try:
        stack = assemble(Given(data, tmp_path), tmp_path)
    except ConfigError as error:
        problems = error.problems
    assert (stack is None) is bool(problems)
    assert all(each.message for each in problems)
    assert not [value for value in VALUES.values() if value in str(problems)]
    if stack:
        assert stack.system_of_record in stack.connections
        assert set(stack.roles.values()) <= set(stack.connections)
