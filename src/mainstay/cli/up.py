"""``mainstay up``: the web server in this process, workers in their own; a worker that dies is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
import uvloop

from mainstay.cli.command import StackOption
from mainstay.cli.deploying import AllowMissing, require_workflows
from mainstay.cli.logs import LogFormatOption, set_up_telemetry
from mainstay.cli.memory import settle_memory
from mainstay.cli.parent import leave_with_parent
from mainstay.cli.reading import database
from mainstay.cli.session import START_PATIENCE_SECONDS, Project, load_project, open_app
from mainstay.settings.policy import log_warnings
from mainstay.web.binding import Server
from mainstay.web.sign_in import create_sign_in_link

log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0
# Where both want the same core, a sender that waits for its answer goes first, nine to one.
_WORKER_NICENESS = 10
_DRAIN_SECONDS = 25.0


def up(
    stack: StackOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on; MAINSTAY_HOST.")] = "",
    port: Annotated[int | None, typer.Option(help="Port to listen on, 0 for any; MAINSTAY_PORT.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes to keep running.")] = 1,
    log_format: LogFormatOption = "",
    until_stdin_closes: Annotated[bool, typer.Option(hidden=True)] = False,
    *,
    allow_missing_workflows: AllowMissing = False,
) -> None:
    """Serve intake and pages, and drive runs, until stopped.

    Example: mainstay up --port 8080 --workers 2
    """
    stacks = tuple(stack or [Path("stack.toml")])
    project = load_project(stacks)
    set_up_telemetry(project.program, log_format)
    log_warnings(project.warnings)
    listener = listen(host or project.program.host, project.program.port if port is None else port)
    with database(project.program) as dsn, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            _serve(
                project,
                dsn,
                listener,
                workers,
                watch_stdin=until_stdin_closes,
                options=_worker_options(stacks, log_format, allow_missing=allow_missing_workflows),
                allow_missing=allow_missing_workflows,
            )
        )


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is started, so that a port in use is said at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        # In .env, and not by --port alone, so that `mainstay send` and the others find it too.
        typer.echo(
            f"cannot listen on {host}:{port}: {error.strerror}. Choose another: put MAINSTAY_PORT=8081 into .env",
            err=True,
        )
        raise typer.Exit(2) from error
    return listener


async def _serve(
    project: Project,
    dsn: str,
    listener: socket.socket,
    workers: int,
    *,
    watch_stdin: bool,
    options: Sequence[str],
    allow_missing: bool,
) -> None:
    host, port = listener.getsockname()[:2]
    local = f"http://{f'[{host}]' if ':' in host else host}:{port}".replace("0.0.0.0", "127.0.0.1")  # noqa: S104 - compared, not bound
    public_url = project.program.public_url or local
    async with open_app(project, dsn, public_url=public_url, pool_size=8, patience=START_PATIENCE_SECONDS) as app:
        await require_workflows(app, allow_missing=allow_missing)
        web = Server(app, trust_url=bool(project.program.public_url), metrics_token=project.program.metrics_token)
        server = _Server(
            uvicorn.Config(
                web,
                loop="none",
                http="httptools",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                timeout_graceful_shutdown=5,
            )
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, server.leave)
        server.on_leave = web.end_streams
        if watch_stdin:
            leave_with_parent(server.leave)
        children = [asyncio.create_task(_keep_worker(options)) for _ in range(workers)]
        children.append(asyncio.create_task(app.stand_in.run()))
        settle_memory()
        link = await create_sign_in_link(app.pool, public_url)
        typer.echo(f"Mainstay runs at {public_url}")
        typer.echo(f"Sign in, once, within 15 minutes: {link}")
        for workspace in app.workspaces.values():
            for source in workspace.sources:
                typer.echo(f"  leads to {public_url}/in/{workspace.slug}/{source}")
        try:
            await server.serve(sockets=[listener])
        finally:
            for child in children:
                child.cancel()
            await asyncio.gather(*children, return_exceptions=True)


class _Server(uvicorn.Server):
    """uvicorn raises a signal again once it has stopped, which would end this process before its workers have."""

    on_leave: Callable[[], None] = staticmethod(lambda: None)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to ``up``."""
        yield

    def leave(self) -> None:
        """Stop serving."""
        self.should_exit = True
        self.on_leave()


def _worker_options(stacks: tuple[Path, ...], log_format: str, *, allow_missing: bool) -> list[str]:
    options = [text for path in stacks for text in ("--stack", str(path))]
    if log_format:
        options += ["--log-format", log_format]
    if allow_missing:
        options.append("--allow-missing-workflows")
    return options


async def _keep_worker(options: Sequence[str]) -> None:
    """Run a worker; when it dies, run another."""
    while True:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mainstay",
            "worker",
            "--until-stdin-closes",
            *options,
            stdin=asyncio.subprocess.PIPE,
        )
        with contextlib.suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PROCESS, process.pid, os.getpriority(os.PRIO_PROCESS, 0) + _WORKER_NICENESS)
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _DRAIN_SECONDS)
            except TimeoutError:
                process.kill()
            raise
        log.error("a worker ended with code %d; another starts in %g s", code, _RESTART_SECONDS)
        await asyncio.sleep(_RESTART_SECONDS)
