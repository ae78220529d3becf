"""What every connector keeps whose records can be asked what changed, whatever its vendor and role.

A new one subclasses and runs the same. The vendor is the sandbox's, over real HTTP. Each request of each test is held
against the vendor's contract.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import aiohttp
import pytest

from mainstay.kit import (
    ConnectionSettings,
    Connector,
    Event,
    Http,
    PermanentError,
    PulledRecords,
    RecordState,
    RecordType,
    TransientError,
)
from mainstay.kit.pulling import utc
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import validate_recorded

THEN = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
_MOST_CALLS = 40


class RecordVendor(Protocol):
    """What the suite asks about one vendor.

    ``kind`` is the type that is pulled, ``batch`` the most records of a page, ``shown`` the field that a change
    changes, ``lag`` how far a pull goes back at the least.
    """

    name: str
    connector: Connector
    kind: RecordType
    batch: int
    shown: str
    lag: timedelta

    def settings(self, base_url: str) -> ConnectionSettings:
        """The connection's settings."""
        ...

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        """Make records there, or change them: of each its number, the value of ``shown``, the time of the change."""
        ...

    def id_of(self, number: int) -> str:
        """The id that the vendor gave to the record of a number."""
        ...


class SeededTasks:
    """What the sandbox's systems of tasks have in common: tasks are seeded, and get their ids there.

    ``records`` is what they are called there; ``named``, ``changed`` and ``id`` are the fields of a task's name, of its
    last change and of its id.
    """

    name: str
    records: str
    named: str
    changed: str
    id: str = "id"
    kind: RecordType = "task"
    shown = "title"
    lag = timedelta(minutes=1)

    def __init__(self) -> None:
        self._ids: dict[int, str] = {}

    def id_of(self, number: int) -> str:
        return self._ids[number]

    def change(self, sandbox: Sandbox, changes: list[tuple[int, str, datetime]]) -> None:
        told = [
            {self.named: value, self.changed: self.at(moment)} | ({self.id: self._ids[n]} if n in self._ids else {})
            for n, value, moment in changes
        ]
        sandbox.seed(self.name, self.records, told)
        made = sandbox.state(self.name)[self.records][len(self._ids) :]
        self._ids |= zip(
            (n for n, _, _ in changes if n not in self._ids), (each[self.id] for each in made), strict=True
        )

    def at(self, moment: datetime) -> str:
        """Write the time of a change as the system does."""
        return utc(moment)


@dataclass
class Pulling:
    """One vendor, and the pulls from it."""

    vendor: RecordVendor
    sandbox: Sandbox
    session: aiohttp.ClientSession
    attempts: list[Http] = field(default_factory=list)

    def role(self) -> Any:
        connector = self.vendor.connector
        assert connector.http is not None
        connection = self.vendor.settings(self.sandbox.url(self.vendor.name))
        http = Http(self.session, replace(connector.http(connection), timeout=10.0))
        self.attempts.append(http)
        return connector.roles[connector.pulls[self.vendor.kind].role](connection, http, None)

    async def change(self, *changes: tuple[int, datetime], value: str = "V{}") -> None:
        made = [(number, value.format(number), at) for number, at in changes]
        await asyncio.to_thread(self.vendor.change, self.sandbox, made)

    async def pull(self, cursor: str) -> PulledRecords:
        pulled: PulledRecords = await self.role().pull_records(self.vendor.kind, cursor)
        assert len(pulled.records) <= getattr(self.vendor, "most", self.vendor.batch)
        times = [each.changed_at for each in states(pulled) if each.changed_at]
        assert len(times) == len(pulled.records)
        assert times == sorted(times)
        return pulled

    async def all(self, cursor: str = "") -> tuple[list[RecordState], str]:
        """Pull until nothing is left."""
        found: list[RecordState] = []
        for _ in range(_MOST_CALLS):
            pulled = await self.pull(cursor)
            found += states(pulled)
            cursor = pulled.cursor
            if not pulled.has_more:
                return found, cursor
        raise AssertionError(f"{_MOST_CALLS} pulls did not come to an end; the last cursor is {cursor}")

    def ids(self, numbers: range) -> set[str]:
        return {self.vendor.id_of(number) for number in numbers}

    async def calls(self) -> int:
        return await asyncio.to_thread(self.sandbox.request_count, self.vendor.name)


def states(pulled: PulledRecords) -> list[RecordState]:
    return [each.event.record for each in pulled.records if each.event.record is not None]


def ids(found: list[RecordState]) -> set[str]:
    return {each.external_id for each in found}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
async def pulling(vendor: RecordVendor, sandbox: SandboxProcess) -> AsyncIterator[Pulling]:
    await sandbox.aio.reset()
    async with aiohttp.ClientSession() as session:
        made = Pulling(vendor, sandbox.sandbox, session)
        yield made
        with contextlib.suppress(pytest.skip.Exception):
            for record in await asyncio.to_thread(sandbox.sandbox.requests, vendor.name):
                validate_recorded(record)


