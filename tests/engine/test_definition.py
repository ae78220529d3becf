from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from mainstay import ConfigError, Contact, Context, workflow
from mainstay.engine.definition import declared_in


async def function(ctx: Context, contact: Contact) -> None: ...


def plain(ctx: Context, contact: Contact) -> None: ...


@pytest.mark.parametrize(
    ("name", "on", "declared", "says"),
    [
        ("Speed To Lead", "contact.created", function, 'for example "speed_to_lead.v1"'),
        ("!", "contact.created", function, 'for example "my_workflow.v1"'),
        ("welcome.v0", "contact.created", function, "a version at its end"),
        ("welcome.v1\n", "contact.created", function, "a version at its end"),
        ("push.v2", "contact.created", function, "choose another name"),
        ("welcome.v1", "created", function, "an event type is noun.verb"),
        ("welcome.v1", "contact.creatd", function, 'Did you mean "contact.created"?'),
        ("welcome.v1", "contacts.update", function, 'Did you mean "contact.updated"?'),
        ("welcome.v1", "contact.created", plain, "write: async def"),
    ],
)
def test_what_cannot_be_told_apart_later_is_refused(name: str, on: str, declared: object, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        workflow(name, on=on)(declared)  # type: ignore[type-var]

    assert says in str(caught.value)
    assert __file__ in caught.value.problems[0].where


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        workflow("Welcome", on="created")(plain)  # type: ignore[type-var]
    assert len(caught.value.problems) == 3


def test_a_module_gives_its_workflows_once_in_order() -> None:
    @workflow("second_in_name.v1", on="contact.created", critical=True)
    async def one(ctx: Context, contact: Contact) -> None: ...

    @workflow("first_in_name.v2", on="contact.updated")
    async def two(ctx: Context, contact: Contact) -> None: ...

    found = declared_in(SimpleNamespace(b=two, a=one, again=one, other=3))

    assert [(each.name, each.on, each.critical) for each in found] == [
        ("second_in_name.v1", "contact.created", True),
        ("first_in_name.v2", "contact.updated", False),
    ]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mode": "snyc"}, "there is no such mode"),
        ({"mode": "sync", "answer_within": "2 hours"}, "from a tenth of a second to 30 seconds"),
        ({"mode": "sync", "answer_within": "31s"}, "from a tenth of a second to 30 seconds"),
        ({"mode": "sync", "answer_within": 0}, "from a tenth of a second to 30 seconds"),
        ({"mode": "sync", "debounce": "5m"}, "a caller cannot wait for a quiet moment"),
        ({"mode": "sync", "answer_within": None}, 'answer_within="2s"'),
        ({"mode": "sync", "answer_within": float("nan")}, 'answer_within="2s"'),
    ],
)
def test_how_a_caller_waits_is_checked(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        workflow("quote.v1", **options)(function)
    assert says in str(caught.value)


def test_a_workflow_is_async_and_may_be_started_by_name_alone() -> None:
    @workflow("one.v1")
    async def one(ctx: Context, contact: Contact) -> None: ...

    @workflow("two.v1", on="contact.created", mode="sync", answer_within=0.5)
    async def two(ctx: Context, contact: Contact) -> int:
        return 3

    first, second = declared_in(SimpleNamespace(one=one, two=two))
    assert (first.on, first.mode, first.is_sync) == ("", "async", False)
    assert (second.is_sync, second.answer_within) == (True, timedelta(seconds=0.5))


def test_an_unversioned_name_says_its_rule() -> None:
    with pytest.raises(ConfigError) as caught:
        workflow("welcome", on="contact.created")(function)
    assert caught.value.problems[0].code == "RUN004"
