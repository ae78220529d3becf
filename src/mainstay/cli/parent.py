"""A child process that ends with the one that started it, however that one ended."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable


def leave_with_parent(leave: Callable[[], None]) -> None:
    """Call ``leave`` when standard input closes: it is a pipe from the parent, which closes even by SIGKILL."""
    loop, descriptor = asyncio.get_running_loop(), sys.stdin.fileno()

    def on_input() -> None:
        if not os.read(descriptor, 1):
            loop.remove_reader(descriptor)
            leave()

    loop.add_reader(descriptor, on_input)
