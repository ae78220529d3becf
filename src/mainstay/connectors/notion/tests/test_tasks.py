from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from mainstay.connectors.notion import CONNECTOR
from mainstay.connectors.notion.settings import NotionConnection, Properties
from mainstay.kit import ConnectionSettings, PermanentError, Task, TransientError
from mainstay.sandbox import Sandbox
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
KEYED = Properties(key="Mainstay")


def connection(base_url: str = "", **more: Any) -> NotionConnection:
    told = {"connector": "notion", "token": TOKEN, "database": "tasks", "base_url": base_url}
    return NotionConnection.model_validate(told | more)


def text_of(parts: list[dict[str, Any]]) -> str:
    return "".join(part["plain_text"] for part in parts)


class Vendor:
    name = "notion"
    connector = CONNECTOR
    unknown_id = "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"
    project = "sales"
    creating: Mapping[str, Any] = MappingProxyType({"method": "POST", "path": "/v1/pages"})
    commenting: Mapping[str, Any] = MappingProxyType({"method": "POST", "path": "/v1/comments"})

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(base_url)

    def prepare(self, sandbox: Sandbox) -> None:
        sandbox.seed("notion", "users", [{"email": DANA, "name": "Dana"}])

    def discard(self, sandbox: Sandbox, task_id: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}", "Notion-Version": "2025-09-03"}
        url = f"{sandbox.url('notion')}/v1/pages/{task_id}"
        assert call("PATCH", url, {"in_trash": True}, headers).status == 200

    def tasks(self, state: Mapping[str, Any]) -> list[Stored]:
        def stored(page: Mapping[str, Any]) -> Stored:
            held = page["properties"]
            status = held["State"]
            return Stored(
                page["id"],
                text_of(held["Name"]["title"]),
                "".join(text_of(block["paragraph"]["rich_text"]) for block in page["children"]),
                (held["Due"]["date"] or {}).get("start", ""),
                next((person["person"]["email"] for person in held["Owner"]["people"]), ""),
                tuple(sorted(option["name"] for option in held["Tags"]["multi_select"])),
                is_done=status["status"]["name"] == "Done" if status["type"] == "status" else status["checkbox"],
                comments=tuple(
                    text_of(each["rich_text"]) for each in state["comments"] if each["parent"]["page_id"] == page["id"]
                ),
            )

        return [stored(page) for page in state["pages"] if not page["in_trash"]]


@pytest.fixture
def vendor() -> TasksVendor:
    return Vendor()


class TestConformance(TasksConformance):
    pass


async def test_a_property_of_ours_finds_the_task_whatever_the_words(bench: Bench) -> None:
    bench.sandbox.seed("notion", "properties", [{"name": "Mainstay", "type": "rich_text"}])
    one = await bench.role(key="run.1", properties=KEYED).create_task(FULL)
    two = await bench.role(key="run.2", properties=KEYED).create_task(FULL)

    for key, made in (("run.1", one), ("run.2", two), ("run.3", None)):
        role: Any = bench.role(key=key, properties=KEYED)
        assert await role.find_create_task(FULL) == made


async def test_a_property_that_is_not_there_says_so(bench: Bench) -> None:
    with pytest.raises(PermanentError, match="no rich_text property 'Mainstay'"):
        await bench.role(properties=KEYED).create_task(FULL)
    with pytest.raises(PermanentError, match="no date property 'Name'"):
        await bench.role(properties=Properties(due="Name")).create_task(FULL)


@pytest.mark.parametrize("exact", [False, True])
async def test_an_older_task_or_comment_of_the_same_words_is_not_ours(bench: Bench, exact: bool) -> None:
    bench.sandbox.configure("notion", exact_times=exact)
    made = await bench.role().create_task(Task("Call back"))
    await bench.role().add_comment(made.id, "x")
    role: Any = bench.role()
    for ago, is_found in ((5, True), (-90, False)):
        bench.attempts[-1].tried_ago = ago
        assert (await role.find_create_task(Task("Call back")) is not None) is is_found
        assert (await role.find_add_comment(made.id, "x") is not None) is is_found
    bench.attempts[-1].tried_ago = 5
    assert await role.find_create_task(Task("Call back", due=FULL.due)) is None
    assert await role.find_create_task(Task("Call")) is None
    assert await role.find_add_comment(made.id, "y") is None


