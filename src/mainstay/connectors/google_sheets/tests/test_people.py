"""People work in the sheet while we write: what they moved, typed and wrote stays right."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from mainstay.kit import NeedsHumanError, Table, TransientError, Written
from tests.connectors.google_sheets_bench import BOOK, SheetsBench
from tests.connectors.table_conformance import read_all

PATH = f"/v4/spreadsheets/{BOOK}"
PEOPLE = 30


def rows(count: int = PEOPLE, **cells: Any) -> list[dict[str, Any]]:
    return [{"id": f"c-{number:03}", "name": f"Name {number}", **cells} for number in range(count)]


async def do(bench: SheetsBench, *requests: dict[str, Any]) -> None:
    """Change the sheet as somebody else."""
    url = bench.sandbox.url("google_sheets") + f"{PATH}:batchUpdate"
    sent = bench.session.post(url, json={"requests": list(requests)}, headers={"Authorization": "Bearer theirs"})
    async with sent as answer:
        assert answer.status == 200, await answer.text()


async def write(bench: SheetsBench, place: str, values: list[list[Any]], option: str = "USER_ENTERED") -> None:
    url = bench.sandbox.url("google_sheets") + f"{PATH}/values/{place}?valueInputOption={option}"
    async with bench.session.put(url, json={"values": values}, headers={"Authorization": "Bearer theirs"}) as answer:
        assert answer.status == 200, await answer.text()


async def seeded(bench: SheetsBench, count: int = PEOPLE) -> int:
    """Put people in, and return the sheet's id."""
    await bench.table().upsert_rows("Contacts", "id", rows(count))
    url = bench.sandbox.url("google_sheets") + PATH
    async with bench.session.get(url, headers={"Authorization": "Bearer theirs"}) as answer:
        sheets = {each["properties"]["title"]: each["properties"] for each in (await answer.json())["sheets"]}
    return int(sheets["Contacts"]["sheetId"])


def meddled(bench: SheetsBench, where: str, times: int, *requests: dict[str, Any]) -> Table:
    """Return a role under which somebody changes the sheet right before its first ``times`` calls to a place."""
    table = bench.table()
    http = bench.attempts[-1]
    left = times

    async def meddle() -> None:
        nonlocal left
        if where in http.exchanges[-1]["url"] and left and not http.exchanges[-1].get("meddled"):
            http.exchanges[-1]["meddled"] = True
            left -= 1
            await do(bench, *requests)

    http.before_call = meddle
    return table


def sort(sheet: int, order: str = "DESCENDING") -> dict[str, Any]:
    where = {"sheetId": sheet, "startRowIndex": 1}
    return {"sortRange": {"range": where, "sortSpecs": [{"dimensionIndex": 0, "sortOrder": order}]}}


def at(kind: str, sheet: int, first: int, last: int) -> dict[str, Any]:
    return {kind: {"range": {"sheetId": sheet, "dimension": "ROWS", "startIndex": first, "endIndex": last}}}


