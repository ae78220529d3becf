"""What every connector with the role ``table`` keeps, whatever its vendor; a new one subclasses and runs the same.

::

    class TestConformance(TableConformance):
        @pytest.fixture
        async def bench(self, ...) -> AsyncIterator[TableBench]: ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pytest

from mainstay.kit import Connector, NeedsHumanError, PermanentError, Table, TransientError, Written

T = "Contacts"
# As people, and those who would harm them, write: none of it may be run, counted or turned into a date.
TEXTS = (
    "=1+1",
    '=HYPERLINK("http://evil.example", "click")',
    "+13125550147",
    "-5",
    "@SUM(A1)",
    "'quoted",
    "'=1+1",
    "''=1+1",
    "007",
    "1e5",
    "2026-01-31",
    "TRUE",
    "null",
    "  spaces  ",
    'comma, "quotes" and\nlines',
    "Zoë 李 🛠 „Blitz“ \u202eltr",
    "\t=1",
    "\\N",
    "'; DROP TABLE contacts; --",
)
HOSTILE_NAMES = ('a"b', "o'brien", "x;--", "drop table", "Größe 李", "$1", "%s", "=1+1", "a,b")


class TableBench(Protocol):
    """One vendor, empty at the start."""

    connector: Connector

    def table(self, **settings: Any) -> Table:
        """The role for one new attempt, which may add columns and tables unless ``create`` says otherwise."""
        ...

    async def seed(self, table: str, rows: Sequence[Sequence[str]]) -> None:
        """Put a table there that Mainstay did not write; the first row names the columns, ``id`` first."""
        ...

    async def cells(self, table: str) -> list[dict[str, str]]:
        """Every row that is there, in its order, as the vendor holds it; blank ones left out."""
        ...

    async def revoke(self) -> None:
        """Take our access away."""
        ...

    async def crowd(self) -> None:
        """Let the vendor refuse the next call because there are too many."""
        ...

    async def lose_answer(self) -> None:
        """Let the next write happen, and its answer be lost."""
        ...


async def read_all(bench: TableBench, table: str = T) -> tuple[list[dict[str, str]], int]:
    """Return every row, and in how many pages they came."""
    found: list[dict[str, str]] = []
    cursor, pages = "", 0
    while True:
        page = await bench.table().read_rows(table, cursor)
        found += map(dict, page.rows)
        pages += 1
        cursor = page.cursor
        if not cursor:
            return found, pages


def by_id(rows: Sequence[Mapping[str, str]]) -> dict[str, dict[str, str]]:
    """Return rows by their key, which each has alone."""
    found = {row["id"]: dict(row) for row in rows}
    assert len(found) == len(rows)
    return found


def person(number: int, **cells: Any) -> dict[str, Any]:
    """A row of ours."""
    return {"id": f"c-{number:06}", "name": f"Person {number}", "email": f"p{number}@example.com", **cells}


class TableConformance:
    """The tests. A subclass gives the fixture ``bench``; where a vendor writes one row a call it says so."""

    writes_one = False
    many = 5_000
    least_batch = 1_000

    async def test_new_changed_and_same_rows_are_counted_apart(self, bench: TableBench) -> None:
        first = await bench.table().upsert_rows(T, "id", [person(1), person(2), person(3)])
        again = await bench.table().upsert_rows(T, "id", [person(1), person(2, name="Zoë"), person(4)])
        same = await bench.table().upsert_rows(T, "id", [person(1), person(2, name="Zoë"), person(3), person(4)])

        assert (first, again, same) == (Written(created=3), Written(created=1, updated=1), Written())
        rows = by_id(await bench.cells(T))
        assert [row["id"] for row in rows.values()] == ["c-000001", "c-000002", "c-000003", "c-000004"]
        assert rows["c-000002"] == {"id": "c-000002", "name": "Zoë", "email": "p2@example.com"}
        assert by_id((await read_all(bench))[0]) == rows

    async def test_no_rows_are_no_call(self, bench: TableBench) -> None:
        assert await bench.table().upsert_rows(T, "id", []) == Written()
        assert await bench.table().remove_rows(T, "id", []) == Written()

    async def test_a_key_twice_in_one_call_is_one_row(self, bench: TableBench) -> None:
        rows = [person(1), {"id": "c-000001", "name": "Later"}, person(2)]

        assert await bench.table().upsert_rows(T, "id", rows) == Written(created=2)

        held = by_id(await bench.cells(T))
        assert held["c-000001"] == {"id": "c-000001", "name": "Later", "email": "p1@example.com"}

    async def test_columns_are_added(self, bench: TableBench) -> None:
        await bench.table().upsert_rows(T, "id", [person(1)])
        await bench.table().upsert_rows(T, "id", [person(1, city="Köln"), person(2, tags="vip")])

        held = by_id(await bench.cells(T))
        assert list(held["c-000001"]) == ["id", "name", "email", "city", "tags"]
        assert (held["c-000001"]["city"], held["c-000001"]["tags"]) == ("Köln", "")
        assert (held["c-000002"]["city"], held["c-000002"]["tags"]) == ("", "vip")

    async def test_columns_not_named_and_other_peoples_rows_are_left_alone(self, bench: TableBench) -> None:
        await bench.seed(T, [["id", "notes", "name"], ["c-000001", "=call her", "Old"], ["theirs", "mine!", "Omar"]])

        written = await bench.table().upsert_rows(T, "id", [{"id": "c-000001", "name": "New"}, person(2)])

        assert written == Written(created=1, updated=1)
        held = by_id(await bench.cells(T))
        assert held["c-000001"] == {"id": "c-000001", "notes": "=call her", "name": "New", "email": ""}
        assert held["theirs"] == {"id": "theirs", "notes": "mine!", "name": "Omar", "email": ""}
        assert held["c-000002"]["notes"] == ""

    async def test_nothing_empties_a_cell(self, bench: TableBench) -> None:
        await bench.table().upsert_rows(T, "id", [person(1), person(2)])
        written = await bench.table().upsert_rows(T, "id", [person(1, email=None), person(2, email="")])

        assert written == Written(updated=2)
        assert [row["email"] for row in await bench.cells(T)] == ["", ""]
        assert await bench.table().upsert_rows(T, "id", [person(1, email=""), person(2, email=None)]) == Written()

    async def test_rows_are_removed_once(self, bench: TableBench) -> None:
        await bench.table().upsert_rows(T, "id", [person(number) for number in range(1, 8)])

        first = await bench.table().remove_rows(T, "id", ["c-000002", "c-000003", "c-000006", "gone", ""])
        again = await bench.table().remove_rows(T, "id", ["c-000002", "gone"])

        assert (first, again) == (Written(removed=3), Written())
        assert [row["id"] for row in await bench.cells(T)] == ["c-000001", "c-000004", "c-000005", "c-000007"]

    async def test_all_rows_can_be_removed_and_written_again(self, bench: TableBench) -> None:
        rows = [person(number) for number in range(1, 4)]
        for _ in range(2):
            assert await bench.table().upsert_rows(T, "id", rows) == Written(created=3)
            assert await bench.table().remove_rows(T, "id", [row["id"] for row in rows]) == Written(removed=3)
            assert (await read_all(bench))[0] == []

    async def test_texts_stay_what_they_are(self, bench: TableBench) -> None:
        rows = [{"id": text.strip() + f" {number}", "text": text} for number, text in enumerate(TEXTS)]
        keys = [{"id": text, "text": "key"} for text in TEXTS]

        await bench.table().upsert_rows(T, "id", rows)
        await bench.table().upsert_rows(T, "id", keys)

        held = by_id((await read_all(bench))[0])
        assert {row["id"]: held[row["id"]]["text"] for row in rows} == {row["id"]: row["text"] for row in rows}
        assert {row["id"]: held[row["id"]]["text"] for row in keys} == {row["id"]: "key" for row in keys}
        assert await bench.table().upsert_rows(T, "id", rows + keys) == Written()
        assert await bench.table().remove_rows(T, "id", list(TEXTS)) == Written(removed=len(TEXTS))

    async def test_numbers_and_truths_read_as_text(self, bench: TableBench) -> None:
        row = {"id": 7, "whole": 2**60, "half": 0.5, "round": 5.0, "yes": True, "no": False, "none": None, "zero": 0}
        await bench.table().upsert_rows(T, "id", [row])

        shown = {"id": "7", "whole": str(2**60), "half": "0.5", "round": "5", "yes": "true", "no": "false", "none": ""}
        assert (await read_all(bench))[0] == [{**shown, "zero": "0"}]
        assert await bench.table().upsert_rows(T, "id", [row, {**row, "id": "7"}]) == Written()

    async def test_what_no_cell_can_hold_is_taken_out(self, bench: TableBench) -> None:
        await bench.table().upsert_rows(T, "id", [{"id": "1\0", "name": "a\0b\ud800c"}])

        assert (await read_all(bench))[0] == [{"id": "1", "name": "ab?c"}]

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ({"name": "x"}, "has nothing in 'id'"),
            ({"id": ""}, "has nothing in 'id'"),
            ({"id": None}, "has nothing in 'id'"),
            ({"id": "1", "x": float("nan")}, "not nan"),
            ({"id": "1", "x": ["a"]}, "not list"),
            ({"id": "1", "x": {"a": 1}}, "not dict"),
            ({"id": "1", "": "x"}, "cannot be the name of a column"),
            ({"id": "1", " x": "x"}, "cannot be the name of a column"),
        ],
    )
    async def test_a_row_that_cannot_be_is_refused_and_nothing_is_written(
        self, bench: TableBench, row: dict[str, Any], reason: str
    ) -> None:
        with pytest.raises(PermanentError, match=f"row 2.*{reason}"):
            await bench.table().upsert_rows(T, "id", [person(1), row])

    async def test_names_of_columns_are_never_code(self, bench: TableBench) -> None:
        row = {"id": "1", **{name: f"of {name}" for name in HOSTILE_NAMES}}
        await bench.table().upsert_rows(T, "id", [row])
        await bench.table().upsert_rows(T, "id", [{**row, 'a"b': "changed"}])

        assert (await read_all(bench))[0] == [{**row, 'a"b': "changed"}]

    async def test_a_key_column_of_any_name(self, bench: TableBench) -> None:
        for name in ("Größe 李", 'a"b'):
            await bench.table().upsert_rows(f"K{len(name)}", name, [{name: "1", "x": "y"}, {name: "2", "x": "z"}])
            assert await bench.table().remove_rows(f"K{len(name)}", name, ["1"]) == Written(removed=1)
            assert (await read_all(bench, f"K{len(name)}"))[0] == [{name: "2", "x": "z"}]

    @pytest.mark.parametrize("table", ["", " ", "a\nb", "x" * 300, "nul\0"])
    async def test_what_is_no_name_of_a_table_is_refused(self, bench: TableBench, table: str) -> None:
        with pytest.raises(PermanentError, match="cannot be the name of"):
            await bench.table().upsert_rows(table, "id", [person(1)])
        with pytest.raises(PermanentError, match="cannot be the name of"):
            await bench.table().read_rows(table)
        with pytest.raises(PermanentError, match="cannot be the name of"):
            await bench.table().remove_rows(table, "id", ["1"])

    @pytest.mark.parametrize("cursor", ["x", "1:2", "-1:-1:-1:-1", "1:2:3:4:5:6:7:8:9", "[]", "'; DROP"])
    async def test_what_is_no_cursor_is_refused(self, bench: TableBench, cursor: str) -> None:
        await bench.table().upsert_rows(T, "id", [person(1)])
        with pytest.raises(PermanentError, match="is no cursor"):
            await bench.table().read_rows(T, cursor)

    async def test_a_table_that_is_missing_is_named_with_the_mend(self, bench: TableBench) -> None:
        await bench.table().upsert_rows("Other", "id", [person(1)])

        for calls in (
            lambda: bench.table(create="nothing").upsert_rows(T, "id", [person(1)]),
            lambda: bench.table().read_rows(T),
            lambda: bench.table().remove_rows(T, "id", ["1"]),
        ):
            with pytest.raises(NeedsHumanError, match="Contacts") as caught:
                await calls()
            assert "create" in str(caught.value)

    async def test_a_column_that_may_not_be_added_is_named_with_the_mend(self, bench: TableBench) -> None:
        await bench.table().upsert_rows(T, "id", [person(1)])
        with pytest.raises(NeedsHumanError, match=r"no column 'city'.*create"):
            await bench.table(create="nothing").upsert_rows(T, "id", [person(1, city="Köln")])
        assert await bench.table(create="nothing").upsert_rows(T, "id", [person(2)]) == Written(created=1)

    async def test_a_table_without_the_key_column_is_not_ours(self, bench: TableBench) -> None:
        await bench.seed(T, [["id", "name"], ["1", "Omar"]])
        with pytest.raises(NeedsHumanError, match="no column 'other'"):
            await bench.table().upsert_rows(T, "other", [{"other": "1"}])
        with pytest.raises(NeedsHumanError, match="no column 'other'"):
            await bench.table().remove_rows(T, "other", ["1"])
        assert await bench.cells(T) == [{"id": "1", "name": "Omar"}]

    async def test_many_rows_are_written_changed_read_in_pages_and_removed(self, bench: TableBench) -> None:
        many = self.many
        rows = [person(number, note="=1+1" if number % 7 == 0 else "") for number in range(many)]
        table = bench.table()
        assert await table.upsert_rows(T, "id", rows) == Written(created=many)

        changed = [person(number, name="Zoë 李") for number in range(0, many, 3)]
        assert await bench.table().upsert_rows(T, "id", changed) == Written(updated=len(changed))
        gone = [f"c-{number:06}" for number in range(0, many, 5)]
        assert await bench.table().remove_rows(T, "id", gone) == Written(removed=len(gone))

        found, _ = await read_all(bench)
        expected = {row["id"]: {name: str(value) for name, value in row.items()} for row in rows}
        for row in changed:
            expected[row["id"]]["name"] = "Zoë 李"
        for name in gone:
            del expected[name]
        assert by_id(found) == expected
        assert list(by_id(found)) == list(expected)

    async def test_a_lost_answer_is_unsure_and_a_repeat_does_not_double(self, bench: TableBench) -> None:
        rows = [person(number) for number in range(20)]
        await bench.table().upsert_rows(T, "id", [person(99)])
        await bench.lose_answer()
        with pytest.raises(TransientError) as caught:
            await bench.table().upsert_rows(T, "id", rows)
        assert caught.value.unsure

        repeated = Written(created=len(rows) - 1) if self.writes_one else Written()
        assert await bench.table().upsert_rows(T, "id", rows) == repeated

        assert len(by_id(await bench.cells(T))) == 21

    async def test_a_lost_answer_to_a_change_and_to_a_removal_is_repeated_harmlessly(self, bench: TableBench) -> None:
        rows = [person(number) for number in range(20)]
        await bench.table().upsert_rows(T, "id", rows)
        await bench.lose_answer()
        with pytest.raises(TransientError):
            await bench.table().upsert_rows(T, "id", [person(3, name="New")])
        assert await bench.table().upsert_rows(T, "id", [person(3, name="New")]) == Written()

        await bench.lose_answer()
        with pytest.raises(TransientError):
            await bench.table().remove_rows(T, "id", ["c-000003", "c-000004"])
        repeated = Written(removed=1) if self.writes_one else Written()
        assert await bench.table().remove_rows(T, "id", ["c-000003", "c-000004"]) == repeated
        assert len(await bench.cells(T)) == 18

    async def test_access_that_was_revoked_needs_a_person(self, bench: TableBench) -> None:
        await bench.table().upsert_rows(T, "id", [person(1)])
        await bench.revoke()

        for calls in (
            lambda: bench.table().upsert_rows(T, "id", [person(2)]),
            lambda: bench.table().read_rows(T),
            lambda: bench.table().remove_rows(T, "id", ["1"]),
        ):
            with pytest.raises(NeedsHumanError):
                await calls()

    async def test_too_many_calls_are_tried_again(self, bench: TableBench) -> None:
        await bench.table().upsert_rows(T, "id", [person(1)])
        await bench.crowd()
        with pytest.raises(TransientError) as caught:
            await bench.table().upsert_rows(T, "id", [person(2)])
        assert not caught.value.unsure
        assert len(await bench.cells(T)) == 1

    async def test_the_connector_says_what_a_repeat_does(self, bench: TableBench) -> None:
        operations = ("table.upsert_rows", "table.remove_rows", "table.read_rows")
        assert {operation: bench.connector.idempotency.get(operation) for operation in operations} == dict.fromkeys(
            operations, "state"
        )
        assert bench.table().batch >= self.least_batch