class RecordPullConformance:
    """The tests. A subclass gives the fixture ``vendor``."""

    async def test_all_there_is_comes_over_many_pages_the_oldest_change_first(self, pulling: Pulling) -> None:
        count = 2 * pulling.vendor.batch + 7
        await pulling.change(*((n, THEN + timedelta(seconds=(n * 7) % count)) for n in range(count)))

        found, _ = await pulling.all()

        assert ids(found) == pulling.ids(range(count))

    async def test_an_empty_system_gives_nothing_and_a_cursor(self, pulling: Pulling) -> None:
        pulled = await pulling.pull("")

        assert (pulled.records, pulled.has_more) == ((), False)
        assert await pulling.all(pulled.cursor) is not None

    async def test_each_is_as_a_webhook_tells_it(self, pulling: Pulling) -> None:
        await pulling.change((1, THEN), value="Zoë 李 👍")

        (one,) = (await pulling.pull("")).records

        event: Event = one.event
        assert event.record is not None
        assert event.record == event.record.canonical()
        assert event.record.type == pulling.vendor.kind
        assert "Zoë 李 👍" in event.record.fields[pulling.vendor.shown]
        assert event.data

    async def test_a_page_that_is_just_full_is_not_the_end(self, pulling: Pulling) -> None:
        await pulling.change(*((n, THEN + timedelta(seconds=n)) for n in range(pulling.vendor.batch)))

        assert len(ids((await pulling.all())[0])) == pulling.vendor.batch

    @pytest.mark.parametrize("before", [0, 3])
    async def test_however_many_changed_in_one_instant_all_come(self, pulling: Pulling, before: int) -> None:
        same = 2 * pulling.vendor.batch + 3
        await pulling.change(*((n, THEN) for n in range(before)))
        await pulling.change(*((n, THEN + timedelta(hours=1)) for n in range(before, before + same)))
        await pulling.change(*((n, THEN + timedelta(hours=2)) for n in range(before + same, before + same + 4)))

        assert ids((await pulling.all())[0]) == pulling.ids(range(before + same + 4))

    async def test_what_changes_during_the_pull_hides_nothing(self, pulling: Pulling) -> None:
        count = 2 * pulling.vendor.batch
        await pulling.change(*((n, THEN + timedelta(seconds=n)) for n in range(count)))
        first = await pulling.pull("")
        now = datetime.now(UTC).replace(microsecond=0)
        # Some that were read, and some that were not, move to the end; one is new.
        await pulling.change(*((n, now) for n in (0, 1, count // 2, count - 1, count)), value="W{}")

        rest, cursor = await pulling.all(first.cursor)
        assert ids(states(first)) | ids(rest) >= pulling.ids(range(count))
        later, _ = await pulling.all(cursor)

        newest = {each.external_id: each.fields[pulling.vendor.shown] for each in [*states(first), *rest, *later]}
        assert set(newest) == pulling.ids(range(count + 1))
        assert "W0" in newest[pulling.vendor.id_of(0)]
        assert f"W{count - 1}" in newest[pulling.vendor.id_of(count - 1)]

    async def test_ties_that_change_during_the_pull_hide_nothing(self, pulling: Pulling) -> None:
        count = 3 * pulling.vendor.batch
        await pulling.change(*((n, THEN) for n in range(count)))
        cursor, seen = "", set[str]()
        for touched in (0, pulling.vendor.batch, count - 1):
            pulled = await pulling.pull(cursor)
            cursor, seen = pulled.cursor, seen | ids(states(pulled))
            await pulling.change((touched, datetime.now(UTC).replace(microsecond=0)))

        rest, _ = await pulling.all(cursor)

        assert seen | ids(rest) == pulling.ids(range(count))

    async def test_only_what_changed_since_comes_again(self, pulling: Pulling) -> None:
        await pulling.change(*((n, THEN) for n in range(5)))
        _, cursor = await pulling.all()
        await pulling.change((3, datetime.now(UTC).replace(microsecond=0)), value="W{}")

        found, _ = await pulling.all(cursor)

        assert ids(found) == {pulling.vendor.id_of(3)}
        assert "W3" in found[-1].fields[pulling.vendor.shown]

    async def test_what_the_vendor_shows_late_is_not_missed(self, pulling: Pulling) -> None:
        await pulling.change((1, THEN))
        _, cursor = await pulling.all()
        # It was saved before that pull, and could not be seen yet.
        await pulling.change((2, datetime.now(UTC).replace(microsecond=0) - pulling.vendor.lag))

        assert pulling.vendor.id_of(2) in ids((await pulling.all(cursor))[0])

    async def test_a_pull_whose_answer_was_lost_is_repeated(self, pulling: Pulling) -> None:
        await pulling.change(*((n, THEN) for n in range(5)))
        await asyncio.to_thread(lambda: pulling.sandbox.set_fault(pulling.vendor.name, "truncated", count=1))
        with pytest.raises(TransientError):
            await pulling.pull("")

        assert ids((await pulling.all())[0]) == pulling.ids(range(5))

    @pytest.mark.parametrize("cursor", ["x", "2026-13-05T09:00:00Z", "2026-01-05T09:00:00Z|a' OR Id != '", "0|1|2"])
    async def test_what_is_no_cursor_is_refused(self, pulling: Pulling, cursor: str) -> None:
        with pytest.raises(PermanentError, match="is no cursor of a pull"):
            await pulling.pull(cursor)
        assert await pulling.calls() == 0

    async def test_the_connector_names_the_operation(self, vendor: RecordVendor) -> None:
        role = vendor.connector.pulls[vendor.kind].role
        assert vendor.connector.idempotency[f"{role}.pull_records"] == "state"


class WalkedPullConformance(RecordPullConformance):
    """Besides, of a vendor whose pages have tokens."""

    async def test_a_page_that_the_vendor_knows_no_more_begins_the_list_anew(self, pulling: Pulling) -> None:
        count = pulling.vendor.batch + 3
        await pulling.change(*((n, THEN) for n in range(count)))
        first = await pulling.pull("")
        place, _, _ = first.cursor.rpartition("|")

        found, _ = await pulling.all(f"{place}|lapsed")

        assert ids(found) == pulling.ids(range(count))
