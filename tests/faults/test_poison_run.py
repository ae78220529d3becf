"""A run that kills every worker which drives it: the others are done; it is given up, told of, and can be retried."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from mainstay.runs import MOST_DEATHS
from mainstay.sandbox.client import Sandbox
from tests.faults import invariants
from tests.faults.fleet import Books, Fleet, Process, until
from tests.faults.sender import open_here, submit_many

POISON = Path(__file__).parent / "poison"
POISONS = {"poison0@example.com", "poison1@example.com"}
LEADS = [*(f"lead{number}@example.com" for number in range(30)), *POISONS]


async def test_it_is_given_up_alone_and_can_be_retried(
    fleet: Fleet, sandbox: Sandbox, dsn: str, books: Books, tmp_path: Path
) -> None:
    stack = tmp_path / "stack"
    shutil.copytree(POISON, stack, ignore=shutil.ignore_patterns("__pycache__"))
    await submit_many(dsn, sandbox, LEADS, stack=stack)
    workers: list[Process] = []

    async def is_over() -> bool:
        """Put a new worker where one has died, as ``mainstay up`` does, until nothing is open."""
        if not workers or workers[-1].code is not None:
            workers.append(await asyncio.to_thread(fleet.start, dsn, stack=str(stack)))
        return bool(
            await books.value(
                """
                SELECT NOT EXISTS (SELECT FROM runs WHERE state IN ('queued', 'running', 'waiting'))
                   AND EXISTS (SELECT FROM runs WHERE workflow = 'alert.v1')
                """
            )
        )

    await until(is_over, "nothing is open", pause=0.05)
    failed = await books.rows(
        """
        SELECT runs.id, runs.workspace_id, email, error
        FROM runs LEFT JOIN contacts ON contacts.id = contact_id WHERE state <> 'done'
        """
    )
    assert {row["email"] for row in failed} == POISONS, failed
    assert all(row["error"].startswith(f"its worker died {MOST_DEATHS} times while it ran") for row in failed)
    assert len(workers) <= len(POISONS) * MOST_DEATHS + 1
    assert workers[-1].code is None
    assert {each["To"] for each in sandbox.messages("postmark")} == set(LEADS) - POISONS
    assert any("its worker died" in str(each) for each in sandbox.messages("slack"))
    assert not await invariants.problems(books, sandbox)

    (stack / "mended").touch()
    app = await open_here(dsn, sandbox, stack=stack)
    for row in failed:
        await app.retrier.retry(row["workspace_id"], row["id"])
    await app.close()
    await books.all_done(deliveries=len(LEADS))
    await workers[-1].kill()
    assert not await books.rows("SELECT FROM runs WHERE state <> 'done'")
    assert sorted(each["To"] for each in sandbox.messages("postmark")) == sorted(LEADS)
    assert not await invariants.problems(books, sandbox)
