"""``mainstay connect``: let Mainstay into an account, by the vendor's page in the browser."""

from __future__ import annotations

import asyncio
import webbrowser
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from mainstay.cli.command import options_of
from mainstay.cli.errors import BROKEN, CommandError, MissingError
from mainstay.cli.reading import act

if TYPE_CHECKING:
    from mainstay.access import Checked
    from mainstay.app import App, Workspace
    from mainstay.kit.oauth import OAuth

PORT = 8976
CALLBACK = "/connect/callback"
"""Of the pages, where they run at an address that the vendor can send people back to."""
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def connect(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection's name in stack.toml.")],
    *,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port for the way back to this machine.")] = PORT,
    redirect_url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Redirect URL as the app at the vendor has it, where it takes no http://localhost: the address of "
            f"your pages with {CALLBACK}, or any other, whose address you then paste here.",
        ),
    ] = "",
    code: Annotated[
        str, typer.Option(metavar="TEXT", help="Finish what was begun: the address you were sent back to, or its code.")
    ] = "",
    browser: Annotated[bool, typer.Option(help="Open the vendor's page; else only its address is shown.")] = True,
    forget: Annotated[bool, typer.Option(help="Drop the connection's tokens instead.")] = False,
) -> None:
    """Connect an account of a vendor with OAuth 2: somebody agrees at the vendor's page, and Mainstay stays in.

    Examples:
        mainstay connect hubspot
        mainstay connect xero --redirect-url https://mainstay.acme.example/connect/callback
        mainstay connect hubspot --no-browser
        mainstay connect hubspot --forget
    """
    options = options_of(ctx)

    async def work(app: App, workspace: Workspace) -> Checked | bool:
        oauth = _oauth(workspace, name)
        if forget:
            return await app.tokens.forget(workspace.id, name)
        if not oauth.needs_person:
            _progress(f"{name} needs no person: its app gets in by itself.")
            await app.tokens.access(workspace.id, name, oauth)
        elif code:
            from mainstay.access import Connecting

            await Connecting(app.tokens).finish_latest(workspace.id, name, code, _declared(app))
        else:
            back = redirect_url or f"http://localhost:{port}/callback"
            await _walk(app, workspace, name, oauth, back, browser=browser)
        return await _check(app, workspace, name)

    from mainstay.cli.output import emit

    done = act(options, work)
    if isinstance(done, bool):
        if options.as_json:
            emit({"connection": name, "forgotten": done})
        else:
            typer.echo(f"{name}: its tokens are dropped" if done else f"{name} was not connected; nothing was changed")
        return
    if options.as_json:
        emit({"connection": name, "connected": True, "state": done.state, "text": done.text})
    elif done.is_good:
        typer.echo(f"✓ {name} is connected: {done.text}")
    else:
        typer.echo(f"{name} is connected, but a first call did not work: {done.text}")
    if not done.is_good:
        raise typer.Exit(BROKEN)


def _oauth(workspace: Workspace, name: str) -> OAuth:
    entry = workspace.stack.connections.get(name)
    if entry is None:
        raise MissingError(f'there is no connection "{name}" in stack.toml', "See them: mainstay connections list")
    oauth = workspace.oauth.get(name)
    if oauth is None:
        title = entry.connector.title
        hint = (
            f"Give [connections.{name}] client_id and client_secret of your app at {title} in place of its token."
            if entry.connector.oauth
            else f"See whether it works: mainstay connections check {name}"
        )
        raise CommandError(f"{name} gets in with what stack.toml says, so there is nothing to connect", hint)
    return oauth


def _declared(app: App) -> Any:
    return lambda workspace_id, name: app.workspace(workspace_id).oauth.get(name)


async def _walk(app: App, workspace: Workspace, name: str, oauth: OAuth, back: str, *, browser: bool) -> None:
    """Send a person to the vendor's page, and wait for them to come back."""
    from mainstay.access import Connecting
    from mainstay.cli.landing import Way, land

    parts = urlsplit(back)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CommandError(f"{back} is no web address", "For example https://mainstay.acme.example/connect/callback")
    connecting = Connecting(app.tokens)
    before = await app.tokens.connected_at(workspace.id, name)
    started = await connecting.begin(workspace.id, name, oauth, back, by="mainstay connect")
    is_here = parts.scheme == "http" and parts.hostname in _LOOPBACK and back != f"{app.public_url}{CALLBACK}"
    is_our_page = back == f"{app.public_url}{CALLBACK}"

    def show() -> None:
        _progress(f"The app at the vendor must list this redirect URL: {back}")
        _progress(f"Agree at the vendor's page:\n\n  {started.address}\n")
        if browser and webbrowser.open(started.address):
            _progress("It was opened in your browser. Waiting for you to come back ...")

    if is_here:
        way = Way(name, back, started.state)
        async with land(way, lambda params: connecting.finish(params, _declared(app))) as landed:
            show()
            await landed
    elif is_our_page:
        show()
        _progress("Waiting for you to come back to the pages ...")
        while await app.tokens.connected_at(workspace.id, name) == before:  # noqa: ASYNC110 - it is another process
            await asyncio.sleep(1)
    else:
        show()
        given = await asyncio.to_thread(typer.prompt, "Paste the address that you were sent back to", err=True)
        await connecting.finish_latest(workspace.id, name, str(given), _declared(app))


async def _check(app: App, workspace: Workspace, name: str) -> Checked:
    from mainstay.access import check

    entry = workspace.stack.connections[name]
    return await check(name, entry.connector, entry.settings, app.open_http(workspace.id, name, ""))


def _progress(text: str) -> None:
    typer.echo(text, err=True)
