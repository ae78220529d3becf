"""How many steps a workflow may take, in every shape that code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainstay.engine.policy import analyse
from mainstay.engine.policy.analysis import UNBOUNDED
from mainstay.settings.workflows import load_workflows
from tests.engine.policy.conftest import AnalyseBody

TAG = 'await ctx.crm.add_tag(contact, "x")'
HELPER = f"""
async def helper(c, contact):
    {TAG.replace("ctx", "c")}
    {TAG.replace("ctx", "c")}
"""


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("pass", 0),
        ("return ctx.open_now(), ctx.run_id", 0),
        (f"{TAG}\n{TAG}", 2),
        # branches: the longest
        (f"if contact.email:\n    {TAG}\n    {TAG}\nelse:\n    {TAG}", 2),
        (f"if contact.email:\n    {TAG}\nelif contact.phone:\n    {TAG}\n    {TAG}\nelse:\n    {TAG}", 2),
        (f"if contact.email:\n    {TAG}\n    return 1\n{TAG}\n{TAG}", 2),
        (f"if contact.email:\n    {TAG}\n{TAG}\n{TAG}", 3),
        (f"if await ctx.step('a', f):\n    {TAG}", 2),
        (f"match contact.source:\n    case 'a':\n        {TAG}\n    case _ if {TAG}:\n        {TAG}\n        {TAG}", 3),
        ("x = (await ctx.crm.add_tag(contact, 'a')) if contact.email else 1", 1),
        ("contact.email and await ctx.sms.send(contact, 'a') or await ctx.crm.add_tag(contact, 'b')", 2),
        # loops
        (f"for x in ('a', 'b', 'c'):\n    {TAG}", 3),
        (f"for x in range(4):\n    {TAG}", 4),
        (f"for i, x in enumerate(['a', 'b']):\n    {TAG}", 2),
        (f"for x, y in zip(contact.tags, 'ab'):\n    {TAG}", 2),
        (f"for k, v in {{'a': 1}}.items():\n    {TAG}", 1),
        (f"NAMES = ('a', 'b')\nfor x in NAMES:\n    {TAG}", 2),
        (f"NAMES = ('a', 'b')\nNAMES = contact.tags\nfor x in NAMES:\n    {TAG}", UNBOUNDED),
        (f"names = ['a']\nnames.append('b')\nfor x in names:\n    {TAG}", UNBOUNDED),
        (f"for x in contact.tags:\n    {TAG}", UNBOUNDED),
        (f"for x in (*contact.tags, 'a'):\n    {TAG}", UNBOUNDED),
        (f"for x in range(len(contact.tags)):\n    {TAG}", UNBOUNDED),
        (f"while contact.email:\n    {TAG}", UNBOUNDED),
        ("while await ctx.step('a', f):\n    pass", UNBOUNDED),
        (f"for x in 'ab':\n    for y in 'abc':\n        {TAG}", 6),
        (f"for x in contact.tags:\n    print(x)\n{TAG}", 1),
        (f"for x in 'ab':\n    if x:\n        {TAG}\n        break\nelse:\n    {TAG}\n    {TAG}", 4),
        (f"for x in 'ab':\n    return {TAG}\n{TAG}", 3),
        (f"async for x in source():\n    {TAG}", UNBOUNDED),
        # comprehensions
        ("await asyncio.gather(*(ctx.crm.add_tag(contact, x) for x in ('a', 'b')))", 2),
        ("await asyncio.gather(*[ctx.crm.add_tag(contact, x) for x in contact.tags])", UNBOUNDED),
        ("{x: await ctx.step(x, f) for x in 'ab' if x for y in 'abc'}", 6),
        ("[1 for x in 'ab' if await ctx.step('a', f)]", 2),
        ("[await ctx.step('a', f) async for x in source()]", UNBOUNDED),
        # side by side
        ("await asyncio.gather(ctx.crm.add_tag(contact, 'a'), ctx.chat.post('#a', 'b'))", 2),
        ("async with asyncio.TaskGroup() as g:\n    g.create_task(ctx.crm.add_tag(contact, 'a'))", 1),
        ("await asyncio.wait_for(ctx.crm.add_tag(contact, 'a'), 3)", 1),
        # try: all of it, then the handler, then the end
        (f"try:\n    {TAG}\n    {TAG}\nexcept ValueError:\n    {TAG}\nelse:\n    pass\nfinally:\n    {TAG}", 4),
        (f"try:\n    {TAG}\nexcept ValueError:\n    pass\nelse:\n    {TAG}\n    {TAG}", 3),
        (f"try:\n    {TAG}\n    raise ValueError\nexcept ValueError:\n    {TAG}\n{TAG}", 3),
        (f"try:\n    return {TAG}\nfinally:\n    {TAG}\n{TAG}", 2),
        (f"try:\n    {TAG}\nexcept* ValueError:\n    {TAG}\nexcept* KeyError:\n    {TAG}", 3),
        (f"with contextlib.suppress(ValueError):\n    {TAG}\n    raise ValueError\n{TAG}", 2),
        # aliases
        ("c = ctx\nd = c\nawait d.crm.add_tag(contact, 'a')", 1),
        ("crm = ctx.crm\ntag = crm.add_tag\nawait tag(contact, 'a')\nawait tag(contact, 'a')", 2),
        ("c, d = ctx, contact\nawait c.crm.add_tag(d, 'a')", 1),
        ("for role in (ctx.chat, ctx.email):\n    await role.send('a')", 2),
        ("if (c := ctx) and c:\n    await c.crm.add_tag(contact, 'a')", 1),
        ("c = ctx.with_options(retry=None)\nawait c.crm.add_tag(contact, 'a')", 1),
        ("await ctx.with_options(retry=None).crm.add_tag(contact, 'a')", 1),
        ("role = ctx.chat if contact.email else ctx.email\nawait role.send('a')", 1),
        ("async def own():\n    await c.crm.add_tag(contact, 'a')\nc = ctx\nawait own()\nawait own()", 2),
        ("match ctx:\n    case c:\n        await c.crm.add_tag(contact, 'a')", 1),
        ("tag = lambda name: ctx.crm.add_tag(contact, name)\nawait tag('a')\nawait tag('b')", 2),
        ("ctx = 3\nprint(ctx)", 0),
        # the context's own verbs, those that are to come as well
        ("await ctx.sleep('1s')\nawait ctx.wait_for('a.b')\nawait ctx.step('a', f)", 3),
        ("await ctx.run_all(f, contact.tags)", UNBOUNDED),
        ("await ctx.something(contact)", 1),
        ("assert ctx is not None, f'{ctx}'", 0),
    ],
)
def test_the_longest_way_is_counted(analyse_body: AnalyseBody, text: str, steps: float) -> None:
    found = analyse_body(text)
    assert (found.steps, list(found.unclear.values())) == (steps, [])
    assert bool(found.unbounded) == (steps == UNBOUNDED)


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("await helper(ctx, contact)", 2),
        ("await helper(contact=contact, c=ctx)", 2),
        ("h = helper\nawait h(ctx, contact)", 2),
        ("await asyncio.gather(helper(ctx, contact), helper(ctx, contact))", 4),
        ("await helper(None, contact)", 0),
        ("for x in 'abc':\n    await helper(ctx, contact)", 6),
    ],
)
def test_helpers_are_followed(analyse_body: AnalyseBody, text: str, steps: float) -> None:
    found = analyse_body(text, HELPER)
    assert (found.steps, list(found.unclear.values())) == (steps, [])


@pytest.mark.parametrize(
    "imported",
    [
        "from _shared import helper",
        "import _shared\nhelper = _shared.helper",
        "from ._shared import helper",
        "from . import _shared as s\nhelper = s.helper",
        "from _shared import *",
        "from _shared import again as helper",
    ],
)
def test_so_are_those_of_another_file(analyse_body: AnalyseBody, imported: str) -> None:
    found = analyse_body("await helper(ctx, contact)", imported, _shared=f"{HELPER}\nagain = helper\n")
    assert (found.steps, found.unclear) == (2, {})
    assert {call.place.file.rpartition("/")[2] for call in found.calls.values()} == {"_shared.py"}


def test_of_two_definitions_the_longer_counts(analyse_body: AnalyseBody) -> None:
    longer = "async def f(c): await c.a.b(); await c.a.b()"
    text = f"if contact.email:\n    async def f(c): await c.a.b()\nelse:\n    {longer}\nawait f(ctx)"
    assert analyse_body(text).steps == 2


def test_a_function_that_calls_itself_has_no_end(analyse_body: AnalyseBody) -> None:
    before = """
    async def one(c): await c.crm.add_tag(1, 2); await other(c)
    async def other(c): await one(c)
    def count(n): return count(n - 1)
    """
    found = analyse_body("await other(ctx)\ncount(3)", before)
    assert (found.steps, len(found.unbounded)) == (UNBOUNDED, 1)


@pytest.mark.parametrize(
    "text",
    [
        "await asyncio.gather(*map(ctx.chat.post, contact.tags))",
        "await functools.partial(ctx.chat.post, '#a')('b')",
        "calls = {'chat': ctx.chat}\nawait calls['chat'].post('#a', 'b')",
        "calls = [ctx.chat.post]\nfor call in calls:\n    await call('#a', 'b')",
        "await getattr(ctx, 'chat').post('#a', 'b')",
        "contact.ctx = ctx",
        "await asyncio.to_thread(os.path.join, ctx)",
        "return ctx",
        "class A:\n    async def go(self):\n        await ctx.chat.post('#a', 'b')\nawait A().go()",
        "tags = map(lambda x: ctx.chat.post('#a', x), contact.tags)\nawait asyncio.gather(*tags)",
        "async def own(x):\n    await ctx.chat.post('#a', x)\nawait asyncio.gather(*map(own, contact.tags))",
        "global CTX\nCTX = ctx",
        "await helper(*[ctx, contact])",
        "await helper(**{'c': ctx})",
        "await decorated(ctx, contact)",
        "a, *b = ctx, contact, 3",
        "x = yielding(ctx)\nasync for c in x:\n    await c.chat.post('#a', 'b')",
        "x = [ctx]\nfor c in x:\n    await c.chat.post('#a', 'b')",
        "await (lambda *a: a[0].chat.post('#a', 'b'))(ctx)",
        "vars()['ctx2'] = ctx.chat.post",
        "await ctx.chat.__class__.post(ctx.chat, '#a', 'b')",
    ],
)
def test_what_cannot_be_followed_is_said(analyse_body: AnalyseBody, text: str) -> None:
    before = f"""{HELPER}
@functools.cache
async def decorated(c, contact):
    await c.crm.add_tag(contact, "x")
async def yielding(c):
    yield c
"""
    found = analyse_body(text, before)
    assert found.unclear
    assert not found.is_known


WRAPPING = """\
def deco(f):
    @functools.wraps(f)
    async def inner(*arguments):
        return await f(*arguments)
    return inner
"""


@pytest.mark.parametrize("deco", ["def deco(f):\n    return f\n", WRAPPING])
def test_a_decorator_of_ones_own_hides_what_it_does(deco: str, tmp_path: Path) -> None:
    declared_below = '@workflow("d.v1", mode="sync")\n@deco\nasync def d(ctx, contact):\n    pass\n'
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "d.py").write_text(
        f"import functools\nfrom mainstay import workflow\n{deco}{declared_below}"
    )
    (declared,) = load_workflows(tmp_path)
    assert analyse(declared).unclear
