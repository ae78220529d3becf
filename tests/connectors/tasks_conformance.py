"""What every connector with the role ``tasks`` keeps, whatever its vendor; a new one subclasses and runs the same.

::

    class TestConformance(TasksConformance):
        @pytest.fixture
        def vendor(self) -> TasksVendor: ...

The vendor is the sandbox's, over real HTTP. Each request of each test is held against the vendor's contract.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Protocol

import aiohttp
import pytest

from mainstay.kit import (
    ConnectionSettings,
    Connector,
    Http,
    Made,
    NeedsHumanError,
    PermanentError,
    Sent,
    Task,
    Tasks,
    TaskState,
    TransientError,
)
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import specs_folder, validate_recorded

TOKEN = "tok-11111111-2222-3333-4444-555555555555"
DANA = "dana@example.com"
FULL = Task(
    "Call Zoë 李 back 🛠",
    "Asked for „Blitz“ & a quote.\nSecond line, Ó'Briain-Łuczak.",
    due=date(2026, 12, 24),
    assignee=DANA,
    labels=("hot lead", "Rückruf"),
)


@dataclass(frozen=True)
class Stored:
    """A task as the vendor holds it, in our words; labels and comments oldest first."""

    id: str
    title: str
    notes: str = ""
    due: str = ""
    assignee: str = ""
    labels: tuple[str, ...] = ()
    is_done: bool = False
    comments: tuple[str, ...] = ()


class TasksVendor(Protocol):
    """What the suite asks about one vendor."""

    name: str
    connector: Connector
    unknown_id: str
    creating: Mapping[str, Any]
    """By what a fault knows the request that creates a task."""
    commenting: Mapping[str, Any]
    """By what a fault knows the request that adds a comment."""
    project: str
    """A second place to file tasks in, as a workflow names it."""

    def settings(self, base_url: str) -> ConnectionSettings:
        """The connection's settings, with ``TOKEN``; the vendor must have a user ``DANA``."""
        ...

    def prepare(self, sandbox: Sandbox) -> None:
        """Put into the account what the settings name, and ``DANA``."""
        ...

    def discard(self, sandbox: Sandbox, task_id: str) -> None:
        """Do away with a task, as a person there would."""
        ...

    def tasks(self, state: Mapping[str, Any]) -> list[Stored]:
        """Every task there that is not done away with, oldest first."""
        ...


@dataclass
class Bench:
    """One vendor, empty at the start, and attempts against it."""

    vendor: TasksVendor
    sandbox: Sandbox
    session: aiohttp.ClientSession
    timeout: float = 5.0
    attempts: list[Http] = field(default_factory=list)

    def http(self, *, key: str = "run.1", **settings: Any) -> tuple[Tasks, Http]:
        """The role for one new attempt of the step ``key``, and its client."""
        connector = self.vendor.connector
        connection = self.vendor.settings(self.sandbox.url(self.vendor.name)).model_copy(update=settings)
        assert connector.http is not None
        http = Http(self.session, replace(connector.http(connection), timeout=self.timeout), idempotency_key=key)
        self.attempts.append(http)
        role: Tasks = connector.roles["tasks"](connection, http, None)
        return role, http

    def role(self, **options: Any) -> Tasks:
        """The role for one new attempt."""
        return self.http(**options)[0]

    async def again(self, operation: str, *given: Any, key: str = "run.1", ago: float = 5.0) -> Any:
        """Repeat a step whose effect is in doubt, as the engine does: look first where that is what was promised."""
        role, http = self.http(key=key)
        if self.vendor.connector.idempotency[f"tasks.{operation}"] == "lookup":
            http.tried_ago = ago
            found = await getattr(role, f"find_{operation}")(*given)
            if found is not None:
                return found
            role = self.role(key=key)
        return await getattr(role, operation)(*given)

    async def tasks(self) -> list[Stored]:
        return self.vendor.tasks(await asyncio.to_thread(self.sandbox.state, self.vendor.name))

    async def only(self) -> Stored:
        tasks = await self.tasks()
        assert len(tasks) == 1
        return tasks[0]

    async def calls(self) -> int:
        return await asyncio.to_thread(self.sandbox.request_count, self.vendor.name)

    async def requests(self) -> list[dict[str, Any]]:
        return await asyncio.to_thread(self.sandbox.requests, self.vendor.name)

    async def discard(self, task_id: str) -> None:
        await asyncio.to_thread(self.vendor.discard, self.sandbox, task_id)

    async def fault(self, kind: Any, **options: Any) -> None:
        await asyncio.to_thread(lambda: self.sandbox.set_fault(self.vendor.name, kind, **{"count": 1} | options))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxProcess]:
    with SandboxProcess() as process:
        yield process


