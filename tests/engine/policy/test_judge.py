"""What is said of workflows, where, and how it is mended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mainstay.engine.policy import Surroundings
from tests.engine.policy.conftest import LINES_BEFORE, JudgeBody


def told(judge_body: JudgeBody, text: str, **options: Any) -> list[tuple[str, int]]:
    return [(each.code, int(each.where.rpartition(":")[2]) - LINES_BEFORE) for each in judge_body(text, **options)]


SESSION = "import aiohttp\nasync def f():\n    async with aiohttp.ClientSession() as s: pass"
IN_A_THREAD = "await ctx.step('a', lambda: asyncio.to_thread(u.urlopen, 'http://a'))"
TAGS = "\n".join(["await ctx.crm.add_tag(contact, 'a')"] * 4)


def test_a_sync_workflow_with_too_many_steps_names_each(judge_body: JudgeBody) -> None:
    (problem,) = judge_body(TAGS)
    assert problem.code == "RUN001"
    assert problem.message == (
        '"w.v1" is sync and may take 4 steps (crm.add_tag at line 10, crm.add_tag at line 11, '
        "crm.add_tag at line 12, crm.add_tag at line 13); 3 are the most"
    )
    assert problem.where.endswith(f"/workflows/w.py:{LINES_BEFORE - 1}")
    assert 'drop mode="sync"' in problem.hint
    assert not judge_body(TAGS, mode="async")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("await ctx.crm.add_tag(contact, 'a')\nawait ctx.step('a', f)\nreturn 3", []),
        ("pass\nawait ctx.chat.post('#a', 'b')", [("RUN002", 2)]),
        ("await helper(ctx, contact)", []),
        ("c = ctx\nchat = c.chat\nawait chat.post('#a', 'b')", [("RUN002", 3)]),
        ("await ctx.email.send(contact, 'a', 'b')", [("RUN008", 1)]),
        ("await ctx.sleep('1s')", [("RUN007", 1)]),
        ("await ctx.wait_for('a.b')\nawait ctx.run(w, contact)", [("RUN007", 1), ("RUN007", 2)]),
        ("for x in contact.tags:\n    await ctx.crm.add_tag(contact, x)", [("RUN001", 1)]),
        ("pass\nawait getattr(ctx, 'chat').post('#a', 'b')", [("RUN001", 2)]),
        (f"{SESSION}\nawait ctx.step('a', f)", [("RUN002", 3)]),
        (f"import urllib.request as u\n{IN_A_THREAD}", [("RUN002", 2)]),
        ("await ctx.chat.post('#a', 'b')  # mainstay: allow RUN002", [("RUN002", 1)]),
    ],
)
def test_sync(judge_body: JudgeBody, text: str, expected: list[tuple[str, int]]) -> None:
    before = "async def helper(c, contact):\n    await c.crm.add_tag(contact, 'a')\n"
    lines = before.count("\n")
    assert told(judge_body, text, before=before) == [(code, line + lines) for code, line in expected]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = time.time()", 1),
        ("x = datetime.now()", 1),
        ("x = dt.datetime.now(dt.UTC)", 1),
        ("x = date.today()", 1),
        ("from time import time as t\nx = t()", 2),
        ("now = datetime.now\nx = now()", 2),
        ("if random.random() < 0.5: pass", 1),
        ("r = random.Random()", 1),
        ("x = uuid.uuid4()", 1),
        ("x = secrets.token_hex()", 1),
        ("await asyncio.sleep(3)", 1),
        ("x = open('a').read()", 1),
        ("pass\nx = Path('a').read_text()", 2),
        ("import aiohttp\nasync with aiohttp.ClientSession() as s: pass", 2),
        ("import urllib.request\nurllib.request.urlopen('http://a')", 2),
        ("import subprocess\nsubprocess.run(['a'])", 2),
        ("x = sorted(contact.tags, key=lambda _: random.random())", 1),
        ("await ctx.step(f'a{time.time()}', f)", 1),
        ("def stamp():\n    return time.time()\nx = stamp()", 2),
        ("x = [uuid.uuid4() for _ in 'ab']", 1),
    ],
)
def test_what_differs_next_time_belongs_into_a_step(judge_body: JudgeBody, text: str, line: int) -> None:
    assert told(judge_body, text, mode="async") == [("RUN006", line)]


@pytest.mark.parametrize(
    "text",
    [
        "async def f():\n    return time.time()\nawait ctx.step('a', f)",
        "await ctx.step('a', lambda: asyncio.sleep(1))",
        "async def f(x):\n    return open(x).read()\nawait ctx.step('a', functools.partial(f, 'b'))",
        "async def f():\n    return deep()\ndef deep():\n    return uuid.uuid4()\nawait ctx.step('a', f)",
        "r = random.Random(contact.email)\nx = r.random()",
        "x = uuid.uuid5(uuid.NAMESPACE_DNS, 'a')",
        "x = dt.timedelta(days=1) + datetime.fromisoformat('2026-01-01')",
        "def random(): return 3\nx = random()",
        "x = ctx.open_now()",
        "def unused():\n    return time.time()",
        "x = time.gmtime(0)",
        "x = time.time()  # mainstay: allow RUN006 - for the log alone",
        "x = max(\n    1,\n    time.time(),  # mainstay: allow RUN006, RUN005\n)",
    ],
)
def test_what_is_the_same_next_time_is_left_alone(judge_body: JudgeBody, text: str) -> None:
    assert told(judge_body, text, mode="async") == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import smtplib", [("RUN005", 1)]),
        ("from mainstay.connectors.slack import CONNECTOR", [("RUN005", 1)]),
        ("url = f'https://api.hubapi.com/{contact.id}'", [("RUN005", 1)]),
        ("url = 'https://hooks.slack.com/services/T'", [("RUN005", 1)]),
        ("url = 'https://hooks.slack.com/services/T'  # mainstay: allow RUN005", []),
        ("x = '# mainstay: allow RUN005 https://hooks.slack.com/services/T'", [("RUN005", 1)]),
        ("'''Not https://hooks.slack.com, the role.'''", []),
        ("url = 'https://app.slack.com/client/T'", []),
        ("url = 'https://api.twilio.com/'", [("RUN005", 1)]),
        ("from twilio.rest import Client", [("RUN005", 1)]),
        ("import smtplib\nurl = 'https://api.postmarkapp.com'", [("RUN005", 1), ("RUN005", 2)]),
    ],
)
def test_vendors(judge_body: JudgeBody, text: str, expected: list[tuple[str, int]]) -> None:
    assert told(judge_body, text, mode="async") == expected


def test_what_workflows_share_is_said_once_where_it_stands(judge_body: JudgeBody) -> None:
    shared = "import time\nasync def stamp():\n    return time.time()\n"
    before = "from _shared import stamp\n@workflow('other.v1')\nasync def other(ctx, contact):\n    await stamp()\n"
    (problem,) = judge_body("await stamp()", before, mode="async", _shared=shared)
    assert problem.where.endswith("/workflows/_shared.py:3")
    assert (problem.code, problem.message) == ("RUN006", "time.time takes the time from the clock outside a step")


TWO_BOOKS = Surroundings(
    {
        "crm": "mainstay",
        "billing": "stripe",
        "accounting": "books",
        "tasks": "asana",
        "sms": "twilio",
        "table": "sheet",
    },
    frozenset({"crm"}),
    frozenset({"crm", "billing", "accounting", "tasks", "sms", "table"}),
    {"invoice": "books", "payment": "books", "task": "notion", "message": ""},
    {"task": ("asana",)},
    {("sheet", "Leads"): "leads"},
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("await ctx.billing.create_invoice(contact, i)", [("RUN010", 1)]),
        ("pass\nawait ctx.with_options().billing.void_invoice('i')", [("RUN010", 2)]),
        ("await ctx.billing.create_invoice(contact, i)  # mainstay: allow RUN010 - both have it", []),
        ("await ctx.accounting.create_invoice(contact, i)\nawait ctx.accounting.add_payment('i', p)", []),
        ("await ctx.billing.fetch_invoice('i')\nawait ctx.billing.customer(contact)", []),
        ("await ctx.tasks.create('a')\nawait ctx.tasks.comment('a', 'b')", [("RUN009", 1)]),
        ("await ctx.tasks.complete('a')  # mainstay: allow RUN009", [("RUN009", 1)]),
        ("await ctx.sms.send(contact, 'a')", []),
        ("await ctx.records.put('deal', title='Roof')", []),
        ("await ctx.table.upsert('Leads', 'id', [])", [("RUN009", 1)]),
        ("name = 'Leads'\nawait ctx.table.remove(name, 'id', [])", [("RUN009", 2)]),
        ("await ctx.table.upsert('Jobs', 'id', [])", []),
    ],
)
def test_what_is_written_elsewhere_than_where_it_is_right(
    judge_body: JudgeBody, text: str, expected: list[tuple[str, int]]
) -> None:
    assert told(judge_body, text, stack=TWO_BOOKS, mode="async") == expected


def test_a_write_to_a_copy_says_who_is_right_and_how_to_mend_it(judge_body: JudgeBody) -> None:
    (elsewhere,) = judge_body("await ctx.billing.void_invoice('i')", stack=TWO_BOOKS, mode="async")
    assert elsewhere.message == (
        '"w.v1" writes a record of type invoice to "stripe" (ctx.billing.void_invoice), and right about it is "books"'
    )
    assert elsewhere.hint == (
        'call ctx.accounting.void_invoice, say  [records.invoice]  system_of_record = "stripe", '
        "or allow it with  # mainstay: allow RUN010"
    )
    copies = replace(TWO_BOOKS, mirrors={"invoice": ("stripe",)})
    (mirror,) = judge_body("await ctx.billing.void_invoice('i')", stack=copies, mode="async")
    assert mirror.code == "RUN009"
    assert mirror.message.endswith(', which is a mirror; right about it is "books"')
    assert mirror.hint == 'call ctx.accounting.void_invoice, or take "stripe" out of [records.invoice] mirrors'
