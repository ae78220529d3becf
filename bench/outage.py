"""One vendor out: what it costs the others, and how often it is called meanwhile.

    python3 dev.py python bench/outage.py [--leads 600] [--json]

A lead becomes three runs: one posts to the chat, one sends a mail, one tags in the CRM. Half way through the mail
vendor goes out (every call answers 503), then comes back. Told are the runs a second of the two others before and
during the outage, the calls that the dead vendor saw, and how soon all is done once it is back. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop
from lead_intake import Product, _folder, _post

from mainstay.cli.reading import database
from mainstay.cli.session import load_project
from mainstay.db import Pool, acquire, open_pool
from mainstay.sandbox.process import SandboxProcess

STACK = """\
[workspace]
name     = "Bench"
slug     = "bench"
timezone = "UTC"
region   = "US"
[connections]
slack = {{ connector = "slack", token = "${{SLACK_TOKEN}}", base_url = "{slack}", rate = "off" }}
mail = {{ connector = "postmark", token = "${{MAIL_TOKEN}}", from = "bench@acme.example", base_url = "{mail}" }}
[connections.ghl]
connector = "gohighlevel"
token = "${{GHL_TOKEN}}"
location_id = "ve9EPM428h8vShlRW1KT"
base_url = "{ghl}"
rate = "off"
[records.contact]
system_of_record = "ghl"
[sources.website]
kind = "json"
"""
WORKFLOWS = """\
from mainstay import Contact, Context, workflow

@workflow("chat.v1", on="contact.created")
async def chat(ctx: Context, contact: Contact) -> None:
    await ctx.chat.post("#leads", f"New lead: {contact.name}")

@workflow("tag.v1", on="contact.created")
async def tag(ctx: Context, contact: Contact) -> None:
    await ctx.crm.add_tag(contact, "new")

@workflow("mail.v1", on="contact.created")
async def mail(ctx: Context, contact: Contact) -> None:
    await ctx.email.send(contact, "Hello", "Hi {first_name}")
"""
OTHERS = ("chat.v1", "tag.v1")
_DEADLINE_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured. ``others`` are the runs a second of the two vendors that are well."""

    leads: int
    others_per_second_before: float
    others_per_second_during: float
    ratio: float
    calls_seen_during_the_outage: int
    runs_held: int
    seconds_until_all_was_sent: float
    mails_sent: int


async def _until(pool: Pool, workflows: tuple[str, ...], done: int) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while time.monotonic() < deadline:
        async with acquire(pool) as connection:
            found = await connection.fetchval(
                "SELECT count(*) FROM runs WHERE state = 'done' AND workflow = ANY($1)", list(workflows)
            )
        if found >= done:
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"{done} runs of {workflows} were not done within {_DEADLINE_SECONDS} s")


async def _play(product: Product, vendors: SandboxProcess, dsn: str, leads: int) -> Figures:
    url = f"{product.url}/in/bench/website"
    pool = await open_pool(dsn, size=1)
    await _post(url, "warm", range(50), per_second=100, at_once=16)
    await _until(pool, (*OTHERS, "mail.v1"), 51 * 3)

    started = time.perf_counter()
    await _post(url, "paced", range(leads), per_second=0, at_once=32)
    await _until(pool, OTHERS, (51 + leads) * 2)
    before = leads * 2 / (time.perf_counter() - started)
    await _until(pool, ("mail.v1",), 51 + leads)

    vendors.sandbox.set_fault("postmark", "status", status=503)
    seen = vendors.sandbox.request_count("postmark")
    started = time.perf_counter()
    await _post(url, "lead", range(leads), per_second=0, at_once=32)
    await _until(pool, OTHERS, (51 + leads * 2) * 2)
    during = leads * 2 / (time.perf_counter() - started)
    await asyncio.sleep(5)
    calls = vendors.sandbox.request_count("postmark") - seen
    async with acquire(pool) as connection:
        held = await connection.fetchval("SELECT count(*) FROM runs WHERE held_at = 'mail'")

    vendors.sandbox.clear("postmark")
    started = time.perf_counter()
    await _until(pool, ("mail.v1",), 51 + leads * 2)
    await pool.close()
    return Figures(
        leads=leads,
        others_per_second_before=round(before, 1),
        others_per_second_during=round(during, 1),
        ratio=round(during / before, 2),
        calls_seen_during_the_outage=calls,
        runs_held=held,
        seconds_until_all_was_sent=round(time.perf_counter() - started, 1),
        mails_sent=len(vendors.sandbox.messages("postmark")),
    )


def measure(leads: int) -> Figures:
    """Run it, once."""
    with _folder() as folder, SandboxProcess(keep_requests=10) as vendors:
        (folder / "workflows").mkdir()
        urls = {"ghl": vendors.url("gohighlevel"), "slack": vendors.url("slack"), "mail": vendors.url("postmark")}
        (folder / "stack.toml").write_text(STACK.format(**urls))
        (folder / "workflows" / "bench.py").write_text(WORKFLOWS)
        (folder / ".env").write_text(
            "GHL_TOKEN=bench-token-1234\nSLACK_TOKEN=xoxb-bench-token-1234\nMAIL_TOKEN=bench-token-1234\n"
        )
        product = Product(Path(folder))
        product.start()
        try:
            with (
                database(load_project((folder / "stack.toml",)).program) as dsn,
                asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
            ):
                return runner.run(_play(product, vendors, dsn, leads))
        finally:
            product.stop()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=600, help="leads before, and as many during the outage")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    figures = asdict(measure(arguments.leads))
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name.replace('_', ' '):<32} {value}")


if __name__ == "__main__":
    main()
