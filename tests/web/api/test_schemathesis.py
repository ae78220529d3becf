"""The whole API against its own description, by schemathesis: what may be sent, what may not, and what comes back.

What schemathesis itself takes stays under 40 s of CPU: 15 s, as measured, beside the server that the test runs.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from mainstay.db import acquire
from tests.web.api.conftest import Client

EXAMPLES = 4
"""Of each operation; many more by hand: ``MAINSTAY_EXAMPLES=100``."""
CONFIG = """
# What no schema can say is refused with 422: a phone number that is none, a connection that the stack has not.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 404, 409, 410, 412, 422]

# Each line is answered by itself, in a stream that has begun with 200.
[[operations]]
include-path = "/api/v1/contacts/bulk"
checks.negative_data_rejection.enabled = false
"""


async def known(client: Client) -> dict[str, str]:
    """Return ids of things that there are, by the parameter that takes them."""
    kim = {"email": "kim@example.com", "name": "Kim Lee"}
    contact = (await client.write(**kim))["contact_id"]
    await client.write(phone="+13125550143", name="Pat Moore")
    (suggestion,) = (await client.write(**kim, phone="+13125550143"))["suggestions"]
    twin = (await client.write(email="jo@example.com", name="Jo Young"))["contact_id"]
    merged = await client.post(f"/contacts/{contact}/merge", {"other_id": twin})
    task = await client.post("/records", {"type": "task", "values": {"title": "Call"}, "contact_id": contact})
    async with acquire(client.app.pool) as connection:
        run = await connection.fetchval("SELECT id::text FROM runs LIMIT 1")
    return {
        "contact_id": contact,
        "suggestion_id": suggestion,
        "merge_id": merged.json["merge_id"],
        "record_id": task.json["record"]["id"],
        "run_id": run,
    }


@pytest.mark.timeout(400)
async def test_it_finds_nothing(client: Client, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    given = {
        "MAINSTAY_KNOWN_IDS": json.dumps(await known(client)),
        "SCHEMATHESIS_HOOKS": "tests.web.api.schemathesis_hooks",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from schemathesis.cli import schemathesis; schemathesis()",
        "run",
        f"{client.url}/api/v1/openapi.json",
        f"--header=Authorization:Bearer {client.token}",
        "--phases=coverage,fuzzing",
        f"--max-examples={os.environ.get('MAINSTAY_EXAMPLES', EXAMPLES)}",
        "--seed=1",
        "--no-shrink",
        "--continue-on-failure",
        "--no-color",
        cwd=tmp_path,
        env=os.environ | given | {"PYTHONPATH": str(Path(__file__).parents[3])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told = (await process.communicate())[0].decode(errors="replace")
    assert process.returncode == 0, told[-8000:]
    assert "Tested: " in told
    async with acquire(client.app.pool) as connection:
        assert await connection.fetchval("SELECT count(*) FROM contacts") > 4, "nothing that was sent was taken"