async def test_a_query_that_lags_does_not_show_it_yet(bench: Bench) -> None:
    bench.sandbox.configure("notion", query_lag_ms=60_000)
    await bench.role().create_task(Task("Call back"))
    role: Any = bench.role()
    assert await role.find_create_task(Task("Call back")) is None


async def test_a_checkbox_does_as_a_status(bench: Bench) -> None:
    made = await bench.role().create_task(Task("x", project="sales"))
    await bench.role().complete_task(made.id)
    assert (await bench.only()).is_done
    read = await bench.role().fetch_task(made.id)
    assert read is not None
    assert read.is_done


async def test_the_status_of_what_is_done_may_be_named(bench: Bench) -> None:
    made = await bench.role().create_task(Task("x"))
    with pytest.raises(PermanentError, match="no status 'Gone'"):
        await bench.role(done="Gone").complete_task(made.id)
    await bench.role(done="dropped").complete_task(made.id)
    assert bench.sandbox.state("notion")["pages"][0]["properties"]["State"]["status"]["name"] == "Dropped"


async def test_a_database_may_be_given_by_either_id(bench: Bench) -> None:
    source = bench.sandbox.state("notion")["data_sources"][1]
    database = source["parent"]["database_id"]
    for number, given in enumerate((source["id"], source["id"].replace("-", ""), database, database.upper())):
        await bench.role(key=f"run.{number}").create_task(Task("x", project=given))
    pages = bench.sandbox.state("notion")["pages"]
    assert {page["parent"]["data_source_id"] for page in pages} == {source["id"]}
    with pytest.raises(PermanentError, match="no database '2174"):
        await bench.role().create_task(Task("x", project=bench.vendor.unknown_id))
    with pytest.raises(PermanentError, match="no database: name one"):
        await bench.role(database="").create_task(Task("x"))


async def test_a_label_holds_no_comma(bench: Bench) -> None:
    await bench.role().create_task(Task("x", labels=("a, b", ",")))
    assert (await bench.only()).labels == ("a b",)


async def test_long_notes_go_in_parts_and_too_long_ones_are_refused(bench: Bench) -> None:
    notes = "🛠 " * 2500 + "x"
    await bench.role().create_task(Task("x", notes=notes))
    assert (await bench.only()).notes == notes
    with pytest.raises(PermanentError, match="Notion takes 100000"):
        await bench.role().create_task(Task("x", notes="x" * 100_001))


async def test_addresses_that_are_hidden_do_not_hide_the_task(bench: Bench) -> None:
    made = await bench.role().create_task(FULL)
    bench.sandbox.configure("notion", hides_people=True)
    read = await bench.role().fetch_task(made.id)
    assert read is not None
    assert (read.title, read.assignee) == (FULL.title, "")


async def test_people_on_a_later_page_are_found(bench: Bench) -> None:
    people = [{"email": f"p{number}@example.com"} for number in range(150)]
    bench.sandbox.seed("notion", "users", [*people, {"email": "late@example.com"}])
    await bench.role().create_task(Task("x", assignee="late@example.com"))
    assert (await bench.only()).assignee == "late@example.com"


async def test_an_overload_waits(bench: Bench) -> None:
    await bench.fault("status", status=529)
    with pytest.raises(TransientError, match="service_overload") as caught:
        await bench.role().create_task(FULL)
    assert (caught.value.retry_after, caught.value.unsure) == (10, False)
    await bench.fault("status", status=529, retry_after=90)
    with pytest.raises(TransientError) as caught:
        await bench.role().create_task(FULL)
    assert caught.value.retry_after == 90
