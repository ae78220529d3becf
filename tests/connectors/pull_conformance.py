"""What every CRM keeps that can be asked what changed, whatever its vendor; a new one subclasses and runs the same.

The vendor is the sandbox's, over real HTTP. Each request of each test is held against the vendor's contract.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import pytest

from mainstay.kit import ConnectionSettings, Connector, PermanentError, Pulled, Submission, TransientError
from mainstay.sandbox import Sandbox
from tests.connectors.crm_conformance import Bench

THEN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_MOST_CALLS = 20


class PullVendor(Protocol):
    """What the suite asks about one vendor."""

    name: str
    connector: Connector
    batch: int

    def settings(self, base_url: str) -> ConnectionSettings:
        """The connection's settings, with ``TOKEN``."""
        ...

    def change(self, sandbox: Sandbox, changes: list[tuple[str, str, datetime]]) -> None:
        """Put contacts there, or change them: of each its id, e-mail, and the time of its last change."""
        ...

    def id_of(self, number: int) -> str:
        """An id as the vendor's are; a greater number is a later id."""
        ...


class Pulling:
    """One vendor and the pulls from it."""

    def __init__(self, bench: Bench, vendor: PullVendor) -> None:
        self.bench = bench
        self.vendor = vendor
        self.batch = vendor.batch

    async def change(self, *changes: tuple[int, datetime], email: str = "{}@example.com") -> None:
        named = [(self.vendor.id_of(number), email.format(number), at) for number, at in changes]
        await asyncio.to_thread(self.vendor.change, self.bench.sandbox, named)

    async def pull(self, cursor: str) -> Pulled:
        crm: Any = self.bench.crm()
        pulled: Pulled = await crm.pull_contacts(cursor)
        assert len(pulled.contacts) + len(pulled.removed) <= self.batch
        return pulled

    async def all(self, cursor: str = "") -> tuple[list[Submission], str]:
        """Pull until nothing is left."""
        found: list[Submission] = []
        for _ in range(_MOST_CALLS):
            pulled = await self.pull(cursor)
            found += pulled.contacts
            cursor = pulled.cursor
            if not pulled.has_more:
                return found, cursor
        raise AssertionError(f"{_MOST_CALLS} pulls did not come to an end; the last cursor is {cursor}")

    def ids(self, numbers: range | list[int]) -> set[str]:
        return {self.vendor.id_of(number) for number in numbers}


def found_ids(found: list[Submission]) -> set[str]:
    return {each.external_id for each in found}