CHANGES = {
    "sorted": lambda sheet: (sort(sheet),),
    "inserted": lambda sheet: (at("insertDimension", sheet, 3, 6),),
    "deleted": lambda sheet: (at("deleteDimension", sheet, 3, 6),),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("moment", ["ranges=", "values:batchUpdate"])
async def test_rows_that_move_under_a_write_keep_their_cells(bench: SheetsBench, change: str, moment: str) -> None:
    sheet = await seeded(bench)
    changed = [{"id": f"c-{number:03}", "name": f"New {number}"} for number in (0, 1, 2, 8, 9, 20, 29)]

    await meddled(bench, moment, 1, *CHANGES[change](sheet)).upsert_rows("Contacts", "id", changed)

    held = {row["id"]: row["name"] for row in await bench.cells("Contacts")}
    expected = {row["id"]: row["name"] for row in rows()} | {row["id"]: row["name"] for row in changed}
    # Rows that somebody deleted are gone, unless we write them.
    gone = set(expected) - set(held)
    assert gone <= {f"c-{number:03}" for number in range(2, 9)}
    assert held == {name: text for name, text in expected.items() if name not in gone}
    if change != "deleted":
        assert not gone


@pytest.mark.parametrize(("count", "times"), [(PEOPLE, 2), (300, 1), (300, 2), (300, 3)])
async def test_a_row_that_cannot_be_put_right_is_named(bench: SheetsBench, count: int, times: int) -> None:
    sheet = await seeded(bench, count)
    changed = [{"id": f"c-{number:03}", "name": f"New {number}"} for number in (0, 1, 2, 50, 51, count - 5)]

    with pytest.raises(NeedsHumanError, match="Version history") as caught:
        await meddled(bench, "values:batchUpdate", times, sort(sheet)).upsert_rows("Contacts", "id", changed)

    held = {row["id"]: row["name"] for row in await bench.cells("Contacts")}
    expected = {row["id"]: row["name"] for row in [*rows(count), *changed]}
    wrong = {name for name in expected if held.get(name) != expected[name]}
    assert wrong
    assert wrong <= set(re.findall(r"c-\d{3}", str(caught.value)))


async def test_rows_that_never_stand_still_are_tried_again_later(bench: SheetsBench) -> None:
    sheet = await seeded(bench)
    swap = (at("insertDimension", sheet, 1, 2),)
    with pytest.raises(TransientError, match="moved again and again"):
        await meddled(bench, "values:batchUpdate", 100, *swap).upsert_rows("Contacts", "id", rows(name="New"))


async def test_a_row_below_the_last_that_somebody_wrote_is_not_written_over(bench: SheetsBench) -> None:
    sheet = await seeded(bench)
    theirs = {"appendCells": {"sheetId": sheet, "rows": [{"values": [_text("theirs")]}], "fields": "userEnteredValue"}}

    written = await meddled(bench, ":batchUpdate", 1, theirs).upsert_rows("Contacts", "id", rows(PEOPLE + 3))

    assert written == Written(created=3)
    assert [row["id"] for row in await bench.cells("Contacts")][-4:] == ["theirs", "c-030", "c-031", "c-032"]


async def test_two_who_write_new_rows_at_once_lose_none(bench: SheetsBench) -> None:
    await seeded(bench)
    calls = [bench.table().upsert_rows("Contacts", "id", [{"id": f"n-{n}", "name": str(n)}]) for n in range(12)]
    assert await asyncio.gather(*calls) == [Written(created=1)] * 12
    assert len({row["id"] for row in await bench.cells("Contacts")}) == PEOPLE + 12


async def test_a_removal_that_hit_others_says_whom(bench: SheetsBench) -> None:
    sheet = await seeded(bench)
    with pytest.raises(NeedsHumanError, match=r"c-029.*Version history"):
        await meddled(bench, ":batchUpdate", 1, sort(sheet)).remove_rows("Contacts", "id", ["c-000"])


async def test_a_request_that_comes_late_is_refused_once_its_repeat_has_been(bench: SheetsBench) -> None:
    await seeded(bench)
    await bench.fault("drop_before", method="POST", path="*:batchUpdate", contains="appendCells")
    with pytest.raises(TransientError):
        await bench.table(step="run.7").upsert_rows("Contacts", "id", rows(PEOPLE + 2))
    late = (await bench.requests())[-1]
    assert await bench.table(step="run.7").upsert_rows("Contacts", "id", rows(PEOPLE + 2)) == Written(created=2)

    url = bench.sandbox.url("google_sheets") + late["path"]
    headers = {"Authorization": "Bearer ours", "Content-Type": "application/json"}
    async with bench.session.post(url, data=late["body"], headers=headers) as answer:
        assert answer.status == 400

    assert len(await bench.cells("Contacts")) == PEOPLE + 2
    # Had the late one come first, the repeat would have found its mark.
    assert await bench.table(step="run.7").upsert_rows("Contacts", "id", rows(PEOPLE + 2)) == Written()


async def test_a_request_that_lands_between_look_and_repeat_is_not_doubled(bench: SheetsBench) -> None:
    await seeded(bench)
    await bench.fault("drop_before", method="POST", path="*:batchUpdate", contains="appendCells")
    with pytest.raises(TransientError):
        await bench.table(step="run.7").upsert_rows("Contacts", "id", rows(PEOPLE + 2))
    late = (await bench.requests())[-1]
    table = bench.table(step="run.7")
    http = bench.attempts[-1]
    sent = 0

    async def land() -> None:
        nonlocal sent
        if ":batchUpdate" in http.exchanges[-1]["url"] and not sent:
            sent += 1
            url = bench.sandbox.url("google_sheets") + late["path"]
            headers = {"Authorization": "Bearer ours", "Content-Type": "application/json"}
            async with bench.session.post(url, data=late["body"], headers=headers) as answer:
                assert answer.status == 200

    http.before_call = land
    await table.upsert_rows("Contacts", "id", rows(PEOPLE + 2))

    held = [row["id"] for row in await bench.cells("Contacts")]
    assert (len(held), len(set(held))) == (PEOPLE + 2, PEOPLE + 2)


async def test_the_same_step_may_write_what_was_removed_since(bench: SheetsBench) -> None:
    for _ in range(2):
        written = await bench.table(step="run.7").upsert_rows("Contacts", "id", rows(3))
        assert written.created == 3
        await bench.table().remove_rows("Contacts", "id", [row["id"] for row in rows(3)])


async def test_what_people_typed_is_read_as_they_see_it(bench: SheetsBench) -> None:
    typed = [["id", "sum", "day", "yes", "number"], ["1", "=20+22", "2026-01-31", "true", "007"]]
    await bench.seed("Contacts", typed, typed=True)

    [row] = (await read_all(bench))[0]

    assert row == {"id": "1", "sum": "42", "day": "2026-01-31", "yes": "true", "number": "7"}
    await bench.table().upsert_rows("Contacts", "id", [{"id": "1", "number": "007"}])
    [row] = (await read_all(bench))[0]
    assert row == {"id": "1", "sum": "42", "day": "2026-01-31", "yes": "true", "number": "007"}


async def test_a_formula_beside_ours_goes_on(bench: SheetsBench) -> None:
    await seeded(bench, 3)
    await write(bench, "Contacts!C1:C3", [["calls"], ["=1+1"], ["=2+2"]])
    await bench.table().upsert_rows("Contacts", "id", [{"id": "c-000", "name": "New"}])

    url = bench.sandbox.url("google_sheets") + f"{PATH}/values/Contacts!C2:C3?valueRenderOption=FORMULA"
    async with bench.session.get(url, headers={"Authorization": "Bearer theirs"}) as answer:
        assert (await answer.json())["values"] == [["=1+1"], ["=2+2"]]


async def test_of_two_rows_with_one_key_the_topmost_is_written_and_both_are_removed(bench: SheetsBench) -> None:
    await bench.seed("Contacts", [["id", "name"], ["1", "a"], ["", "note"], ["1", "b"]])
    assert await bench.table().upsert_rows("Contacts", "id", [{"id": "1", "name": "c"}]) == Written(updated=1)
    assert await bench.grid("Contacts") == [["id", "name"], ["1", "c"], ["", "note"], ["1", "b"]]
    assert await bench.table().remove_rows("Contacts", "id", ["1"]) == Written(removed=2)


async def test_two_columns_of_one_name_need_a_person(bench: SheetsBench) -> None:
    await bench.seed("Contacts", [["id", "name", "name"], ["1", "a", "b"]])
    with pytest.raises(NeedsHumanError, match="two columns 'name'"):
        await bench.table().upsert_rows("Contacts", "id", [{"id": "1", "name": "c"}])


async def test_a_sheet_grows_in_both_directions(bench: SheetsBench) -> None:
    await bench.seed("Contacts", [["id"], ["1"]], row_count=2, column_count=1)
    wide = {"id": "2", **{f"column {number}": str(number) for number in range(60)}}
    assert await bench.table().upsert_rows("Contacts", "id", [wide, {"id": "1", "column 59": "x"}]) == Written(1, 1)
    assert (await read_all(bench))[0] == [{**dict.fromkeys(wide, ""), "id": "1", "column 59": "x"}, wide]


async def test_the_last_row_below_a_frozen_header_can_be_removed(bench: SheetsBench) -> None:
    await bench.seed("Contacts", [["id"], ["1"], ["2"]], row_count=3, frozen=1)
    assert await bench.table().remove_rows("Contacts", "id", ["1", "2"]) == Written(removed=2)


def _text(value: str) -> dict[str, Any]:
    return {"userEnteredValue": {"stringValue": value}}
