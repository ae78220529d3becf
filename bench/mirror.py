"""Copies of the contacts: how fast all of them are written for the first time, and then what changed.

    python bench/mirror.py [--rows 200000] [--sheet-rows 20000]

Three copies: a table in memory, which leaves what Mainstay itself costs; a SQL table in another database of the same
server; a sheet at the simulated Google, whose calls are counted (Google takes 60 reads and 60 writes a minute). The
limit, on the same server in the same run: the same rows selected, and copied into a bare table without an index.
Memory is the peak of the process, at a quarter of the rows and at all of them; a table in memory is in it itself. CPU
is given next to rates, because a rate says little on a machine that others use. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import os

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
                bound, _ = limits(dsn, slug)
                print(
                    f"{size:,} contacts, {copy} (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True
                )
                tell("limit: selected, and copied into a bare table", size / bound, "rows/s")
                rows = {"first load": size, "1 % changed": size // CHANGED}
                tell_figures(measured(Task(copy, slug, size, dsn, postmaster)), rows, {"first load": bound})
        if arguments.sheet_rows:
            with SandboxProcess(keep_requests=10_000) as vendors:
                size = arguments.sheet_rows
                seed(dsn, "sheet", size)
                vendors.sandbox.configure("google_sheets", reads=60, writes=60)
                print(f"{size:,} contacts, a sheet (load {os.getloadavg()[0]:.1f})", flush=True)
                rows = {"first load": size, "1 % changed": size // CHANGED}
                task = Task("sheet", "sheet", size, dsn, postmaster, vendors.base_url)
                tell_figures(measured(task), rows, {})


if __name__ == "__main__":
    main()
