from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.connectors.n8n import CONNECTOR
from mainstay.connectors.n8n.executions import Place, pull
from mainstay.connectors.n8n.layer import N8nConnection, N8nLayer
from mainstay.kit import Http, LayerFailure, NeedsHumanError, PermanentError, Response, TransientError
from mainstay.kit.http import open_session
from mainstay.sandbox import Sandbox, SandboxProcess
from tests.contracts.vendor_specs import validate_recorded
from tests.kit.recorder import Recorder, recording

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD = "2020-01-31T10:00:00.000Z"


def connection(**values: Any) -> N8nConnection:
    keys = {"connector": "n8n", "secret": SECRET, "url": "https://n8n.acme.example/webhook/0f3a", "api_key": "n8n_key"}
    return N8nConnection.model_validate({**keys, **values})


def layer(session: aiohttp.ClientSession, url: str, *, tried_ago: float = 0.0, **values: Any) -> N8nLayer:
    made = connection(base_url=url, **values)
    assert CONNECTOR.http is not None
    http = Http(session, replace(CONNECTOR.http(made), timeout=20.0), idempotency_key="run-1")
    http.tried_ago = tried_ago
    role: N8nLayer = CONNECTOR.roles["layer"](made, http, None)
    return role


@pytest.fixture(scope="module")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess() as running:
        yield running


@pytest.fixture
async def sandbox(process: SandboxProcess) -> AsyncIterator[Sandbox]:
    await process.aio.reset()
    yield process.sandbox
    with contextlib.suppress(pytest.skip.Exception):
        for record in await process.aio.requests("n8n"):
            validate_recorded(record)


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session() as opened:
        yield opened


@dataclass
class Asking:
    """One that pulls again and again, each time whole."""

    role: N8nLayer
    cursor: str = ""
    pages: int = 0

    async def pull(self) -> list[LayerFailure]:
        found: list[LayerFailure] = []
        while True:
            page = await self.role.pull_failures(self.cursor)
            found += page.failures
            self.cursor = page.cursor
            self.pages += 1
            if not page.has_more:
                return found


async def seed(sandbox: Sandbox, *records: Mapping[str, Any]) -> None:
    await asyncio.to_thread(sandbox.seed, "n8n", "executions", [dict(each) for each in records])


