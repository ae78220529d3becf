"""``python -m mainstay.sandbox``: run the vendors' simulators in this process until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from dataclasses import asdict
from pathlib import Path

from mainstay.sandbox.server import HOST, Ports, Server

if sys.platform == "win32":
    from asyncio import run
else:
    from uvloop import run


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m mainstay.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="HTTP port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--smtp-port", type=int, default=0, help="SMTP port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--port-file", type=Path, help='write {"http": ..., "smtp": ...} here once listening')
    parser.add_argument("--keep-requests", type=int, default=2000, help="requests kept for each vendor")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when the process that started it ends")
    arguments = parser.parse_args()
    run(_serve(arguments))


async def _serve(arguments: argparse.Namespace) -> None:
    server = Server(keep_requests=arguments.keep_requests)
    try:
        ports = await server.start(arguments.port, arguments.smtp_port)
    except OSError as taken:
        sys.exit(f"the sandbox cannot listen on {HOST}: {taken}; choose other ports with --port and --smtp-port")
    _announce(ports, arguments.port_file)
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    if arguments.until_stdin_closes:
        await _watch_stdin(stopped)
    await stopped.wait()
    await server.stop()


def _announce(ports: Ports, port_file: Path | None) -> None:
    line = json.dumps(asdict(ports))
    if port_file is not None:
        # Renamed into place, so that a reader never sees half of it.
        written = port_file.with_name(f"{port_file.name}.new")
        written.write_text(line + "\n", encoding="utf-8")
        written.replace(port_file)
    print(line, flush=True)  # noqa: T201 who started it reads the ports here


async def _watch_stdin(stopped: asyncio.Event) -> None:
    class UntilClosed(asyncio.Protocol):
        def connection_lost(self, _problem: Exception | None) -> None:
            stopped.set()

    await asyncio.get_running_loop().connect_read_pipe(UntilClosed, sys.stdin)


if __name__ == "__main__":
    main()
