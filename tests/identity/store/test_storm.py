"""Merges, un-merges, answers, deletions and writes of the same few people, all at once: the book stays whole.

bench/soak_identity.py does the same for as long as one likes.
"""

from __future__ import annotations

import os

import pytest

from bench.soak_identity import Storm

OPERATIONS = int(os.environ.get("MAINSTAY_STORM", "300"))


@pytest.mark.parametrize("people", [2, 12])
@pytest.mark.timeout(300)
async def test_a_storm_leaves_the_book_whole(dsn: str, people: int) -> None:
    storm = Storm(dsn, people=people, seed=people)
    await storm.open()
    await storm.blow(12, until=lambda: sum(storm.done.values()) >= OPERATIONS)
    findings, deadlocks = await storm.check(), await storm.deadlocks()
    await storm.close()
    assert (findings, deadlocks) == ([], 0)
    assert {"write", "merge", "unmerge", "edit"} <= set(storm.done)
