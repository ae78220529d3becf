"""The embedded server's buffers and log follow from the machine, within bounds."""

from __future__ import annotations

import pytest

from mainstay.db.embedded.settings import sized

MB, GB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("memory", "free", "buffers", "log"),
    [
        (512 * MB, 1 * GB, "128MB", "512MB"),
        (2 * GB, 6 * GB, "128MB", "614MB"),
        (8 * GB, 40 * GB, "512MB", "4096MB"),
        (16 * GB, 200 * GB, "1024MB", "8192MB"),
        (512 * GB, 4096 * GB, "1024MB", "8192MB"),
    ],
)
def test_buffers_follow_from_memory_and_the_log_from_the_disk(memory: int, free: int, buffers: str, log: str) -> None:
    assert sized(memory, free) == {"shared_buffers": buffers, "max_wal_size": log}
