from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import aiohttp
import pytest

from mainstay.connectors.notion import CONNECTOR
from mainstay.connectors.notion.cells import read, write
from mainstay.connectors.notion.settings import NotionConnection
from mainstay.kit import Connector, Http, NeedsHumanError, PermanentError, Table, TransientError, Written
from mainstay.kit.http import open_session
from mainstay.sandbox import Sandbox, SandboxProcess
from mainstay.sandbox.vendors.notion_account import SHARED_PAGE
from tests.connectors.table_conformance import T, TableConformance, person, read_all
from tests.contracts.vendor_specs import validate_recorded
from tests.kit.recorder import Recorder, recording

DATABASE = "248104cd-477e-80fd-b757-e945d38000bd"


def connection(**keys: Any) -> NotionConnection:
    given = {"connector": "notion", "token": "ntn_test", "create": "tables", "page": SHARED_PAGE}
    return NotionConnection.model_validate(given | keys)


def role(session: aiohttp.ClientSession, url: str, **keys: Any) -> Table:
    made = connection(base_url=url, **keys)
    assert CONNECTOR.http is not None
    http = Http(session, replace(CONNECTOR.http(made), timeout=20.0), idempotency_key="run.1")
    table: Table = CONNECTOR.roles["table"](made, http, None)
    return table


@dataclass
class NotionBench:
    sandbox: Sandbox
    session: aiohttp.ClientSession
    connector: Connector = CONNECTOR

    def table(self, **settings: Any) -> Table:
        return role(self.session, self.sandbox.url("notion"), **settings)

    async def seed(self, table: str, rows: Sequence[Sequence[str]]) -> None:
        record = {"title": table, "rows": [list(row) for row in rows]}
        await asyncio.to_thread(self.sandbox.seed, "notion", "databases", [record])

    async def cells(self, table: str) -> list[dict[str, str]]:
        state = await asyncio.to_thread(self.sandbox.state, "notion")
        (source,) = [each for each in state["data_sources"] if each["title"][0]["plain_text"] == table]
        pages = [
            each["properties"]
            for each in state["pages"]
            if each["parent"]["data_source_id"] == source["id"] and not each["in_trash"]
        ]
        return [{name: read(page[name]) for name in source["properties"]} for page in pages]

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.set_fault("notion", kind, **{"count": 1} | options))

    async def configure(self, **settings: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.configure("notion", **settings))

    async def revoke(self) -> None:
        await self.configure(tokens=[])

    async def crowd(self) -> None:
        await self.fault("status", status=429)

    async def lose_answer(self) -> None:
        state = await asyncio.to_thread(self.sandbox.state, "notion")
        # The rows that are there are changed or removed; where there is but one, others are made.
        method, path = ("POST", "*/v1/pages") if len(state["pages"]) == 1 else ("PATCH", "*/v1/pages/*")
        await self.fault("drop_after", method=method, path=path)


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
async def bench(process: SandboxProcess) -> AsyncIterator[NotionBench]:
    await process.aio.reset()
    async with open_session() as session:
        yield NotionBench(process.sandbox, session)
        with contextlib.suppress(pytest.skip.Exception):
            for record in await process.aio.requests("notion"):
                # The log keeps 64 kB of a body.
                answered = (record["answer"] or {"body": ""})["body"]
                if max(len(each.encode()) for each in (record["body"], answered)) < 60_000:
                    validate_recorded(record)


class TestConformance(TableConformance):
    writes_one = True
    many = 620
    least_batch = 50


async def test_a_row_that_says_so_already_costs_no_write(bench: NotionBench) -> None:
    rows = [person(number) for number in range(60)]
    await bench.table().upsert_rows(T, "id", rows)
    before = len(await asyncio.to_thread(bench.sandbox.effects, "notion"))

    assert await bench.table().upsert_rows(T, "id", [*rows[:59], person(59, name="Zoë")]) == Written(updated=1)

    assert len(await asyncio.to_thread(bench.sandbox.effects, "notion")) == before + 1


async def test_a_page_that_was_made_and_is_not_found_yet_is_waited_for(bench: NotionBench) -> None:
    await bench.table().upsert_rows(T, "id", [person(1)])
    await bench.lose_answer()

    with pytest.raises(TransientError) as caught:
        await bench.table().upsert_rows(T, "id", [person(2)])

    assert (caught.value.unsure, caught.value.retry_after) == (True, 15.0)


async def test_an_overload_is_waited_for(bench: NotionBench) -> None:
    await bench.table().upsert_rows(T, "id", [person(1)])
    await bench.fault("status", status=529, path="*/v1/pages")
    with pytest.raises(TransientError) as caught:
        await bench.table().upsert_rows(T, "id", [person(2)])
    assert caught.value.retry_after is not None
    assert len(await bench.cells(T)) == 1


async def test_a_database_without_pages_gets_our_key(bench: NotionBench) -> None:
    await bench.seed(T, [["Name"]])
    assert await bench.table(create="columns").upsert_rows(T, "id", [person(1)]) == Written(created=1)
    assert (await read_all(bench))[0] == [{"Name": "", "id": "c-000001", "name": "Person 1", "email": "p1@example.com"}]


async def test_all_pages_of_a_key_go_and_the_oldest_is_written(bench: NotionBench) -> None:
    await bench.seed(T, [["id", "name"], ["c-1", "first"], ["c-1", "second"]])
    assert await bench.table().upsert_rows(T, "id", [{"id": "c-1", "name": "new"}]) == Written(updated=1)
    assert [row["name"] for row in await bench.cells(T)] == ["new", "second"]
    assert await bench.table().remove_rows(T, "id", ["c-1"]) == Written(removed=2)