class PullConformance:
    """The tests. A subclass gives the fixture ``vendor``."""

    @pytest.fixture
    def pulling(self, bench: Bench, vendor: PullVendor) -> Pulling:
        return Pulling(bench, vendor)

    async def test_all_there_is_comes_over_many_pages_the_oldest_change_first(self, pulling: Pulling) -> None:
        count = 2 * pulling.batch + 7
        await pulling.change(*((n, THEN + timedelta(seconds=(n * 7) % count)) for n in range(count)))

        found, _ = await pulling.all()

        assert len(found) == count
        assert found_ids(found) == pulling.ids(range(count))
        times = [each.occurred_at for each in found if each.occurred_at]
        assert len(times) == count
        assert times == sorted(times)

    async def test_an_empty_system_gives_nothing_and_a_cursor(self, pulling: Pulling) -> None:
        pulled = await pulling.pull("")

        assert (pulled.contacts, pulled.removed, pulled.has_more) == ((), (), False)
        assert await pulling.all(pulled.cursor) is not None

    async def test_a_page_that_is_just_full_is_not_the_end(self, pulling: Pulling) -> None:
        await pulling.change(*((n, THEN + timedelta(seconds=n)) for n in range(pulling.batch)))

        assert len(found_ids((await pulling.all())[0])) == pulling.batch

    @pytest.mark.parametrize("before", [0, 3])
    async def test_however_many_changed_in_one_instant_all_come(self, pulling: Pulling, before: int) -> None:
        same = 2 * pulling.batch + 3
        await pulling.change(*((n, THEN) for n in range(before)))
        await pulling.change(*((n, THEN + timedelta(hours=1)) for n in range(before, before + same)))
        await pulling.change(*((n, THEN + timedelta(hours=2)) for n in range(before + same, before + same + 4)))

        found, _ = await pulling.all()

        assert found_ids(found) == pulling.ids(range(before + same + 4))

    async def test_what_changes_during_the_pull_hides_nothing(self, pulling: Pulling) -> None:
        count = 2 * pulling.batch
        await pulling.change(*((n, THEN + timedelta(seconds=n)) for n in range(count)))
        first = await pulling.pull("")
        now = datetime.now(UTC).replace(microsecond=0)
        # Some that were read, and some that were not, move to the end; one is new.
        await pulling.change(*((n, now) for n in (0, 1, count // 2, count - 1, count)), email="new-{}@example.com")

        rest, _ = await pulling.all(first.cursor)

        newest = {each.external_id: each.email for each in [*first.contacts, *rest]}
        assert set(newest) == pulling.ids(range(count + 1))
        assert newest[pulling.vendor.id_of(0)] == "new-0@example.com"
        assert newest[pulling.vendor.id_of(count - 1)] == f"new-{count - 1}@example.com"

    async def test_ties_that_change_during_the_pull_hide_nothing(self, pulling: Pulling) -> None:
        count = 3 * pulling.batch
        await pulling.change(*((n, THEN) for n in range(count)))
        cursor, seen = "", set[str]()
        for touched in (0, pulling.batch, count - 1):
            pulled = await pulling.pull(cursor)
            cursor, seen = pulled.cursor, seen | found_ids(list(pulled.contacts))
            await pulling.change((touched, datetime.now(UTC).replace(microsecond=0)))

        rest, _ = await pulling.all(cursor)

        assert seen | found_ids(rest) == pulling.ids(range(count))

    async def test_only_what_changed_since_comes_again(self, pulling: Pulling) -> None:
        await pulling.change(*((n, THEN) for n in range(5)))
        _, cursor = await pulling.all()
        assert await pulling.all(cursor) is not None
        await pulling.change((3, datetime.now(UTC).replace(microsecond=0)), email="changed@example.com")

        found, _ = await pulling.all(cursor)

        assert [(each.external_id, each.email) for each in found] == [(pulling.vendor.id_of(3), "changed@example.com")]

    async def test_what_the_vendor_shows_late_is_not_missed(self, pulling: Pulling) -> None:
        await pulling.change((1, THEN))
        _, cursor = await pulling.all()
        # It was saved before that pull, and could not be seen yet.
        await pulling.change((2, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)))

        found, _ = await pulling.all(cursor)

        assert pulling.vendor.id_of(2) in found_ids(found)

    async def test_a_pull_whose_answer_was_lost_is_repeated(self, pulling: Pulling) -> None:
        await pulling.change(*((n, THEN) for n in range(5)))
        await pulling.bench.fault("truncated")
        with pytest.raises(TransientError):
            await pulling.pull("")

        assert found_ids((await pulling.all())[0]) == pulling.ids(range(5))

    @pytest.mark.parametrize("cursor", ["x", "2026-13-05T09:00:00Z", "2026-01-05T09:00:00Z|a' OR Id != '", "0|1|2"])
    async def test_what_is_no_cursor_is_refused(self, pulling: Pulling, cursor: str) -> None:
        with pytest.raises(PermanentError, match="is no cursor of a pull"):
            await pulling.pull(cursor)
        assert await pulling.bench.calls() == 0

    async def test_the_connector_names_the_operation(self, vendor: PullVendor) -> None:
        assert vendor.connector.idempotency["crm.pull_contacts"] == "state"
