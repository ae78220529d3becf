from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from mainstay.connectors.sql_table import CONNECTOR
from mainstay.connectors.sql_table.settings import SqlConnection
from mainstay.connectors.sql_table.table import quoted
from mainstay.kit import NeedsHumanError, PermanentError, TransientError, Written
from tests.connectors.sql_table_bench import SqlBench
from tests.connectors.table_conformance import person, read_all


async def made(bench: SqlBench, columns: str, name: str = "Contacts") -> None:
    await bench.admin.execute(f"CREATE TABLE {bench.at(name)} ({columns})")
    await bench.admin.execute(f"ALTER TABLE {bench.at(name)} OWNER TO {quoted(bench.user)}")


async def test_columns_keep_their_types(bench: SqlBench) -> None:
    await made(
        bench, "id bigint PRIMARY KEY, born date, amount numeric(9,2) NOT NULL DEFAULT 0, extra json, seen timestamptz"
    )
    row: dict[str, Any] = {"id": 7, "born": "2026-01-31", "amount": 12.5, "extra": '{"a": 1}', "seen": None}

    assert await bench.table().upsert_rows("Contacts", "id", [row]) == Written(created=1)
    assert await bench.table().upsert_rows("Contacts", "id", [{**row, "amount": "12.50"}]) == Written()
    assert await bench.table().upsert_rows("Contacts", "id", [{**row, "born": ""}]) == Written(updated=1)

    assert (await read_all(bench))[0] == [{"id": "7", "born": "", "amount": "12.50", "extra": '{"a": 1}', "seen": ""}]
    assert await bench.table().remove_rows("Contacts", "id", ["7"]) == Written(removed=1)


@pytest.mark.parametrize(
    ("columns", "row", "error", "reason"),
    [
        ("id text", {"id": "1"}, NeedsHumanError, "42P10.*make the key column unique"),
        ("id text UNIQUE, n int", {"id": "1", "n": "x"}, PermanentError, "22P02"),
        ("id text UNIQUE, name varchar(3)", {"id": "1", "name": "long"}, PermanentError, "22001"),
        ("id text UNIQUE, name text NOT NULL, other int NOT NULL", {"id": "1", "name": "x"}, PermanentError, "23502"),
        ("id text UNIQUE, name text CHECK (name = 'a')", {"id": "1", "name": "b"}, PermanentError, "23514"),
    ],
)
async def test_what_does_not_fit_is_refused_whole(
    bench: SqlBench, columns: str, row: dict[str, Any], error: type[Exception], reason: str
) -> None:
    await made(bench, columns)
    with pytest.raises(error, match=reason):
        await bench.table().upsert_rows("Contacts", "id", [{**row, "id": "0"} | {"id": "0"}, row])
    assert await bench.cells("Contacts") == []


async def test_two_keys_that_are_one_in_the_column_are_refused(bench: SqlBench) -> None:
    await made(bench, "id int PRIMARY KEY, name text")
    with pytest.raises(PermanentError, match="21000"):
        await bench.table().upsert_rows("Contacts", "id", [{"id": "7", "name": "a"}, {"id": "07", "name": "b"}])


async def test_a_table_without_a_unique_column_is_read_by_its_blocks(bench: SqlBench) -> None:
    await made(bench, "id text, name text")
    await bench.admin.execute(
        f"INSERT INTO {bench.at('Contacts')} SELECT n::text, repeat('x', 200) FROM generate_series(1, 30000) n"  # noqa: S608
    )
    rows, pages = await read_all(bench)
    assert sorted(int(row["id"]) for row in rows) == list(range(1, 30_001))
    assert pages > 3


async def test_many_pages_along_a_key_that_is_typed(bench: SqlBench) -> None:
    await made(bench, "id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text")
    await bench.admin.execute(f"INSERT INTO {bench.at('Contacts')} (name) SELECT 'x' FROM generate_series(1, 25000)")  # noqa: S608
    rows, pages = await read_all(bench)
    assert (len({row["id"] for row in rows}), pages) == (25_000, 3)
    with pytest.raises(PermanentError, match="is no cursor"):
        await bench.table().read_rows("Contacts", "after:x")


async def test_many_writers_at_once_lose_and_double_nothing(bench: SqlBench) -> None:
    await bench.table().upsert_rows("Contacts", "id", [person(0)])
    forth = [person(number, name=f"of {writer}") for writer in range(8) for number in range(200)]
    calls = [bench.table().upsert_rows("Contacts", "id", forth[start : start + 200]) for start in range(0, 1600, 200)]
    results = await asyncio.gather(*(calls[:4] + calls[4:]))
    assert sum(written.created for written in results) == 199
    assert len(await bench.cells("Contacts")) == 200


async def test_rights_that_are_missing_need_a_person(bench: SqlBench) -> None:
    await bench.admin.execute(f"CREATE TABLE {bench.at('Contacts')} (id text PRIMARY KEY)")
    with pytest.raises(NeedsHumanError, match="42501.*grant the user"):
        await bench.table().upsert_rows("Contacts", "id", [{"id": "1"}])


@pytest.mark.parametrize(
    ("address", "error", "reason"),
    [
        ("postgresql://nobody:wrong-pass@127.0.0.1:1/x", TransientError, "could not connect"),
        ("postgresql://nobody:wrong-pass@127.0.0.1:PORT/x?sslmode=disable", NeedsHumanError, "28|3D000"),
    ],
)
async def test_a_dsn_that_leads_nowhere_is_told_without_its_password(
    bench: SqlBench, address: str, error: type[Exception], reason: str
) -> None:
    assert bench.line.server is not None
    port = str(bench.line.server.sockets[0].getsockname()[1])
    with pytest.raises(error, match=reason) as caught:
        await bench.table(dsn=address.replace("PORT", port)).read_rows("Contacts")
    shown = f"{caught.value!r} {caught.value.__cause__} {caught.value.__context__} {bench.attempts[-1].exchanges}"
    assert "wrong-pass" not in shown
    assert bench.attempts[-1].exchanges[-1]["error"]


@pytest.mark.parametrize("dsn", ["", "x", "mysql://u:p@h/d", "postgresql://u:p@h", "postgresql://u:p@h:x/d"])
def test_what_is_no_dsn(dsn: str) -> None:
    with pytest.raises(ValidationError, match="is no address"):
        SqlConnection.model_validate({"connector": "sql_table", "dsn": dsn})


async def test_check_says_who(bench: SqlBench) -> None:
    bench.table()
    assert CONNECTOR.check is not None
    told = await CONNECTOR.check(bench.settings(), bench.attempts[-1])
    assert told.startswith("the database 127.0.0.1:")
    assert told.endswith(f"as {bench.user}")
