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
LEADS = [*(f"lead{number}@example.com" for number in range(30)), "poison@example.com"]


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
    (failed,) = await books.rows("SELECT id, workspace_id, contact_id, error FROM runs WHERE state <> 'done'")
    email = await books.value("SELECT email FROM contacts WHERE id = $1", failed["contact_id"])
    assert email == "poison@example.com"
    assert failed["error"].startswith(f"its worker died {MOST_DEATHS} times while it ran")
    assert len(workers) == MOST_DEATHS + 1, [each.log for each in workers]
    assert workers[-1].code is None
    assert {each["To"] for each in sandbox.messages("postmark")} == set(LEADS) - {email}
    assert sum("its worker died" in str(each) for each in sandbox.messages("slack")) == 1
    assert not await invariants.problems(books, sandbox)

    (stack / "mended").touch()
    app = await open_here(dsn, sandbox, stack=stack)
    await app.retrier.retry(failed["workspace_id"], failed["id"])
    await app.close()
    await books.all_done(deliveries=len(LEADS))
    await workers[-1].kill()
    assert not await books.rows("SELECT FROM runs WHERE state <> 'done'")
    assert sorted(each["To"] for each in sandbox.messages("postmark")) == sorted(LEADS)
    assert not await invariants.problems(books, sandbox)
