"""Which versions of a workflow begin runs, and which only drain."""

from __future__ import annotations

from typing import Any

import pytest

from mainstay.engine.definition import Workflow
from mainstay.engine.schedule import Schedule
from mainstay.engine.versions import beginning, draining, version_of


async def work(*_: Any) -> None:
    """Do nothing."""


def declared(name: str, on: str = "contact.created", **more: Any) -> Workflow:
    return Workflow(name, on, work, **more)


DAILY = Schedule("0 9 * * *")


@pytest.mark.parametrize(
    ("workflows", "drained"),
    [
        ([], set()),
        ([declared("a.v1")], set()),
        ([declared("a.v1"), declared("a.v2")], {"a.v1"}),
        ([declared("a.v2"), declared("a.v10"), declared("a.v9")], {"a.v2", "a.v9"}),
        ([declared("a.v1"), declared("b.v2")], set()),
        ([declared("a.v1", "contact.updated"), declared("a.v2", "contact.created")], set()),
        ([declared("a.v1", ""), declared("a.v2")], set()),
        ([declared("d.v1", "", schedule=DAILY), declared("d.v2", "", schedule=DAILY)], {"d.v1"}),
        ([declared("d.v1", "", schedule=DAILY), declared("d.v2")], set()),
    ],
)
def test_a_version_drains_once_a_later_one_is_begun_by_the_same(workflows: list[Workflow], drained: set[str]) -> None:
    assert draining(workflows) == drained
    assert [each.name for each in beginning(workflows)] == [each.name for each in workflows if each.name not in drained]


@pytest.mark.parametrize(
    ("name", "parts"), [("a.v1", ("a", 1)), ("speed_to_lead.v12", ("speed_to_lead", 12)), ("odd", ("odd", 0))]
)
def test_a_name_has_its_version_at_its_end(name: str, parts: tuple[str, int]) -> None:
    assert version_of(name) == parts
