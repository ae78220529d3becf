"""What all tests share: the rule that CI skips nothing, and stacks made for one test.

The other fixtures come from the product's own pytest plugin.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import settings

from mainstay.sandbox.client import Sandbox
from mainstay.testing import StackUnderTest

# How long an example takes says only how busy the machine is.
settings.register_profile("untimed", parent=settings(deadline=None))
settings.load_profile("untimed")

MakeStack = Callable[..., Awaitable[StackUnderTest]]

_WORKSPACE = """
[workspace]
name = "Acme Plumbing"
slug = "acme"
timezone = "America/Chicago"
region = "US"
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing may be missing, a skipped test is a failed one."""
    report = yield
    if report.skipped and os.environ.get("MAINSTAY_NO_SKIP") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} was skipped, and here nothing may be: {report.longrepr}"
    return report


@pytest.fixture
async def make_stack(dsn: str, sandbox: Sandbox, tmp_path: Path) -> AsyncIterator[MakeStack]:
    """Give ``make(toml, workflow)``: a stack of the workspace acme; made again, it is the same one, edited."""
    opened: list[StackUnderTest] = []

    async def make(toml: str, workflow: str = "") -> StackUnderTest:
        folder = tmp_path / f"stack-{len(opened)}"
        (folder / "workflows").mkdir(parents=True)
        (folder / "stack.toml").write_text(_WORKSPACE + dedent(toml))
        if workflow:
            (folder / "workflows" / "workflow.py").write_text(
                "from mainstay import Contact, Context, PermanentError, workflow\n" + dedent(workflow)
            )
        made = await StackUnderTest.open(folder, dsn, sandbox)
        if opened:
            made.clock.now = opened[-1].clock.now
        opened.append(made)
        return made

    yield make
    for made in opened:
        await made.close()