async def test_what_failed_is_told_once_with_its_story(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    asking = Asking(layer(session, sandbox.url("n8n")))
    await seed(
        sandbox,
        {"id": 7, "workflow": "Lead to CRM", "error": "Zoë 李: 429", "node": "HubSpot"},
        {"id": 8, "status": "success"},
        {"id": 9, "status": "crashed", "workflow": "Nightly"},
        {"id": 3, "startedAt": OLD},
    )

    first, second = sorted(await asking.pull(), key=lambda each: int(each.id))

    assert (first.id, first.scenario, first.error, first.step) == ("7", "Lead to CRM", "Zoë 李: 429", "HubSpot")
    assert first.link == "https://n8n.acme.example/workflow/wf1/executions/7"
    assert first.at
    assert (second.id, second.scenario) == ("9", "Nightly")
    assert await asking.pull() == []
    await seed(sandbox, {"id": 10})
    assert [each.id for each in await asking.pull()] == ["10"]
    assert await asking.pull() == []


async def test_one_that_ran_for_long_is_told_when_it_fails(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    asking = Asking(layer(session, sandbox.url("n8n")))
    await seed(sandbox, {"id": 1, "status": "waiting"}, {"id": 2, "status": "running"}, {"id": 3})
    assert [each.id for each in await asking.pull()] == ["3"]
    for number in range(4, 7):
        await seed(sandbox, {"id": number})
        assert [each.id for each in await asking.pull()] == [str(number)]

    await seed(sandbox, {"id": 1, "status": "error"}, {"id": 2, "status": "success"})

    assert [each.id for each in await asking.pull()] == ["1"]
    assert await asking.pull() == []


async def test_many_come_in_pages_and_none_twice(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    asking = Asking(layer(session, sandbox.url("n8n")))
    await seed(sandbox, *({"id": number} for number in range(1, 231)))
    found = [each.id for each in await asking.pull()]
    assert (len(found), len(set(found)), asking.pages) == (230, 230, 4)
    assert await asking.pull() == []


async def test_a_reason_that_n8n_keeps_to_itself(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    await asyncio.to_thread(lambda: sandbox.configure("n8n", redacts=True))
    await seed(sandbox, {"id": 7})
    (failure,) = await Asking(layer(session, sandbox.url("n8n"))).pull()
    assert failure.error == "n8n says error, and not why: see the execution there"


async def test_an_execution_runs_again_once(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    await seed(sandbox, {"id": 7}, {"id": 8, "status": "success"})
    role = layer(session, sandbox.url("n8n"))
    assert await role.find_retry_execution("7") is None

    made = await role.retry_execution("7")

    assert (made.id, made.url) == ("9", "https://n8n.acme.example/workflow/wf1/executions/9")
    found = await layer(session, sandbox.url("n8n"), tried_ago=60).find_retry_execution("7")
    assert found is not None
    assert found.id == "9"
    assert [each["kind"] for each in await asyncio.to_thread(sandbox.effects, "n8n")] == ["execution.retried"]
    for execution, reason in (("8", "execution 8 again"), ("99", "no execution 99"), ("x", "is not the id of")):
        with pytest.raises(PermanentError, match=reason):
            await role.retry_execution(execution)


async def test_a_retry_whose_answer_is_lost_is_found(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    await seed(sandbox, {"id": 7})
    await asyncio.to_thread(lambda: sandbox.set_fault("n8n", "drop_after", path="*/retry", count=1))
    with pytest.raises(TransientError) as caught:
        await layer(session, sandbox.url("n8n")).retry_execution("7")
    assert caught.value.unsure
    found = await layer(session, sandbox.url("n8n"), tried_ago=5).find_retry_execution("7")
    assert found is not None
    assert found.id == "8"


async def test_a_key_that_is_missing_or_refused_is_said(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    await asyncio.to_thread(lambda: sandbox.configure("n8n", api_keys=["good"]))
    for key in ("", "bad"):
        with pytest.raises(NeedsHumanError, match=r"execution:list.*n8n API"):
            await layer(session, sandbox.url("n8n"), api_key=key).pull_failures("")
    assert CONNECTOR.can_pull(connection())
    assert not CONNECTOR.can_pull(connection(api_key=""))


async def test_the_check(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    async def checked(**values: Any) -> str:
        made = connection(base_url=sandbox.url("n8n"), **values)
        assert CONNECTOR.http is not None
        assert CONNECTOR.check is not None
        return await CONNECTOR.check(made, Http(session, CONNECTOR.http(made)))

    assert await checked() == "the n8n at n8n.acme.example, whose executions may be read"
    assert "is not tried, as that would start it" in await checked(api_key="")
    await asyncio.to_thread(lambda: sandbox.configure("n8n", api_keys=["good"]))
    with pytest.raises(NeedsHumanError):
        await checked()


async def test_what_the_hook_asks_for_does_not_go_to_the_api(sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
    role = layer(session, sandbox.url("n8n"), header="X-Key", header_value="sample-key")
    await role.pull_failures("")
    await role.send_event("lead.qualified", {})
    requests = await asyncio.to_thread(sandbox.requests, "n8n")
    for request in requests:
        names = {name.lower() for name in request["headers"]}
        is_api = request["path"].startswith("/api/")
        assert ("x-key" in names, "x-n8n-api-key" in names) == (not is_api, is_api)


@pytest.mark.parametrize("cursor", ["x", "[]", "7", "{}", '{"low": "x"}', '{"low":1,"after":1,"top":1,"told":7}'])
async def test_what_is_no_cursor_is_refused(session: aiohttp.ClientSession, cursor: str) -> None:
    with pytest.raises(PermanentError, match="is no cursor"):
        await layer(session, "http://127.0.0.1:9").pull_failures(cursor)


@pytest.fixture
async def vendor() -> AsyncIterator[Recorder]:
    async with recording() as recorder:
        yield recorder


@pytest.mark.parametrize(
    "answer",
    [
        [],
        "x",
        {"data": 7},
        {"data": [7, None, {"id": []}, {"id": "-1"}, {"id": "٣"}, {"id": "9" * 40}], "nextCursor": 7},
        {"data": [{"id": 7, "status": [], "workflowId": {}}], "nextCursor": ""},
        {"data": {"resultData": 7}, "status": "error", "id": "7", "workflowData": 7},
    ],
)
async def test_answers_of_wrong_types_are_clear_errors(
    vendor: Recorder, session: aiohttp.ClientSession, answer: Any
) -> None:
    for call, argument in (("pull_failures", ""), ("retry_execution", "7"), ("find_retry_execution", "7")):
        for _ in range(9):
            vendor.answer(answer)
        with contextlib.suppress(PermanentError, TransientError, NeedsHumanError):
            await getattr(layer(session, vendor.url), call)(argument)


# ---------------------------------------------------------------------------------------- whatever happens between


@dataclass
class Executions:
    """n8n as the pull sees it; before each answer comes what a test says happens in between."""

    between: Iterator[list[str]]
    status: dict[int, str] = field(default_factory=dict)

    def happen(self) -> None:
        for what in next(self.between, []):
            under_way = [number for number, status in self.status.items() if status == "running"]
            if what == "start" or not under_way:
                self.status[len(self.status) + 1] = "running"
            else:
                self.status[under_way[len(what) % len(under_way)]] = "error"

    async def page(self, params: Mapping[str, str]) -> tuple[list[Mapping[str, Any]], str, Response]:
        self.happen()
        start = int(params.get("cursor", "0"))
        found = [number for number in sorted(self.status, reverse=True) if self.status[number] == params["status"]]
        page: list[Mapping[str, Any]] = [{"id": str(number)} for number in found[start : start + 3]]
        return page, str(start + 3) if len(found) > start + 3 else "", Response(200, {}, b"")

    async def read(self, path: str, params: Mapping[str, str]) -> Response:
        self.happen()
        number = int(path.rpartition("/")[2])
        return Response(200, {}, b"", {"id": str(number), "status": self.status[number], "workflowId": "w"})

    def link(self, execution: Mapping[str, Any]) -> str:
        return str(execution["id"])


@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(st.sampled_from(["start", "end", "ends", "ended"]), max_size=3), max_size=60))
def test_nothing_that_fails_slips_through(between: list[list[str]]) -> None:
    vendor = Executions(iter(between))
    told: list[str] = []
    quiet = 0

    async def all_of_it() -> None:
        nonlocal quiet
        cursor = ""
        # Twice more after all has come to rest.
        while quiet < 3:
            page = await pull(vendor, cursor)  # type: ignore[arg-type]
            cursor = page.cursor
            told.extend(each.id for each in page.failures)
            quiet += not page.has_more and not list(vendor.between)[:0] and is_at_rest()

    def is_at_rest() -> bool:
        head = next(vendor.between, None)
        if head is None:
            return True
        rest = [head, *vendor.between]
        vendor.between = iter(rest)
        return False

    asyncio.run(all_of_it())

    failed = {str(number) for number, status in vendor.status.items() if status == "error"}
    assert set(told) == failed
    assert Place.read("").low == 0
