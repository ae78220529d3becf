from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import pytest

from mainstay.connectors.linear import CONNECTOR
from mainstay.connectors.linear.settings import LinearConnection
from mainstay.connectors.linear.tasks import LinearTasks
from mainstay.kit import ConnectionSettings, PermanentError, Task
from mainstay.sandbox import Sandbox
from tests.connectors.tasks_conformance import DANA, TOKEN, Bench, Stored, TasksConformance, TasksVendor, bench, sandbox
from tests.sandbox.wire import call

__all__ = ["bench", "sandbox"]
MOVE = "mutation Move($id: String!, $input: IssueUpdateInput!) { issueUpdate(id: $id, input: $input) { success } }"
TRASH = "mutation Trash($id: String!) { issueDelete(id: $id) { success } }"


def connection(base_url: str = "", **more: Any) -> LinearConnection:
    return LinearConnection.model_validate(
        {"connector": "linear", "api_key": TOKEN, "team": "OPS", "base_url": base_url} | more
    )


class Vendor:
    name = "linear"
    connector = CONNECTOR
    unknown_id = "2174add1-f7c8-44e3-bbf3-2d60b5ea8bc9"
    project = "sales"
    creating: Mapping[str, Any] = MappingProxyType({"contains": "issueCreate("})
    commenting: Mapping[str, Any] = MappingProxyType({"contains": "commentCreate("})

    def settings(self, base_url: str) -> ConnectionSettings:
        return connection(base_url)

    def prepare(self, sandbox: Sandbox) -> None:
        sandbox.seed("linear", "users", [{"email": DANA, "name": "Dana"}])

    def discard(self, sandbox: Sandbox, task_id: str) -> None:
        body = {"query": TRASH, "variables": {"id": task_id}}
        assert call("POST", f"{sandbox.url('linear')}/graphql", body, {"Authorization": TOKEN}).status == 200

    def tasks(self, state: Mapping[str, Any]) -> list[Stored]:
        comments = [(each["issue"]["id"], each["body"]) for each in state["comments"]]
        return [
            Stored(
                issue["id"],
                issue["title"],
                issue["description"] or "",
                issue["dueDate"] or "",
                (issue["assignee"] or {}).get("email", ""),
                tuple(sorted(label["name"] for label in issue["labels"]["nodes"])),
                is_done=issue["state"]["type"] == "completed",
                comments=tuple(body for owner, body in comments if owner == issue["id"]),
            )
            for issue in state["issues"]
            if not issue["trashed"]
        ]


@pytest.fixture
def vendor() -> TasksVendor:
    return Vendor()


class TestConformance(TasksConformance):
    pass


async def test_the_first_completed_state_is_taken_or_the_one_that_is_named(bench: Bench) -> None:
    for name, wanted in (("", "Done"), ("shipped", "Shipped")):
        made = await bench.role(key=name).create_task(Task("x"))
        await bench.role(done_state=name).complete_task(made.id)
        assert bench.sandbox.state("linear")["issues"][-1]["state"]["name"] == wanted
    made = await bench.role(key="3").create_task(Task("x"))
    with pytest.raises(PermanentError, match="no completed state 'Gone'"):
        await bench.role(done_state="Gone").complete_task(made.id)


@pytest.mark.parametrize("is_internal", [False, True])
@pytest.mark.parametrize("errors_on_200", [False, True])
async def test_an_id_that_is_taken_is_ours_however_linear_words_it(
    bench: Bench, is_internal: bool, errors_on_200: bool
) -> None:
    bench.sandbox.configure("linear", duplicate_is_internal=is_internal, errors_on_200=errors_on_200)
    first = await bench.role().create_task(Task("Call back", labels=("new",)))
    said = await bench.role(key="c").add_comment(first.id, "x")

    assert await bench.role().create_task(Task("Call back", labels=("new",))) == first
    assert await bench.role(key="c").add_comment(first.id, "x") == said
    assert len(await bench.tasks()) == 1


async def test_a_task_that_was_trashed_before_the_repeat_is_not_made_anew(bench: Bench) -> None:
    first = await bench.role().create_task(Task("Call back"))
    await bench.discard(first.id)

    assert await bench.role().create_task(Task("Call back")) == first
    assert await bench.tasks() == []


async def test_a_label_of_another_team_or_a_group_is_not_used(bench: Bench) -> None:
    labels = [{"name": "urgent", "team": "SAL"}, {"name": "vip"}]
    bench.sandbox.seed("linear", "labels", labels)
    await bench.role().create_task(Task("x", labels=("urgent", "VIP")))
    used = bench.sandbox.state("linear")["issues"][0]["labels"]["nodes"]
    assert [(label["name"], (label["team"] or {}).get("key")) for label in used] == [("urgent", "OPS"), ("vip", None)]


async def test_a_label_that_another_run_makes_meanwhile_is_used(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    look, looks = LinearTasks._known_labels, iter([False, True])

    async def late(self: LinearTasks, names: Any, team: str) -> dict[str, str]:
        return await look(self, names, team) if next(looks) else {}

    await bench.role(key="run.1").create_task(Task("one", labels=("new",)))
    monkeypatch.setattr(LinearTasks, "_known_labels", late)
    await bench.role(key="run.2").create_task(Task("two", labels=("new",)))

    assert [task.labels for task in await bench.tasks()] == [("new",), ("new",)]
    assert len(bench.sandbox.state("linear")["labels"]) == 1


async def test_a_disabled_person_is_nobody(bench: Bench) -> None:
    bench.sandbox.seed("linear", "users", [{"email": "left@example.com", "active": False}])
    with pytest.raises(PermanentError, match=r"left@example\.com"):
        await bench.role().create_task(Task("x", assignee="left@example.com"))


async def test_without_a_team_nothing_is_sent(bench: Bench) -> None:
    with pytest.raises(PermanentError, match="no team: name one"):
        await bench.role(team="").create_task(Task("x"))
    assert await bench.calls() == 0


async def test_notes_are_shown_as_they_were_written(bench: Bench) -> None:
    text = "# 1\n- a *b* _c_ [d](https://x.example/a_b_c) <e> `f`\n1. g\n~h~ | 3.5 a-b C#"
    await bench.role().create_task(Task("x", notes=text))
    assert (await bench.only()).notes == (
        "\\# 1\n\\- a \\*b\\* \\_c\\_ \\[d\\](https://x.example/a_b_c) \\<e\\> \\`f\\`\n1\\. g\n\\~h\\~ \\| 3.5 a-b C#"
    )


async def test_a_cancelled_task_is_not_done(bench: Bench) -> None:
    made = await bench.role().create_task(Task("x"))
    await bench.role(done_state="Shipped").complete_task(made.id)
    states = {
        each["name"]: each["id"] for each in bench.sandbox.state("linear")["states"] if each["team"]["key"] == "OPS"
    }
    body = {"query": MOVE, "variables": {"id": made.id, "input": {"stateId": states["Canceled"]}}}
    assert call("POST", f"{bench.sandbox.url('linear')}/graphql", body, {"Authorization": TOKEN}).status == 200

    read = await bench.role().fetch_task(made.id)

    assert read is not None
    assert not read.is_done
