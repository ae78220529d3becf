"""The commands. What they import, they import when they are called, so that ``--help`` and completion stay quick."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the process ends with the code that ``mainstay --help`` explains."""
    from mainstay.cli.program import program

    program()(prog_name="mainstay")
