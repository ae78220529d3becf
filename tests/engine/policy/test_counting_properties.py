"""Programs drawn at random: whatever way a run takes, it takes no more steps than were counted."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainstay.engine.definition import Workflow
from mainstay.engine.policy import analyse

FUEL = 80
PLAIN = st.sampled_from(
    [
        "await ctx.crm.tag()",
        "await c.chat.post()",
        "await tag()",
        "boom()",
        "pass",
        "c = ctx if flip() else c",
        "flip() and await ctx.crm.tag()",
        "(await c.crm.tag()) if flip() else (await ctx.step('a', boom))",
        "await asyncio.gather(*[c.crm.tag() for _ in 'ab'], return_exceptions=True)",
        "await asyncio.gather(*(c.crm.tag() for x in range(3) if flip()), return_exceptions=True)",
        "{x: await ctx.crm.tag() for x in 'ab' for y in (1, 2) if await c.crm.tag()}",
        "await local()",
        "return await ctx.crm.tag()",
        "return",
    ]
)
SIMPLE = PLAIN | st.sampled_from(["await one(ctx)", "await two(c)", "await two(c, other=ctx)"])
LEAVE = st.sampled_from(["break", "continue", "if flip():\n    break", "if await ctx.crm.tag():\n    continue"])


def block(statements: list[str]) -> str:
    return indent("\n".join(statements) or "pass", "    ")


def bodies(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, max_size=3).map(block)
    cases = several.map(lambda text: indent(text, "    "))
    in_loop = st.lists(inner | LEAVE, max_size=3).map(block)
    loops = st.sampled_from(["for _ in 'abc':", "for _ in range(2):", "for _ in many():", "while flip():"])
    return st.one_of(
        st.builds("if flip():\n{}\nelse:\n{}".format, several, several),
        st.builds("if await ctx.crm.tag():\n{}".format, several),
        st.builds("{}\n{}\nelse:\n{}".format, loops, in_loop, several),
        st.builds("try:\n{}\nexcept ValueError:\n{}\nelse:\n{}\nfinally:\n{}".format, *[several] * 4),
        st.builds("try:\n{}\nfinally:\n{}".format, several, several),
        st.builds("with contextlib.suppress(ValueError):\n{}".format, several),
        st.builds("match flip():\n    case True if flip():\n{}\n    case _:\n{}".format, *[cases] * 2),
    )


PROGRAMS = st.lists(st.recursive(SIMPLE, bodies, max_leaves=12), max_size=6).map("\n".join)


class Fuel(BaseException):
    """A program without an end was long enough."""


class Taken:
    """A context that counts, with vendors that fail at times."""

    def __init__(self, rng: random.Random) -> None:
        self.steps = 0
        self._rng = rng

    def __getattr__(self, _name: str) -> Taken:
        return self

    def __bool__(self) -> bool:
        return True

    async def __call__(self, *_arguments: Any) -> bool:
        self.steps += 1
        if self.steps > FUEL:
            raise Fuel
        if self._rng.random() < 0.2:
            raise ValueError
        return self._rng.random() < 0.5


def program(text: str, one: str, two: str) -> str:
    names = "c, tag = ctx, ctx.crm.tag\nasync def local():\n    await c.crm.tag()\n"
    return (
        "import asyncio, contextlib\n"
        f"async def one(ctx):\n{block([names, one])}\n\n"
        f"async def two(ctx, other=None):\n{block([names, two])}\n\n"
        f"async def program(ctx, contact):\n{block([names, text])}\n"
    )


def run(source: str, rng: random.Random) -> int:
    def boom() -> None:
        if rng.random() < 0.4:
            raise ValueError

    def many() -> range:
        return range(rng.randrange(5))

    names: dict[str, Any] = {"flip": lambda: rng.random() < 0.5, "boom": boom, "many": many}
    exec(compile(source, "program.py", "exec"), names)  # noqa: S102 - of our own making
    ctx = Taken(rng)
    run_it: Callable[..., Any] = names["program"]
    with contextlib.suppress(ValueError, Fuel):
        asyncio.run(run_it(ctx, None))
    return ctx.steps


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs") / "program.py"


HELPER = st.lists(PLAIN, max_size=3).map("\n".join)


@settings(max_examples=150)
@given(PROGRAMS, HELPER, st.lists(PLAIN | st.just("await one(c)"), max_size=3).map("\n".join), st.integers())
def test_no_run_takes_more_steps_than_were_counted(file: Path, text: str, one: str, two: str, seed: int) -> None:
    source = program(text, one, two)
    file.write_text(source)
    line = source[: source.index("async def program")].count("\n") + 1

    async def function(*_arguments: Any) -> None: ...

    found = analyse(Workflow("w.v1", "a.b", function, file=str(file), line=line))
    took = max(run(source, random.Random(seed + each)) for each in range(8))

    assert took <= found.steps, source
