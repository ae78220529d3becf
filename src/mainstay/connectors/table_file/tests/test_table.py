from __future__ import annotations

import asyncio
import multiprocessing
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mainstay.connectors.table_file import CONNECTOR
from mainstay.connectors.table_file.csv_lines import Dialect
from mainstay.connectors.table_file.files import TableFile
from mainstay.connectors.table_file.settings import TableFileConnection
from mainstay.kit import NeedsHumanError, PermanentError, Written
from tests.connectors.table_conformance import person
from tests.connectors.table_file_bench import FileBench

SAFE = Dialect(",", is_safe=True)
only_csv = pytest.mark.parametrize("bench", ["csv"], indirect=True)
only_parquet = pytest.mark.parametrize("bench", ["parquet"], indirect=True)


def settings(folder: Path | str, stack: Path | None = None, **keys: Any) -> TableFileConnection:
    value = {"connector": "table_file", "folder": str(folder), **keys}
    return TableFileConnection.model_validate(value, context={"folder": stack} if stack else None)


# --------------------------------------------------------------------------------------------------- the folder


def test_a_folder_is_below_the_stack_or_named_whole(tmp_path: Path) -> None:
    stack = tmp_path / "stack"
    assert settings("tables", stack).folder == stack / "tables"
    assert settings(tmp_path / "elsewhere", stack).folder == tmp_path / "elsewhere"
    default = TableFileConnection.model_validate({"connector": "table_file"}, context={"folder": stack})
    assert default.folder == stack / "tables"
    for outside in ("..", "../elsewhere", "a/../../b"):
        with pytest.raises(ValidationError, match="leads out of the stack's folder"):
            settings(outside, stack)
    with pytest.raises(ValidationError, match=r"has one of"):
        settings(tmp_path / "[a]")


def test_a_link_out_of_the_stack_is_no_folder_of_it(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "tables").symlink_to(tmp_path)
    with pytest.raises(ValidationError, match="leads out"):
        settings("tables", tmp_path / "stack")


@pytest.mark.parametrize(
    "table", ["../x", "a/b", "/etc/passwd", "..", ".", ".hidden.", "a\\b", "a*", "[a]", "x:y", "-\ud800"]
)
async def test_a_name_never_leads_out(bench: FileBench, table: str) -> None:
    for call in (bench.table().read_rows(table), bench.table().upsert_rows(table, "id", [person(1)])):
        with pytest.raises(PermanentError, match="cannot be the name of"):
            await call


async def test_a_file_that_is_a_link_out_is_refused(bench: FileBench, tmp_path: Path) -> None:
    bench.folder.mkdir()
    (tmp_path / "secret").write_bytes(b"id\r\n1\r\n")
    bench.path("Contacts").symlink_to(tmp_path / "secret")
    for call in (bench.table().read_rows("Contacts"), bench.table().upsert_rows("Contacts", "id", [person(1)])):
        with pytest.raises(NeedsHumanError, match="leads out of the folder"):
            await call
    assert (tmp_path / "secret").read_bytes() == b"id\r\n1\r\n"


async def test_check_says_where(bench: FileBench) -> None:
    await bench.table().upsert_rows("Contacts", "id", [person(1)])
    assert CONNECTOR.check is not None
    told = await CONNECTOR.check(settings(bench.folder, format=bench.format), bench.attempts[-1])
    assert told == f"the folder {bench.folder} with 1 {bench.format} file"


# ------------------------------------------------------------------------------------------------------ writing


def _write(folder: Path, kind: str, writer: int) -> None:
    for number in range(5):
        name = f"{writer}-{number}"
        TableFile(settings(folder, format=kind), "Contacts").upsert("id", {name: {"id": name, "by": writer}})


async def test_processes_that_write_at_once_lose_nothing(bench: FileBench) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write, args=(bench.folder, bench.format, number)) for number in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        await asyncio.to_thread(writer.join)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert len({row["id"] for row in await bench.cells("Contacts")}) == 15


async def test_nothing_new_leaves_the_file_untouched(bench: FileBench) -> None:
    await bench.table().upsert_rows("Contacts", "id", [person(1)])
    before = bench.path("Contacts").stat().st_ino
    await bench.table().upsert_rows("Contacts", "id", [person(1)])
    await bench.table().remove_rows("Contacts", "id", ["gone"])
    assert bench.path("Contacts").stat().st_ino == before
    await bench.table().upsert_rows("Contacts", "id", [person(2)])
    assert bench.path("Contacts").stat().st_ino != before


