"""``mainstay demo``: the main job on real input, with a CRM outage and a killed worker in the middle."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from mainstay.cli.demo.report import show_verdict
from mainstay.cli.demo.stage import Stage


def demo(
    leads: Annotated[int, typer.Option(min=20, max=5000, help="How many leads are sent.")] = 300,
    per_second: Annotated[float, typer.Option(min=1, help="How many are sent a second.")] = 60,
    port: Annotated[int, typer.Option(help="Port of the dashboard, 0 for any.")] = 0,
    exit_: Annotated[
        bool, typer.Option("--exit", help="End at once; code 0 only if nothing was lost or doubled.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """See it work: 300 leads from six sources, a CRM outage, a worker killed; then look around in the dashboard.

    Real database, real HTTP, real processes; only the vendors are simulated. Its data lies in ./.mainstay/demo and is
    made anew each time.

    Example: mainstay demo --exit
    """
    # Stopped from outside, it still has processes to end: leave the way Ctrl-C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(".mainstay").resolve() / "demo"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    console = Console(stderr=as_json)
    with (
        Stage(folder, console, port=port) as stage,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        verdict = runner.run(stage.play(leads, per_second))
        if as_json:
            typer.echo(json.dumps(verdict.as_json(), indent=2))
        else:
            show_verdict(console, verdict)
        if not exit_:
            stage.stay()
    raise typer.Exit(0 if verdict.is_good else 1)
