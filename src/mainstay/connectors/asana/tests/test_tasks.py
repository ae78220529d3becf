from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from mainstay.connectors.asana import CONNECTOR
from mainstay.connectors.asana.settings import AsanaConnection
from mainstay.kit import Access, ConnectionSettings, NeedsHumanError, PermanentError, Task
from mainstay.sandbox import Sandbox
from mainstay.sandbox.vendors.asana import WORKSPACE
from tests.connectors.tasks_conformance import (
    DANA,
    FULL,
    TOKEN,
    Bench,
    Stored,
    TasksConformance,
    TasksVendor,
    bench,
    sandbox,
)
from tests.sandbox.wire import call

__all__ = ["bench", "sandbox"]


def connection(base_url: str = "", **more: Any) -> AsanaConnection:
    told = {"connector": "asana", "token": TOKEN, "workspace": WORKSPACE, "project": "leads", "base_url": base_url}
    return AsanaConnection.model_validate(told | more)


class Vendor:
    name = "asana"
    connector = CONNECTOR
    unknown_id = "999999999"
    project = "sales"
    creating: Mapping[str, Any] = MappingProxyType({"method": "POST", "path": "/api/1.0/tasks"})
    commenting: Mapping[str, Any] = MappingProxyType({"method": "POST", "path": "/api/1.0/tasks/*/stories"})

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(f"{base_url}/api/1.0")

    def prepare(self, sandbox: Sandbox) -> None:
        sandbox.seed("asana", "users", [{"email": DANA, "name": "Dana"}])

    def discard(self, sandbox: Sandbox, task_id: str) -> None:
        url = f"{sandbox.url('asana')}/api/1.0/tasks/{task_id}"
        assert call("DELETE", url, None, {"Authorization": f"Bearer {TOKEN}"}).status == 200

    def tasks(self, state: Mapping[str, Any]) -> list[Stored]:
        return [
            Stored(
                task["gid"],
                task["name"],
                task["notes"],
                task["due_on"] or "",
                (task["assignee"] or {}).get("email", ""),
                tuple(sorted(tag["name"] for tag in task["tags"])),
                is_done=task["completed"],
                comments=tuple(story["text"] for story in state["stories"] if story["target"] == task["gid"]),
            )
            for task in state["tasks"]
        ]


@pytest.fixture
def vendor() -> TasksVendor:
    return Vendor()


class TestConformance(TasksConformance):
    pass


def by_app(bench: Bench, key: str = "run.1", ago: float = 5.0) -> Any:
    nothing = connection(token="", client_id="a", client_secret="b").token
    role, http = bench.http(key=key, client_id="app", token=nothing)

    async def authorize(_refused: str) -> Access:
        return Access(TOKEN)

    http.authorize, http.tried_ago = authorize, ago
    return role


async def test_an_app_finds_its_task_by_its_own_id_whatever_the_words(bench: Bench) -> None:
    one = await by_app(bench, "run.1").create_task(FULL)
    two = await by_app(bench, "run.2").create_task(FULL)

    assert await by_app(bench, "run.2", ago=-60).find_create_task(FULL) == two
    assert await by_app(bench, "run.1", ago=-60).find_create_task(FULL) == one
    assert await by_app(bench, "run.3", ago=-60).find_create_task(FULL) is None


async def test_where_asana_did_not_keep_our_id_the_words_count(bench: Bench) -> None:
    bench.sandbox.configure("asana", apps=[])
    made = await by_app(bench).create_task(FULL)

    assert await by_app(bench).find_create_task(FULL) == made


@pytest.mark.parametrize(
    "other",
    [Task("Call"), Task("Call back", notes="x"), Task("Call back", due=FULL.due), Task("Call back", project="sales")],
)
async def test_a_task_of_other_words_is_not_ours(bench: Bench, other: Task) -> None:
    await bench.role().create_task(other)
    role: Any = bench.role()
    bench.attempts[-1].tried_ago = 5
    assert await role.find_create_task(Task("Call back")) is None


async def test_an_older_task_or_comment_of_the_same_words_is_not_ours(bench: Bench) -> None:
    made = await bench.role().create_task(Task("Call back"))
    await bench.role().add_comment(made.id, "x")
    role: Any = bench.role()
    for ago, is_found in ((5, True), (-10, False)):
        bench.attempts[-1].tried_ago = ago
        assert (await role.find_create_task(Task("Call back")) is not None) is is_found
        assert (await role.find_add_comment(made.id, "x") is not None) is is_found
    assert await role.find_add_comment(made.id, "y") is None


async def test_a_list_that_lags_does_not_show_it_yet(bench: Bench) -> None:
    bench.sandbox.configure("asana", list_lag_ms=60_000)
    await bench.role().create_task(Task("Call back"))
    role: Any = bench.role()
    assert await role.find_create_task(Task("Call back")) is None


async def test_what_stands_on_a_later_page_is_found(bench: Bench) -> None:
    names = [{"name": f"t{number}"} for number in range(205)]
    await asyncio.to_thread(bench.sandbox.seed, "asana", "tags", [*names, {"name": "Late"}])
    await asyncio.to_thread(bench.sandbox.seed, "asana", "projects", [*names, {"name": "Late"}])
    await bench.role().create_task(Task("x", labels=("late",), project="late"))
    assert (await bench.only()).labels == ("Late",)


async def test_a_project_may_be_given_by_its_number(bench: Bench) -> None:
    gid = bench.sandbox.state("asana")["projects"][1]["gid"]
    await bench.role().create_task(Task("x", project=gid))
    assert bench.sandbox.state("asana")["tasks"][0]["projects"][0]["name"] == "Sales"
    with pytest.raises(PermanentError, match="Not a recognized ID: 77"):
        await bench.role().create_task(Task("x", project="77"))
    with pytest.raises(PermanentError, match="no project: name one"):
        await bench.role(project="").create_task(Task("x"))


async def test_check_names_the_workspaces_where_this_is_none_of_them(bench: Bench) -> None:
    assert CONNECTOR.check is not None
    with pytest.raises(NeedsHumanError, match=f"Sandbox is {WORKSPACE}"):
        await CONNECTOR.check(connection(workspace="7"), bench.http()[1])


async def test_somebody_who_has_left_does_not_hide_the_task(bench: Bench) -> None:
    made = await bench.role().create_task(FULL)
    await bench.fault("status", status=404, path="/api/1.0/users/*")
    read = await bench.role().fetch_task(made.id)
    assert read is not None
    assert (read.title, read.assignee) == (FULL.title, "")