async def test_pages_go_on_where_the_file_was_replaced(bench: FileBench) -> None:
    await bench.table().upsert_rows("Contacts", "id", [person(number) for number in range(25_000)])
    first = await bench.table().read_rows("Contacts")
    await bench.table().upsert_rows("Contacts", "id", [person(3, name="Zoë")])
    second = await bench.table().read_rows("Contacts", first.cursor)
    assert [first.rows[0]["id"], second.rows[0]["id"], len(second.rows)] == ["c-000000", "c-010000", 10_000]


@only_csv
@pytest.mark.parametrize("content", [b"id,name\r\n1,\xff\r\n", b'id,name\r\n1,"open\r\n', b'id,name\r\n1,"a"b\r\n'])
async def test_a_file_that_is_no_csv_is_told_and_kept(bench: FileBench, content: bytes) -> None:
    bench.folder.mkdir()
    bench.path("Contacts").write_bytes(content)
    with pytest.raises(PermanentError, match="UTF-8|no CSV"):
        await bench.table().upsert_rows("Contacts", "id", [person(2)])
    with pytest.raises(PermanentError, match="UTF-8|no CSV"):
        await bench.table().read_rows("Contacts")
    assert bench.path("Contacts").read_bytes() == content


@only_csv
async def test_a_mark_of_byte_order_stays_and_ragged_lines_too(bench: FileBench) -> None:
    bench.folder.mkdir()
    bench.path("Contacts").write_bytes("\ufeffid;name\r\n1;Zoë\r\n2\r\n\r\n".encode())
    await bench.table(delimiter=";").upsert_rows("Contacts", "id", [{"id": "3", "name": "=1+1"}])
    assert bench.path("Contacts").read_bytes() == "\ufeffid;name\r\n1;Zoë\r\n2\r\n3;'=1+1\r\n".encode()
    found = await bench.table(delimiter=";").read_rows("Contacts")
    assert [row["name"] for row in found.rows] == ["Zoë", "", "=1+1"]


@only_csv
async def test_a_spreadsheet_runs_nothing_of_a_file(bench: FileBench) -> None:
    texts = ["=1+1", "@x", "+1-555-0100", "-5", "+A1", "\t=1", "plain"]
    await bench.table().upsert_rows("Safe", "id", [{"id": text} for text in texts])
    await bench.table(spreadsheet_safe=False).upsert_rows("Bare", "id", [{"id": text} for text in texts])
    assert [row["id"] for row in await bench.cells("Safe")] == [
        "'=1+1", "'@x", "+1-555-0100", "-5", "'+A1", "'\t=1", "plain"
    ]  # fmt: skip
    assert [row["id"] for row in await bench.cells("Bare")] == texts


@given(st.text(alphabet="'=+-@\t\r019 aÄ\n\"", max_size=12))
def test_what_is_written_safely_is_read_as_it_was(text: str) -> None:
    assert SAFE.shown(SAFE.written(text)) == text


@only_parquet
async def test_columns_of_parquet_keep_their_types(bench: FileBench) -> None:
    bench.folder.mkdir()
    path = bench.path("Contacts")
    rows = "SELECT 1 AS id, DATE '2026-01-31' AS born, 1.5::DOUBLE AS amount, [1, 2] AS list, NULL::INT AS empty"
    duckdb.sql(f"COPY ({rows}) TO '{path}'")
    written = await bench.table().upsert_rows("Contacts", "id", [{"id": 2, "born": "2026-02-01", "note": 'a,"b"\nc'}])
    assert written == Written(created=1)
    found = duckdb.read_parquet(str(path))
    assert list(map(str, found.types)) == ["INTEGER", "DATE", "DOUBLE", "INTEGER[]", "INTEGER", "VARCHAR"]
    assert found.fetchall()[1][5] == 'a,"b"\nc'
    with pytest.raises(PermanentError, match="cannot be read or written as Parquet"):
        await bench.table().upsert_rows("Contacts", "id", [{"id": 2, "born": "soon"}])


@only_parquet
async def test_what_is_no_parquet_is_told_and_kept(bench: FileBench) -> None:
    bench.folder.mkdir()
    bench.path("Contacts").write_bytes(b"id,name")
    with pytest.raises(PermanentError, match="cannot be read or written as Parquet"):
        await bench.table().upsert_rows("Contacts", "id", [person(2)])
    assert bench.path("Contacts").read_bytes() == b"id,name"
