"""``mainstay mcp``: what an assistant on this machine may ask and do, over its standard input and output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import UUID

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import CommandError
from mainstay.cli.reading import act

if TYPE_CHECKING:
    from mainstay.app import App, Workspace

VARIABLE = "MAINSTAY_TOKEN"


def mcp(ctx: typer.Context) -> None:
    """Serve the Model Context Protocol on standard input and output, for an assistant that starts this command.

    It reads, with personal data masked. What a token in MAINSTAY_TOKEN may do more (see: mainstay tokens create), the
    assistant may too. Over HTTP the same is at /api/mcp of the web process.

    Examples:
        mainstay mcp --stack clients/acme
        MAINSTAY_TOKEN=mst_... mainstay mcp
    """
    try:
        from mainstay.web.api.tools import create_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"mcp", "mcp_types"}:
            raise
        raise CommandError("the extra mcp is missing", 'Install it: pip install "mainstay[mcp]"') from None

    async def work(app: App, workspace: Workspace) -> None:
        from mainstay.web.api.desk import Asking, Desk
        from mainstay.web.binding import AppBackend
        from mainstay.web.scopes import READ
        from mainstay.web.tokens import Caller, caller_of

        token = os.environ.get(VARIABLE, "")
        caller: Caller | None = Caller(UUID(int=0), workspace.id, "mcp", frozenset({READ}))
        if token:
            caller = await caller_of(app.pool, token)
            if caller is None or caller.workspace_id != workspace.id:
                raise CommandError(
                    f"the token in {VARIABLE} is unknown, was revoked, or is of another workspace",
                    "Make one: mainstay tokens create assistant --scope read --scope retry",
                )
        assert caller is not None  # noqa: S101 - seen to above
        await create_server(Asking(Desk(AppBackend(app), app.contacts, app.flows), caller)).run_stdio_async()

    act(options_of(ctx), work)
