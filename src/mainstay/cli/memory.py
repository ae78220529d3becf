"""The garbage collector, set for a process that lives long and makes many short-lived objects."""

from __future__ import annotations

import gc

_YOUNG_OBJECTS = 20_000


def settle_memory() -> None:
    """Leave what start-up made out of every later collection, and collect less often.

    Modules and declarations, several hundred thousand objects, never become garbage; walking them again and again costs
    about a tenth of a busy worker's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 20)
