"""A person's word on calls of which nobody else could tell whether they happened: ``mainstay runs retry ID --...``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from mainstay.cli.errors import CommandError
from mainstay.cli.reading import Reading, act, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mainstay.app import App, Workspace
    from mainstay.cli.command import Options


def answer(options: Options, ids: Sequence[str], *, happened: bool, is_clear: bool) -> None:
    """Take one answer for the runs named; none of them is answered when one asks nothing."""
    if not ids or not is_clear:
        raise CommandError("say of which runs, by their ids, and one answer: --it-happened or --repeat")

    async def choose(reading: Reading) -> list[UUID]:
        return [await _asking(reading, text) for text in ids]

    chosen = read(options, choose)

    async def work(app: App, workspace: Workspace) -> list[UUID]:
        return [each for each in chosen if await app.answer_run(workspace.id, each, happened=happened)]

    done = act(options, work)
    if options.as_json:
        from mainstay.cli.output import emit

        emit({"answered": done, "happened": happened})
        return
    from mainstay.cli.output import number, say, text

    what = "what they asked about stands as done" if happened else "their calls are made again"
    say(text((f"→ {number(len(done), 'run')} queued again; {what}", "blue")))


async def _asking(reading: Reading, text: str) -> UUID:
    from mainstay.insight import run_detail

    detail = await run_detail(reading.connection, reading.workspace_id, await reading.find("runs", "run", text))
    if detail is None or not detail.run.asks:
        raise CommandError(f'run "{text}" asks nothing', "Without an answer it is retried: mainstay runs retry ID")
    return detail.run.id
