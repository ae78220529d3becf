"""A service account gets in by what it signs: no person, and a new token when one ends."""

from __future__ import annotations

import json
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from mainstay.db import acquire
from mainstay.sandbox.client import Sandbox
from tests.conftest import MakeStack

BOOK = "1AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
ACCOUNT = "mainstay@acme.iam.gserviceaccount.example"
STACK = f"""
    [connections.sheet]
    connector = "google_sheets"
    spreadsheet_id = "{BOOK}"
    credentials = "${{GOOGLE_CREDENTIALS}}"
    create = "tables"
    [sources.website]
    kind = "form"
"""
CODE = """
    @workflow("log.v1", on="contact.created")
    async def log(ctx: Context, contact: Contact) -> None:
        await ctx.table.upsert("Leads", "email", [{"email": contact.email}])
"""


def key_of(account: str, folder: Path) -> str:
    """Write an account's key file beside the stack, and return its public half."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    said = {"type": "service_account", "client_email": account, "private_key": private.decode(), "private_key_id": "1"}
    folder.mkdir()
    (folder / "key.json").write_text(json.dumps(said))
    (folder / ".env").write_text("GOOGLE_CREDENTIALS_FILE=key.json\n")
    return public.decode()


async def test_a_row_is_written_by_a_service_account(make_stack: MakeStack, sandbox: Sandbox, tmp_path: Path) -> None:
    public = key_of(ACCOUNT, tmp_path / "stack-0")
    sandbox.configure("google_sheets", accounts={ACCOUNT: public}, tokens=[])
    stack = await make_stack(STACK, CODE)

    await stack.submit("website", email="sarah@example.com")
    assert [state for _, _, state in await stack.runs("log.v1")] == ["done"], sandbox.requests("google_sheets")
    sandbox.configure("google_sheets", accounts={ACCOUNT: public}, tokens=[])
    await stack.submit("website", email="omar@example.com")

    rows = sandbox.state("google_sheets")["spreadsheets"][BOOK]["Leads"]
    assert rows == [["email"], ["sarah@example.com"], ["omar@example.com"]]


async def test_one_that_google_does_not_know_is_told_to_a_person(
    make_stack: MakeStack, sandbox: Sandbox, tmp_path: Path
) -> None:
    key_of(ACCOUNT, tmp_path / "stack-0")
    sandbox.configure("google_sheets", accounts={}, tokens=[])
    stack = await make_stack(STACK, CODE)
    await stack.submit("website", email="sarah@example.com")
    async with acquire(stack.app.pool) as connection:
        (run,) = await connection.fetch("SELECT state, fate, error FROM runs WHERE workflow = 'log.v1'")
    assert (run["state"], run["fate"]) == ("failed", "human"), run["error"]