@pytest.fixture
async def bench(vendor: TasksVendor, sandbox: SandboxProcess) -> AsyncIterator[Bench]:
    await sandbox.aio.reset()
    await asyncio.to_thread(vendor.prepare, sandbox.sandbox)
    async with aiohttp.ClientSession() as session:
        bench = Bench(vendor, sandbox.sandbox, session)
        yield bench
        with contextlib.suppress(pytest.skip.Exception):
            for record in await bench.requests():
                validate_recorded(record)


class TasksConformance:
    """The tests. A subclass gives the fixture ``vendor``."""

    async def test_a_task_is_created_with_all_that_was_said(self, bench: Bench) -> None:
        made = await bench.role().create_task(FULL)

        stored = await bench.only()
        assert isinstance(made, Made)
        assert made.url.startswith("https://")
        assert stored == Stored(
            made.id, FULL.title, FULL.notes, "2026-12-24", DANA, tuple(sorted(FULL.labels)), is_done=False
        )

    async def test_a_title_is_enough(self, bench: Bench) -> None:
        made = await bench.role().create_task(Task("Call back"))

        assert await bench.only() == Stored(made.id, "Call back")

    @pytest.mark.parametrize("title", ["", "  \n"])
    async def test_a_task_without_a_title_is_not_sent(self, bench: Bench, title: str) -> None:
        with pytest.raises(PermanentError, match="a task needs a title"):
            await bench.role().create_task(Task(title))
        assert await bench.calls() == 0

    async def test_a_task_goes_into_the_project_that_is_named(self, bench: Bench) -> None:
        named = await bench.role().create_task(Task("Elsewhere", project=bench.vendor.project))
        assert await bench.role().fetch_task(named.id) == TaskState(named.id, "Elsewhere", is_done=False, url=named.url)

    async def test_an_unknown_project_is_named(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match="Nowhere 7"):
            await bench.role().create_task(Task("x", project="Nowhere 7"))
        assert await bench.tasks() == []

    async def test_an_unknown_assignee_is_named(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match=r"nobody@example\.org"):
            await bench.role().create_task(Task("Call back", assignee="nobody@example.org"))
        assert await bench.tasks() == []

    async def test_an_assignee_is_found_however_the_address_is_written(self, bench: Bench) -> None:
        await bench.role().create_task(Task("Call back", assignee="Dana@Example.com"))

        assert (await bench.only()).assignee == DANA

    async def test_labels_that_are_there_are_used_again(self, bench: Bench) -> None:
        await bench.role(key="run.1").create_task(Task("One", labels=("hot lead",)))
        await bench.role(key="run.2").create_task(Task("Two", labels=("Hot Lead", "hot lead", "new")))

        one, two = await bench.tasks()
        assert (one.labels, two.labels) == (("hot lead",), ("hot lead", "new"))

    async def test_two_steps_of_the_same_words_are_two_tasks(self, bench: Bench) -> None:
        one = await bench.role(key="run.1").create_task(Task("Call back"))
        two = await bench.role(key="run.2").create_task(Task("Call back"))

        assert one.id != two.id
        assert len(await bench.tasks()) == 2

    # ------------------------------------------------------------------------------------------------- reading

    async def test_fetch_reads_what_was_made(self, bench: Bench) -> None:
        made = await bench.role().create_task(FULL)

        read = await bench.role().fetch_task(made.id)

        assert read == TaskState(made.id, FULL.title, is_done=False, due="2026-12-24", assignee=DANA, url=made.url)

    async def test_a_task_that_is_not_there_is_none(self, bench: Bench) -> None:
        assert await bench.role().fetch_task(bench.vendor.unknown_id) is None

    async def test_a_task_that_was_done_away_with_is_none(self, bench: Bench) -> None:
        made = await bench.role().create_task(Task("Call back"))
        await bench.discard(made.id)

        assert await bench.role().fetch_task(made.id) is None

    @pytest.mark.parametrize("operation", ["complete_task", "add_comment"])
    async def test_a_task_that_is_not_there_takes_nothing(self, bench: Bench, operation: str) -> None:
        given = ("text",) if operation == "add_comment" else ()
        with pytest.raises(PermanentError, match="no such task"):
            await getattr(bench.role(), operation)(bench.vendor.unknown_id, *given)

    @pytest.mark.parametrize("task_id", ["", "../../secrets", "a/b", "a?b=c", ".", "x" * 1000])
    @pytest.mark.parametrize("operation", ["fetch_task", "complete_task", "add_comment"])
    async def test_what_is_no_id_is_never_sent(self, bench: Bench, task_id: str, operation: str) -> None:
        given = ("text",) if operation == "add_comment" else ()
        with pytest.raises(PermanentError, match="is not the id of a task"):
            await getattr(bench.role(), operation)(task_id, *given)
        assert await bench.calls() == 0

    # ------------------------------------------------------------------------------------------- done, comments

    async def test_a_task_is_completed_and_stays_so(self, bench: Bench) -> None:
        made = await bench.role().create_task(FULL)

        await bench.role(key="run.2").complete_task(made.id)
        first = await bench.only()
        effects = len(bench.sandbox.effects(bench.vendor.name))
        await bench.role(key="run.3").complete_task(made.id)

        assert first.is_done
        assert await bench.only() == first
        assert len(bench.sandbox.effects(bench.vendor.name)) == effects
        read = await bench.role().fetch_task(made.id)
        assert read is not None
        assert read.is_done

    async def test_comments_are_kept_in_order(self, bench: Bench) -> None:
        made = await bench.role().create_task(Task("Call back"))

        one = await bench.role(key="run.2").add_comment(made.id, "Zoë called: „Tuesday“ & 9:00 ✓")
        two = await bench.role(key="run.3").add_comment(made.id, "Second\nline")

        assert isinstance(one, Sent)
        assert one.id
        assert one.id != two.id
        assert (await bench.only()).comments == ("Zoë called: „Tuesday“ & 9:00 ✓", "Second\nline")

    async def test_an_empty_comment_is_not_sent(self, bench: Bench) -> None:
        with pytest.raises(PermanentError, match="the comment is empty"):
            await bench.role().add_comment(bench.vendor.unknown_id, " \n")
        assert await bench.calls() == 0

    async def test_check_says_whose_account_it_is(self, bench: Bench) -> None:
        check = bench.vendor.connector.check
        assert check is not None
        connection = bench.vendor.settings(bench.sandbox.url(bench.vendor.name))
        _, http = bench.http()
        assert "Sandbox" in await check(connection, http)
        assert bench.sandbox.effects(bench.vendor.name) == []

    # ------------------------------------------------------------------------------------------------ failures

    async def test_a_rate_limit_says_when_to_come_back(self, bench: Bench) -> None:
        await bench.fault("status", status=429, retry_after=7)

        with pytest.raises(TransientError) as caught:
            await bench.role().create_task(Task("Call back"))

        assert caught.value.retry_after == pytest.approx(7, abs=2)
        assert not caught.value.unsure
        assert await bench.tasks() == []

    async def test_a_rate_limit_without_a_time_still_waits(self, bench: Bench) -> None:
        await bench.fault("status", status=429)

        with pytest.raises(TransientError) as caught:
            await bench.role().create_task(Task("Call back"))

        assert caught.value.retry_after == 10

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    async def test_a_vendor_in_trouble_is_tried_again(self, bench: Bench, status: int) -> None:
        await bench.fault("status", status=status)

        with pytest.raises(TransientError):
            await bench.role().create_task(Task("Call back"))

    @pytest.mark.parametrize("status", [401, 403])
    @pytest.mark.parametrize("operation", ["create_task", "fetch_task", "complete_task", "add_comment"])
    async def test_a_refused_token_needs_a_person_and_says_what_to_do(
        self, bench: Bench, status: int, operation: str
    ) -> None:
        given: dict[str, tuple[Any, ...]] = {"create_task": (FULL,), "add_comment": (bench.vendor.unknown_id, "x")}
        await bench.fault("status", status=status)

        with pytest.raises(NeedsHumanError, match=r"(?i)(put|give|share) ") as caught:
            await getattr(bench.role(), operation)(*given.get(operation, (bench.vendor.unknown_id,)))

        assert caught.value.status == status

    async def test_a_token_that_was_revoked_needs_a_person(self, bench: Bench) -> None:
        bench.sandbox.configure(bench.vendor.name, tokens=["another"])

        with pytest.raises(NeedsHumanError):
            await bench.role().create_task(Task("Call back"))

    async def test_the_token_is_in_no_error_and_no_record(self, bench: Bench) -> None:
        await bench.fault("status", status=401)
        role = bench.role()

        with pytest.raises(NeedsHumanError) as caught:
            await role.create_task(Task("Call back"))

        settings = bench.vendor.settings("")
        assert TOKEN not in f"{caught.value!r} {bench.attempts[-1].exchanges} {settings!r} {vars(role)}"

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "truncated", "reshaped", "empty", "html"])
    async def test_a_lost_answer_is_unsure_and_leaves_one_task(self, bench: Bench, kind: str) -> None:
        bench.timeout = 0.5
        await bench.fault(kind, **bench.vendor.creating)
        with pytest.raises(TransientError) as caught:
            await bench.role().create_task(FULL)
        assert caught.value.unsure

        bench.timeout = 5
        made = await bench.again("create_task", FULL)

        stored = await bench.only()
        assert (stored.id, stored.title) == (made.id, FULL.title)
        assert made.url
        kinds = [effect["kind"] for effect in bench.sandbox.effects(bench.vendor.name)]
        assert kinds.count("task.created") == 1

    async def test_a_task_that_never_came_to_be_is_made_by_the_repeat(self, bench: Bench) -> None:
        bench.timeout = 0.5
        await bench.fault("timeout_before", **bench.vendor.creating)
        with pytest.raises(TransientError):
            await bench.role().create_task(FULL)

        bench.timeout = 5
        made = await bench.again("create_task", FULL)

        assert (await bench.only()).id == made.id

    @pytest.mark.parametrize("kind", ["timeout_after", "drop_after", "truncated", "reshaped"])
    async def test_a_lost_answer_to_a_comment_leaves_one(self, bench: Bench, kind: str) -> None:
        made = await bench.role(key="run.0").create_task(Task("Call back"))
        bench.timeout = 0.5
        await bench.fault(kind, **bench.vendor.commenting)
        with pytest.raises(TransientError):
            await bench.role().add_comment(made.id, "Zoë called ✓")

        bench.timeout = 5
        sent = await bench.again("add_comment", made.id, "Zoë called ✓")

        assert sent.id
        assert (await bench.only()).comments == ("Zoë called ✓",)

    async def test_a_vendor_that_is_not_there_is_tried_again(self, bench: Bench) -> None:
        with pytest.raises(TransientError) as caught:
            await bench.role(base_url="http://127.0.0.1:1").create_task(Task("Call back"))
        assert not caught.value.unsure

    # ------------------------------------------------------------------------------------------------ contract

    async def test_every_request_keeps_the_vendors_contract(self, bench: Bench) -> None:
        specs_folder()
        made = await bench.role(key="run.1").create_task(FULL)
        await bench.role(key="run.2").create_task(Task("Another"))
        await bench.role(key="run.3").add_comment(made.id, "comment")
        await bench.role(key="run.4").complete_task(made.id)
        await bench.role(key="run.5").fetch_task(made.id)

        requests = await bench.requests()

        assert len(requests) >= 5
        for record in requests:
            validate_recorded(record)
            assert record["status"] < 400

    async def test_the_connector_says_what_a_repeat_does(self, vendor: TasksVendor) -> None:
        operations = ("create_task", "complete_task", "add_comment")
        told = {operation: vendor.connector.idempotency.get(f"tasks.{operation}") for operation in operations}
        assert told["create_task"] in {"key", "lookup"}
        assert told["complete_task"] == "state"
        assert told["add_comment"] in {"key", "lookup"}
