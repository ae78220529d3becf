"""Comparisons of a copy with what was written: how fast, with nothing edited, with 1 % edited, and after its revert.

    python bench/drift.py [--rows 200000] [--sheet-rows 20000]

The copies are those of bench/mirror.py. The limit, on the same server in the same run: a bare table of the same rows
selected. Memory is the peak of the process, at a quarter of the rows and at all of them. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os
from collections import defaultdict

from mirrored import CHANGED, SHEET_ROWS, Task, limits, measured, seed, server, tell_figures
from stand import tell

from mainstay.sandbox.process import SandboxProcess


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--sheet-rows", type=int, default=SHEET_ROWS)
    arguments = parser.parse_args()
    with server() as (dsn, postmaster):
        for size in (arguments.rows // 4, arguments.rows):
            for copy in ("memory", "sql"):
                slug = f"{copy}-{size}"
                seed(dsn, slug, size)
                _, bound = limits(dsn, slug)
                print(
                    f"{size:,} contacts, {copy} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True
                )
                tell("limit: a bare table selected", size / bound, "rows/s")
                rows = defaultdict(lambda size=size: size, {"revert": size // CHANGED})
                bounds = dict.fromkeys(("comparison", "comparison, 1 % edited", "comparison, reverted"), bound)
                tell_figures(measured(Task(copy, slug, size, dsn, postmaster, is_compared=True)), rows, bounds)
        if arguments.sheet_rows:
            with SandboxProcess(keep_requests=10_000) as vendors:
                size = arguments.sheet_rows
                seed(dsn, "sheet", size)
                vendors.sandbox.configure("google_sheets", reads=60, writes=60)
                print(f"{size:,} contacts, a sheet (load {os.getloadavg()[0]:.1f})", flush=True)
                task = Task("sheet", "sheet", size, dsn, postmaster, vendors.base_url, is_compared=True)
                tell_figures(measured(task), defaultdict(lambda: size), {})


if __name__ == "__main__":
    main()
