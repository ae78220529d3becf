"""Renewal by real processes: at once, and killed in the worst moment."""

from __future__ import annotations

import signal
import subprocess
import sys
from uuid import UUID

import aiohttp
import pytest

from mainstay.access import Tokens
from mainstay.kit.oauth import OAuth
from mainstay.sandbox.client import Sandbox
from tests.access.conftest import KEY
from tests.access.walking import connected, renewals


def start(dsn: str, sandbox: Sandbox, workspace: UUID, refused: str, *more: str) -> subprocess.Popen[str]:
    arguments = [dsn, sandbox.url("gohighlevel"), str(workspace), KEY, refused, *more]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.access.renewing", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


async def test_processes_that_renew_at_once_make_one_call(
    dsn: str, session: aiohttp.ClientSession, workspace: UUID, tokens: Tokens, vendor: OAuth, sandbox: Sandbox
) -> None:
    first = await connected(tokens, session, vendor, workspace)
    sandbox.set_fault("gohighlevel", "latency", latency_ms=2000, path="/oauth/token")

    processes = [start(dsn, sandbox, workspace, first.token) for _ in range(4)]
    ended = [process.communicate(timeout=60) for process in processes]

    assert {error for _, error in ended} == {""}
    got = {out.strip() for out, _ in ended}
    assert len(got) == 1
    assert got != {first.token}
    assert renewals(sandbox) == 1


@pytest.mark.parametrize("grace", [60.0, 0.0])
async def test_a_process_is_killed_between_the_vendors_answer_and_our_commit(
    dsn: str,
    session: aiohttp.ClientSession,
    workspace: UUID,
    tokens: Tokens,
    vendor: OAuth,
    sandbox: Sandbox,
    grace: float,
) -> None:
    sandbox.configure("gohighlevel", refresh_grace=grace)
    first = await connected(tokens, session, vendor, workspace)
    victim = start(dsn, sandbox, workspace, first.token, "die")
    victim.communicate(timeout=60)
    assert victim.returncode == -signal.SIGKILL
    assert renewals(sandbox) == 1

    next_one = start(dsn, sandbox, workspace, first.token)
    out, error = next_one.communicate(timeout=60)

    if grace:
        # The one before is still good for a while at such a vendor.
        assert (next_one.returncode, error) == (0, "")
        assert out.strip() != first.token
    else:
        # The new one died with its process: nobody has it, so a person is asked, and told what to do.
        assert "mainstay connect ghl" in error