async def test_columns_of_other_types(bench: NotionBench) -> None:
    await bench.seed(T, [["id"]])
    properties = [{"name": kind, "type": kind} for kind in ("email", "phone_number", "url", "number", "people")]
    await asyncio.to_thread(bench.sandbox.seed, "notion", "properties", properties)
    row = {"id": "1", "email": "zoe@example.com", "phone_number": "+13125550147", "url": "https://x.example"}

    assert await bench.table().upsert_rows(T, "id", [{**row, "number": "12.5"}]) == Written(created=1)
    assert (await read_all(bench))[0] == [{**row, "number": "12.5", "people": ""}]
    assert await bench.table().upsert_rows(T, "id", [{**row, "email": "", "number": 7}]) == Written(updated=1)
    assert (await read_all(bench))[0] == [{**row, "email": "", "number": "7", "people": ""}]
    with pytest.raises(PermanentError, match=r"'007' is no number.*make it a Text"):
        await bench.table().upsert_rows(T, "id", [{"id": "1", "number": "007"}])
    with pytest.raises(PermanentError, match=r"'email' has 201 characters"):
        await bench.table().upsert_rows(T, "id", [{"id": "1", "email": "x" * 201}])
    with pytest.raises(NeedsHumanError, match=r"'people'.*type people.*change it to Text"):
        await bench.table().upsert_rows(T, "id", [{"id": "1", "people": "Dana"}])
    with pytest.raises(NeedsHumanError, match=r"'number'.*type number"):
        await bench.table().upsert_rows(T, "number", [{"number": 5}])


async def test_a_page_that_is_not_shared_is_named(bench: NotionBench) -> None:
    with pytest.raises(NeedsHumanError, match=r"0b5f0b2e.*'Contacts'.*not shared"):
        await bench.table(page=f"0b5f0b2e{SHARED_PAGE[8:]}").upsert_rows(T, "id", [person(1)])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"type": "title", "title": [{"plain_text": "Zo"}, {"plain_text": "ë"}, 7]}, "Zoë"),
        ({"type": "number", "number": 5.0}, "5"),
        ({"type": "checkbox", "checkbox": True}, "true"),
        ({"type": "select", "select": {"name": "VIP"}}, "VIP"),
        ({"type": "multi_select", "multi_select": [{"name": "a"}, {"name": 7}, "x", {"name": "b"}]}, "a, b"),
        ({"type": "date", "date": {"start": "2026-01-31", "end": "2026-02-01"}}, "2026-01-31 - 2026-02-01"),
        ({"type": "date", "date": {"start": "2026-01-31", "end": None}}, "2026-01-31"),
        ({"type": "formula", "formula": {"type": "number", "number": 2.5}}, "2.5"),
        ({"type": "formula", "formula": {"type": "formula", "formula": {}}}, ""),
        ({"type": "email", "email": None}, ""),
        ({"type": "created_time", "created_time": "2026-01-31T10:00:00.000Z"}, "2026-01-31T10:00:00.000Z"),
        ({"type": "relation", "relation": [{"id": "x"}]}, ""),
        ({"type": 7}, ""),
        ({}, ""),
    ],
)
def test_what_a_page_shows(value: dict[str, Any], text: str) -> None:
    assert read(value) == text


def test_a_long_text_is_written_in_parts() -> None:
    parts = write("rich_text", "notes", "x" * 2500)["rich_text"]
    assert [len(part["text"]["content"]) for part in parts] == [1000, 1000, 500]
    with pytest.raises(PermanentError, match="100001 characters"):
        write("rich_text", "notes", "x" * 100_001)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (SHARED_PAGE, SHARED_PAGE),
        (f"https://www.notion.so/acme/Our-lists-{SHARED_PAGE.replace('-', '')}?pvs=4", SHARED_PAGE.replace("-", "")),
    ],
)
def test_a_page_is_given_by_its_address(given: str, found: str) -> None:
    assert connection(page=given).page == found


@pytest.mark.parametrize(
    ("keys", "mend"),
    [({"page": "Our lists"}, "is no page of Notion"), ({"page": ""}, "wants page"), ({"create": "x"}, "create")],
)
def test_settings_say_what_is_wrong(keys: dict[str, Any], mend: str) -> None:
    with pytest.raises(ValueError, match=mend):
        connection(**keys)


HOSTILE: list[Any] = [
    {"object": "list", "results": 7},
    {"object": "list", "results": [7, None, "x"], "has_more": "yes", "next_cursor": 7},
    {"object": "list", "results": [{"id": 7, "properties": 7}]},
    {"object": "list", "results": [{"id": DATABASE, "title": 7, "properties": {"id": 7, "name": {"type": []}}}]},
    {"object": "data_source", "id": DATABASE, "properties": {"id": {"type": "rich_text"}, "name": 7}},
    {"object": "data_source", "id": [], "properties": {}},
    {"object": 7},
    [],
    "x",
]


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


@pytest.mark.parametrize("answer", HOSTILE)
@pytest.mark.parametrize("first", HOSTILE)
async def test_answers_of_wrong_types_are_clear_errors(vendor: Recorder, first: Any, answer: Any) -> None:
    for call in ("upsert_rows", "remove_rows", "read_rows"):
        vendor.answer(first)
        for _ in range(8):
            vendor.answer(answer)
        async with open_session() as session:
            table = role(session, vendor.url)
            with contextlib.suppress(PermanentError, TransientError, NeedsHumanError):
                if call == "upsert_rows":
                    await table.upsert_rows(DATABASE, "id", [{"id": "1", "name": "x"}])
                elif call == "remove_rows":
                    await table.remove_rows(DATABASE, "id", ["1"])
                else:
                    await table.read_rows(DATABASE)
